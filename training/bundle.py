"""Bundle: a calibrated and evaluated run → the directory that the service loads."""

import json
import shutil
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from training import audit, card, consistency, export, golden, keras_network
from training.calibrate import probabilities
from training.errors import TrainingError
from training.gate import step
from training.manifest import SPLITS, DataSet, patients_digest
from training.report import build as report
from training.run import Run, save_weights
from training.tensors import tensors
from triage.domain.assessment import Model
from triage.domain.opinion import Word
from triage.inference.bundle import SCHEMA, Bundle
from triage.inference.calibration import Calibration
from triage.inference.classifier import LiteRtClassifier
from triage.inference.load import load_classifier

NO_GATE = {"image_gate": None, "note": "films are judged by their tags only; this bundle brings no image gate"}


def bundle(run: Run, data: DataSet, target: Path, version: str, now: datetime) -> dict[str, Any]:
    """Write the bundle, prove it as the service would, put it at ``target``; returns id, size and Keras–LiteRT difference.

    Raises:
        TrainingError: a step is missing, ``target`` is taken, or LiteRT and Keras differ.
        BundleError: the service would refuse it.
    """
    if target.exists():
        raise TrainingError(f"{target} exists; bundles are never changed: name another directory, or remove it")
    run.check_trained_on(data.digest())
    pedigree = run.read_json("run.json", "train")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "golden").mkdir(parents=True)
    network = keras_network.load(run)
    difference = _write_network(run, data, network, part)
    _write_evidence(run, data, part, version)
    _write_golden(run, data, network, part)
    _write_manifest(run, pedigree, part, version, now)
    bundle_id = load_classifier(part).model.bundle_id
    part.rename(target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return {"bundle_id": bundle_id, "bytes": size, "keras_litert_difference": difference}


def _write_network(run: Run, data: DataSet, network: Any, part: Path) -> float:
    weights = keras_network.weights_of(network)
    save_weights(part / "weights.npz", weights)
    shapes = {name: list(value.shape) for name, value in weights.items()}
    _json(part / "architecture.json", {**run.architecture, "weights": shapes})
    spec = run.recipe.input.spec()
    _json(part / "preprocessing.json", spec.as_dict())
    content = export.to_litert(network)
    (part / "network.tflite").write_bytes(content)
    provisional = Bundle(
        path=part,
        model=Model(name=run.recipe.name, version="0", bundle_id="0" * 64, spec_id=spec.spec_id, threshold=0.5),
        spec=spec,
        calibration=_calibration(run),
        network=content,
        golden=(),
        manifest={},
    )
    films = tensors(data, [*data.split("val"), *data.split("test")], spec)
    return export.largest_difference(network, LiteRtClassifier(provisional), films)


def _write_evidence(run: Run, data: DataSet, part: Path, version: str) -> None:
    metrics = run.read_json("metrics.json", "evaluate")
    _json(part / "metrics.json", metrics)
    for name in ("calibration.json", "operating_point.json"):
        _json(part / name, run.read_json(name, "calibrate"))
    _write_gate(run, part)
    training_data = {
        "source": data.source,
        "manifest_digest": data.digest(),
        "splits": {split: _split_facts(data, split) for split in SPLITS},
        "read": {"training": "train", "choices, calibration, operating point": "val", "evaluation": "test", "never": "extra"},
        "audit": _audit(data),
    }
    _json(part / "training_data.json", training_data)
    text = card.markdown(run, data, metrics, version)
    (part / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    (part / "report.html").write_text(report.html(run, data, version), encoding="utf-8")


def _write_gate(run: Run, part: Path) -> None:
    if step.of_run(run) is None:
        _json(part / "eligibility.json", NO_GATE)
        return
    _json(part / "eligibility.json", run.read_json("eligibility.json", "gate"))
    shutil.copyfile(run.path / "eligibility.npz", part / "eligibility.npz")


def _audit(data: DataSet) -> dict[str, Any]:
    """What the gate asks of the train films. Which of them look alike is left out: it would name files."""
    found = audit.audit(data)
    labels = consistency.measure(data, consistency.trusted())
    return {"auc": found["auc"], "meaning": found["meaning"], "labels": labels}


def _split_facts(data: DataSet, split: str) -> dict[str, Any]:
    films = data.split(split)
    return {
        "films": len(films),
        "patients": len({film.patient for film in films}),
        "patients_digest": patients_digest(films),
        "text_abnormal": sum(film.text_label == "abnormal" for film in films),
        "radiologist": sum(bool(film.radiologist_label) for film in films),
        "radiologist_abnormal": sum(film.radiologist_label == "abnormal" for film in films),
    }


def _write_golden(run: Run, data: DataSet, network: Any, part: Path) -> None:
    spec, calibration, gate = run.recipe.input.spec(), _calibration(run), step.of_run(run)
    films = data.split("val")
    if gate is not None:  # a film that it refuses is never scored, so it proves nothing of the network
        shown = tensors(data, films, spec)
        films = [film for film, one in zip(films, shown, strict=True) if gate.opinion(one).word is Word.CHEST]
    scores = probabilities(calibration, keras_network.logits(network, tensors(data, films, spec)))
    expected, labels = {}, {}
    for number, (film, label) in enumerate(golden.choose(films, scores), start=1):
        name = f"film{number}.dcm"
        shutil.copyfile(data.dicom(film), part / "golden" / name)
        expected[name] = float(scores[films.index(film)])
        if label:
            labels[name] = label
    _json(part / "golden" / "expected.json", expected)
    _json(part / "golden" / "labels.json", labels)


def _write_manifest(run: Run, pedigree: dict[str, Any], part: Path, version: str, now: datetime) -> None:
    spec = run.recipe.input.spec()
    files = sorted(path for path in part.rglob("*") if path.is_file())
    _json(
        part / "manifest.json",
        {
            "schema": SCHEMA,
            "name": run.recipe.name,
            "version": version,
            "created": now.isoformat(),
            "commit": pedigree["commit"],
            "libraries": pedigree["libraries"],
            "recipe": pedigree["recipe"],
            "input": {"name": "film", "shape": [1, spec.height, spec.width, 1], "dtype": "float32"},
            "outputs": {"logit": [1, 1], "features": "pooled", "maps": "last stage"},
            "files": {path.relative_to(part).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files},
        },
    )


def _calibration(run: Run) -> Calibration:
    return Calibration.from_dict(run.read_json("calibration.json", "calibrate"))


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
