"""Further ways a bundle can be wrong, each refused at every load with its reason; the twelve kinds are in ``sabotage``."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.unit.inference.conftest import change, reseal
from tests.unit.inference.sabotage import edit_network, rewrite_weights
from triage.domain.errors import BundleError
from triage.inference.bundle import open_bundle
from triage.inference.load import load_classifier


def rename(weights: dict[str, np.ndarray]) -> None:
    weights["another"] = weights.pop("head/kernel")


def pickled(bundle: Path) -> None:
    np.savez(bundle / "weights.npz", allow_pickle=True, **{"head/kernel": np.array([{"a": 1}], dtype=object)})
    reseal(bundle)


def remove(bundle: Path, name: str) -> None:
    (bundle / name).unlink()


def forget(bundle: Path, name: str) -> None:
    remove(bundle, name)
    reseal(bundle)


def add(bundle: Path, name: str) -> None:
    (bundle / name).write_text("import os\n")


def garble(bundle: Path, name: str) -> None:
    (bundle / name).write_text("{")
    reseal(bundle)


def link(bundle: Path) -> None:
    (bundle / "golden" / "other.dcm").symlink_to("/etc/hostname")


def swap_test_labels(bundle: Path) -> None:
    films = json.loads((bundle / "metrics.json").read_text())["test_films"]
    other = {"normal": "abnormal", "abnormal": "normal", "": ""}
    swapped = [film | {who: other[film[who]] for who in ("text", "radiologist")} for film in films]
    change(bundle, "metrics.json", test_films=swapped)


def label_golden(bundle: Path, **labels: object) -> None:
    (bundle / "golden" / "labels.json").write_text(json.dumps({name + ".dcm": label for name, label in labels.items()}))
    reseal(bundle)


def spoil_golden(bundle: Path) -> None:
    path = sorted((bundle / "golden").glob("*.dcm"))[0]
    path.write_bytes(path.read_bytes()[:2000])
    reseal(bundle)


def flex(model: schema.ModelT) -> None:
    code = model.operatorCodes[0]
    code.customCode, code.builtinCode, code.deprecatedBuiltinCode = b"FlexRelu", schema.BuiltinOperator.CUSTOM, 32


def rename_input(model: schema.ModelT) -> None:
    model.signatureDefs[0].inputs[0].name = b"image"


def rename_output(model: schema.ModelT) -> None:
    model.signatureDefs[0].outputs[0].name = b"extra"


def cut(bundle: Path) -> None:
    path = bundle / "network.tflite"
    path.write_bytes(path.read_bytes()[:100])
    reseal(bundle)


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "other weights": (lambda b: rewrite_weights(b, rename), r"weights.npz: names differ"),
    "pickled weights": (pickled, r"weights.npz: cannot be read"),
    "spec with another key": (lambda b: change(b, "preprocessing.json", gamma=2), r"preprocessing.json: a preprocessing spec"),
    "spec of another size": (lambda b: change(b, "preprocessing.json", height=64), r"input contract does not fit"),
    "unknown calibration": (lambda b: change(b, "calibration.json", method="magic"), r"calibration.json: unknown calibration"),
    "reversed calibration": (lambda b: change(b, "calibration.json", slope=-1.0), r"calibration.json: .*positive slope"),
    "a threshold that nobody evaluated": (
        lambda b: change(b, "operating_point.json", threshold=0.999),
        r"operating_point.json: threshold 0.9990 is not the one that metrics.json was made with",
    ),
    "threshold out of range": (
        lambda b: change(b, "operating_point.json", threshold=1.5),
        r"operating_point.json: the threshold",
    ),
    "missing file": (lambda b: remove(b, "MODEL_CARD.md"), r"MODEL_CARD.md: missing"),
    "missing and forgotten file": (lambda b: forget(b, "eligibility.json"), r"eligibility.json: missing"),
    "no manifest": (lambda b: remove(b, "manifest.json"), r"manifest.json is missing"),
    "extra file": (lambda b: add(b, "setup.py"), r"setup.py: not in the manifest"),
    "link": (link, r"plain files only"),
    "golden film damaged": (spoil_golden, r"golden film \w+.dcm: "),
    "custom operator": (lambda b: edit_network(b, flex), r"network.tflite: custom operator FlexRelu"),
    "another input": (lambda b: edit_network(b, rename_input), r"network.tflite: the input is not film"),
    "another output": (lambda b: edit_network(b, rename_output), r"network.tflite: the outputs are not"),
    "network cut short": (cut, r"network.tflite: "),
    "worse than chance": (swap_test_labels, r"metrics.json: worse than chance, AUC 0\.\d+ on \d+ test films"),
    "test films without scores": (
        lambda b: change(b, "metrics.json", test_films=[{"text": "normal"}]),
        r"metrics.json: test_films",
    ),
    "test scores that are none": (
        lambda b: change(b, "metrics.json", test_films=[{"text": "normal", "radiologist": "", "probability": "nan"}]),
        r"metrics.json: test_films",
    ),
    "no recipe": (lambda b: change(b, "manifest.json", recipe=None), r"manifest.json: recipe.input.* is missing"),
    "unknown label": (lambda b: label_golden(b, film1="ill"), r"golden/labels.json: film1.dcm must be"),
    "label of no film": (lambda b: label_golden(b, other="normal"), r"golden/labels.json: other.dcm must be"),
    "metrics that are no JSON": (lambda b: garble(b, "metrics.json"), r"metrics.json: not JSON"),
    "calibration that is no JSON": (lambda b: garble(b, "calibration.json"), r"calibration.json: not JSON"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_its_reason(bundle: Path, case: str) -> None:
    spoil, reason = CASES[case]
    spoil(bundle)
    with pytest.raises(BundleError, match=reason) as refusal:
        load_classifier(bundle)
    assert "\n" not in str(refusal.value)


def test_untouched_it_loads_and_resealed_it_is_another_bundle(bundle: Path) -> None:
    before = load_classifier(bundle).model
    reseal(bundle)
    after = open_bundle(bundle).model
    assert (before.name, before.threshold) == (after.name, after.threshold)
    assert before.bundle_id != after.bundle_id
