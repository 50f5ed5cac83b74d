"""Evidence: everything that the sections show, gathered once. Only here are files read and the network run."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from training import audit, evaluate, keras_network, resample
from training.calibrate import by_source, probabilities
from training.errors import TrainingError
from training.manifest import DataSet, Film
from training.report import choice, maps
from training.run import Run
from training.tensors import tensors
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec
from triage.inference.calibration import Calibration

PICTURE = PreprocessingSpec(height=224, width=224)
"""Films are shown through the service's own preprocessing, at this size."""
LAYERS = re.compile(r"conv\d+|member0_stem_relu|member0_stage\d+_out")
"""Whose activation maps are shown: the convolutions of the paper's network, the stages of a residual one."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The films of a split with their calibrated probabilities (n,) and their figures, as ``metrics.json`` keeps them.

    ``interval``: how the intervals of the AUC were made.
    """

    name: str
    films: Sequence[Film]
    probabilities: NDArray[np.float64]
    auc: dict[str, Any]
    interval: str
    operating_point: dict[str, Any]

    def by_source(self) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.float64]]]:
        """Labels and probabilities by label source, radiologists first; a source without films is left out."""
        return {who: pair for who, pair in by_source(self.films, self.probabilities).items() if len(pair[0])}

    def patients(self, who: str) -> list[str]:
        """The patient of each film of :meth:`by_source`."""
        return [film.patient for film in self.films if who != "radiologist" or film.radiologist_label]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a report rests on. ``test`` and ``metrics`` are ``None`` while nobody has evaluated the run."""

    run: Run
    data: DataSet
    recipe_text: str
    pedigree: dict[str, Any]
    parameters: int
    calibration: dict[str, Any]
    point: dict[str, Any]
    metrics: dict[str, Any] | None
    history: Sequence[dict[str, Any]]
    val: Scored
    val_logits: NDArray[np.float64]
    test: Scored | None
    audit: dict[str, Any]
    pictures: dict[str, NDArray[np.uint8]]
    class_maps: dict[str, NDArray[np.float64]]
    layers: Sequence[maps.Layer]
    layers_of: Film

    @property
    def shown(self) -> Scored:
        """The split that the plots show: test once it has been evaluated, else val."""
        return self.test or self.val

    @property
    def threshold(self) -> float:
        """The operating point."""
        return float(self.point["threshold"])


def gather(run: Run, data: DataSet) -> Evidence:
    """Read what the commands wrote, run the network on val and on the few films shown. Never a look at the test split:
    its scores are those that evaluate wrote; without them nothing of test but its size is read.

    Raises:
        TrainingError: not trained, not calibrated, on another manifest, or the files do not belong together.
    """
    run.check_trained_on(data.digest())
    calibration, point = (run.read_json(name, "calibrate") for name in ("calibration.json", "operating_point.json"))
    metrics = run.read_json("metrics.json", "evaluate") if (run.path / "metrics.json").exists() else None
    if metrics and metrics["threshold"] != point["threshold"]:
        raise TrainingError(f"{run.path / 'metrics.json'} is of another calibration; remove it, or evaluate again")
    network, spec = keras_network.load(run), run.recipe.input.spec()
    films = data.split("val")
    logits = keras_network.logits(network, tensors(data, films, spec))
    scores = probabilities(Calibration.from_dict(calibration), logits)
    method = resample.area_method([film.patient for film in films])
    val = Scored("val", films, scores, evaluate.areas(films, scores), method, point["measured_on_val"])
    test = _test(data, metrics) if metrics else None
    shown = test or val
    chosen = {film.digest: film for film in choice.all_shown(shown.films, shown.probabilities, float(point["threshold"]))}
    example = choice.example(films, scores)
    return Evidence(
        run=run,
        data=data,
        recipe_text=(run.path / "recipe.toml").read_text(encoding="utf-8"),
        pedigree=run.read_json("run.json", "train"),
        parameters=int(network.count_params()),
        calibration=calibration,
        point=point,
        metrics=metrics,
        history=history(run.lines("history.jsonl")),
        val=val,
        val_logits=logits,
        test=test,
        audit=audit.audit(data),
        pictures=_pictures(data, [*chosen.values(), example]),
        class_maps=_class_maps(network, data, list(chosen.values()), spec),
        layers=_layers(network, tensors(data, [example], spec)),
        layers_of=example,
    )


def history(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs of ``history.jsonl`` that val judged, by seed; of one trained twice (an interruption) the last word counts."""
    epochs = {(line["seed"], line["epoch"]): line for line in lines if line.get("val_auc") is not None}
    return [epochs[place] for place in sorted(epochs)]


def _test(data: DataSet, metrics: dict[str, Any]) -> Scored:
    scores = {row["film"]: row["probability"] for row in metrics["test_films"]}
    films = data.split("test")
    if set(scores) != {film.digest for film in films}:
        raise TrainingError("metrics.json is of other test films than the manifest's; evaluate again")
    found = np.array([scores[film.digest] for film in films])
    test = metrics["test"]
    return Scored("test", films, found, test["auc"], test.get("auc_interval", resample.DELONG), test["operating_point"])


def _pictures(data: DataSet, films: Sequence[Film]) -> dict[str, NDArray[np.uint8]]:
    return {
        film.digest: (preprocess(dcmread(data.dicom(film)), PICTURE)[:, :, 0] * 255).round().astype(np.uint8) for film in films
    }


def _class_maps(network: Any, data: DataSet, films: Sequence[Film], spec: PreprocessingSpec) -> dict[str, NDArray[np.float64]]:
    """Empty for a network without a pooled linear head."""
    if not films or "head" not in {layer.name for layer in network.layers}:
        return {}
    last = np.asarray(network.predict_on_batch(tensors(data, films, spec))["maps"], dtype=np.float64)
    kernel = network.get_layer("head").kernel.numpy()[:, 0].astype(np.float64)
    return dict(zip([film.digest for film in films], maps.class_activation(last, kernel), strict=True))


def _layers(network: Any, film: NDArray[np.float32]) -> list[maps.Layer]:
    wanted = [layer for layer in network.layers if LAYERS.fullmatch(layer.name)]
    answers = keras.Model(network.input, [layer.output for layer in wanted]).predict_on_batch(film)
    return [maps.Layer(layer.name, np.asarray(answer[0])) for layer, answer in zip(wanted, answers, strict=True)]
