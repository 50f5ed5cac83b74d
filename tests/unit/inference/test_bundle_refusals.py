"""Every way a bundle can be wrong, and the reason given for it. Nothing of a refused bundle ever runs."""

import json
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.unit.inference.conftest import change, reseal
from triage.domain.errors import BundleError
from triage.inference.bundle import open_bundle
from triage.inference.load import load_classifier


def tamper(bundle: Path) -> None:
    path = bundle / "network.tflite"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def rewrite_weights(bundle: Path, alter: Callable[[dict[str, np.ndarray], str], None]) -> None:
    with np.load(bundle / "weights.npz") as archive:
        weights = {name: archive[name] for name in archive.files}
    alter(weights, "head/kernel")
    np.savez(bundle / "weights.npz", **weights)
    reseal(bundle)


def nan(weights: dict[str, np.ndarray], name: str) -> None:
    weights[name] = np.full_like(weights[name], np.nan)


def reshape(weights: dict[str, np.ndarray], name: str) -> None:
    weights[name] = weights[name][:-1]


def rename(weights: dict[str, np.ndarray], name: str) -> None:
    weights["another"] = weights.pop(name)


def pickled(bundle: Path) -> None:
    np.savez(bundle / "weights.npz", allow_pickle=True, **{"head/kernel": np.array([{"a": 1}], dtype=object)})
    reseal(bundle)


def remove(bundle: Path, name: str) -> None:
    (bundle / name).unlink()


def forget(bundle: Path, name: str) -> None:
    remove(bundle, name)
    reseal(bundle)


def add(bundle: Path, name: str, sealed: bool) -> None:
    (bundle / name).write_text("import os\n")
    if sealed:
        reseal(bundle)


def link(bundle: Path) -> None:
    (bundle / "golden" / "other.dcm").symlink_to("/etc/hostname")


def shift_golden(bundle: Path) -> None:
    path = bundle / "golden" / "expected.json"
    expected = json.loads(path.read_text())
    first = sorted(expected)[0]
    change(bundle, "golden/expected.json", **{first: expected[first] + 0.001})


def spoil_golden(bundle: Path) -> None:
    path = sorted((bundle / "golden").glob("*.dcm"))[0]
    path.write_bytes(path.read_bytes()[:2000])
    reseal(bundle)


def edit_network(bundle: Path, alter: Callable[[schema.ModelT], None]) -> None:
    path = bundle / "network.tflite"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    alter(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
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
    "tampered byte": (tamper, r"network.tflite: digest differs"),
    "wrong shape": (lambda b: rewrite_weights(b, reshape), r"weights.npz: head/kernel has the shape"),
    "other weights": (lambda b: rewrite_weights(b, rename), r"weights.npz: names differ"),
    "NaN weights": (lambda b: rewrite_weights(b, nan), r"weights.npz: head/kernel holds what is no finite number"),
    "pickled weights": (pickled, r"weights.npz: cannot be read"),
    "unknown builder": (lambda b: change(b, "architecture.json", builder="exec"), r"architecture.json: unknown builder 'exec'"),
    "unknown spec": (lambda b: change(b, "preprocessing.json", algorithm="mine"), r"preprocessing.json: unknown preprocessing"),
    "spec with another key": (lambda b: change(b, "preprocessing.json", gamma=2), r"preprocessing.json: a preprocessing spec"),
    "spec of another size": (lambda b: change(b, "preprocessing.json", height=64), r"input contract does not fit"),
    "unknown calibration": (lambda b: change(b, "calibration.json", method="magic"), r"calibration.json: unknown calibration"),
    "reversed calibration": (lambda b: change(b, "calibration.json", slope=-1.0), r"calibration.json: .*positive slope"),
    "threshold out of range": (
        lambda b: change(b, "operating_point.json", threshold=1.5),
        r"operating_point.json: the threshold",
    ),
    "missing file": (lambda b: remove(b, "MODEL_CARD.md"), r"MODEL_CARD.md: missing"),
    "missing and forgotten file": (lambda b: forget(b, "eligibility.json"), r"eligibility.json: missing"),
    "no manifest": (lambda b: remove(b, "manifest.json"), r"manifest.json is missing"),
    "extra file": (lambda b: add(b, "setup.py", sealed=False), r"setup.py: not in the manifest"),
    "extra code file": (lambda b: add(b, "layers.py", sealed=True), r"layers.py: no file of a bundle"),
    "link": (link, r"plain files only"),
    "older schema": (lambda b: change(b, "manifest.json", schema=0), r"schema 0, this version loads 1"),
    "golden mismatch": (shift_golden, r"golden film \w+.dcm: 0\.\d+, the bundle says"),
    "golden film damaged": (spoil_golden, r"golden film \w+.dcm: "),
    "custom operator": (lambda b: edit_network(b, flex), r"network.tflite: custom operator FlexRelu"),
    "another input": (lambda b: edit_network(b, rename_input), r"network.tflite: the input is not film"),
    "another output": (lambda b: edit_network(b, rename_output), r"network.tflite: the outputs are not"),
    "network cut short": (cut, r"network.tflite: "),
    "not JSON": (
        lambda b: ((b / "metrics.json").write_text("{"), (b / "calibration.json").write_text("{"), reseal(b))[0],
        r"not JSON",
    ),
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
