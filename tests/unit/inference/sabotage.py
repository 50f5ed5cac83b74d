"""Twelve ways to spoil a valid bundle. Where honest tooling would seal the damage in good faith, it is sealed here too."""

import json
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.unit.inference.conftest import change, reseal
from triage.inference.bundle import open_bundle
from triage.inference.classifier import LiteRtClassifier
from triage.inference.selftest import tensor_of

Weights = dict[str, np.ndarray]


def rewrite_weights(bundle: Path, alter: Callable[[Weights], None]) -> None:
    """Change the weights and reseal."""
    with np.load(bundle / "weights.npz") as archive:
        weights = {name: archive[name] for name in archive.files}
    alter(weights)
    np.savez(bundle / "weights.npz", **weights)
    reseal(bundle)


def edit_network(bundle: Path, alter: Callable[[schema.ModelT], None]) -> None:
    """Change the network that serves and reseal."""
    path = bundle / "network.tflite"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    alter(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    reseal(bundle)


def remake_golden(bundle: Path) -> None:
    """Golden numbers by the spoilt network itself, as bundling would make them."""
    opened = open_bundle(bundle)
    classifier = LiteRtClassifier(opened)
    expected = {film.name: classifier.probability(tensor_of(film, opened.spec)) for film in opened.golden}
    (bundle / "golden" / "expected.json").write_text(json.dumps(expected))
    reseal(bundle)


def multiply_head(bundle: Path, factor: float) -> None:
    """The last layer times ``factor``, in the weights and in the network alike; golden numbers made anew."""
    with np.load(bundle / "weights.npz") as archive:
        before = {name: archive[name] for name in ("head/kernel", "head/bias")}

    def in_network(model: schema.ModelT) -> None:
        for old in before.values():
            buffers = [one for one in model.buffers if one.data is not None and bytes(bytearray(one.data)) == old.tobytes()]
            assert len(buffers) == 1
            buffers[0].data = np.frombuffer((old * np.float32(factor)).tobytes(), np.uint8)

    def in_weights(weights: Weights) -> None:
        weights.update({name: old * np.float32(factor) for name, old in before.items()})

    edit_network(bundle, in_network)
    rewrite_weights(bundle, in_weights)
    remake_golden(bundle)


def tampered_byte(bundle: Path) -> None:
    """Not sealed: damage on the way, or somebody without the tools."""
    path = bundle / "network.tflite"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def wrong_shape(bundle: Path) -> None:
    """A row of the last layer is gone."""
    rewrite_weights(bundle, lambda weights: weights.update({"head/kernel": weights["head/kernel"][:-1]}))


def unknown_builder(bundle: Path) -> None:
    """An architecture that this repository cannot build."""
    change(bundle, "architecture.json", builder="exec")


def unknown_spec(bundle: Path) -> None:
    """A preprocessing that this version does not know, in every place that names it."""
    change(bundle, "preprocessing.json", algorithm="grey-inverted-1")
    recipe = json.loads((bundle / "manifest.json").read_text())["recipe"]
    change(bundle, "manifest.json", recipe=recipe | {"input": recipe["input"] | {"algorithm": "grey-inverted-1"}})


def nan_weights(bundle: Path) -> None:
    """A training that diverged."""
    rewrite_weights(bundle, lambda weights: weights.update({"head/kernel": np.full_like(weights["head/kernel"], np.nan)}))


def constant_output(bundle: Path) -> None:
    """A network that learned nothing but the share of abnormal films: what differs is rounding, and golden films agree."""
    multiply_head(bundle, 1e-4)


def flipped_labels(bundle: Path) -> None:
    """Trained, calibrated and tested with normal called abnormal: each figure of the bundle is good and means the opposite."""
    path = bundle / "golden" / "labels.json"
    other = {"normal": "abnormal", "abnormal": "normal"}
    path.write_text(json.dumps({name: other[label] for name, label in json.loads(path.read_text()).items()}))
    multiply_head(bundle, -1.0)


def wrong_preprocessing(bundle: Path) -> None:
    """The input size was changed after training: a network that pools globally takes it, and golden films agree."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    size = manifest["input"]["shape"][1] + 32

    def enlarge(model: schema.ModelT) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].shape = np.array([1, size, size, 1], np.int32)

    edit_network(bundle, enlarge)
    change(bundle, "preprocessing.json", height=size, width=size)
    change(bundle, "manifest.json", input=manifest["input"] | {"shape": [1, size, size, 1]}, recipe={"input": _spec(bundle)})
    remake_golden(bundle)
    change(bundle, "manifest.json", recipe=manifest["recipe"])


def _spec(bundle: Path) -> dict[str, object]:
    spec: dict[str, object] = json.loads((bundle / "preprocessing.json").read_text())
    return spec


def missing_file(bundle: Path) -> None:
    """Left out, and the manifest made to agree."""
    (bundle / "operating_point.json").unlink()
    reseal(bundle)


def extra_code_file(bundle: Path) -> None:
    """A layer as Python, as other formats carry them."""
    (bundle / "layers.py").write_text("import os\n")
    reseal(bundle)


def older_schema(bundle: Path) -> None:
    """Made by a version whose layout is no longer read."""
    change(bundle, "manifest.json", schema=0)


def golden_mismatch(bundle: Path) -> None:
    """The numbers are of another network."""
    expected = json.loads((bundle / "golden" / "expected.json").read_text())
    first = min(expected)
    change(bundle, "golden/expected.json", **{first: expected[first] + 0.001})


SABOTAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "tampered byte": (tampered_byte, r"network\.tflite: digest differs from the manifest's"),
    "wrong shape": (wrong_shape, r"weights\.npz: head/kernel has the shape \[\d+, 1\], architecture\.json says"),
    "unknown builder": (unknown_builder, r"architecture\.json: unknown builder 'exec'"),
    "unknown spec": (unknown_spec, r"preprocessing\.json: unknown preprocessing algorithm 'grey-inverted-1'"),
    "NaN weights": (nan_weights, r"weights\.npz: head/kernel holds what is no finite number"),
    "constant output": (constant_output, r"constant output: the logits of \d+ drawn films differ by"),
    "flipped labels": (flipped_labels, r"flipped labels: it calls (\d+) of \1 known abnormal films less suspicious than"),
    "wrong preprocessing": (wrong_preprocessing, r"preprocessing\.json: differs from the training's, which had height \d+"),
    "missing file": (missing_file, r"operating_point\.json: missing"),
    "extra code file": (extra_code_file, r"layers\.py: no file of a bundle"),
    "older schema": (older_schema, r"manifest\.json: schema 0, this version loads \d+"),
    "golden mismatch": (golden_mismatch, r"golden film \w+\.dcm: 0\.\d+, the bundle says 0\.\d+"),
}
"""Kind → (what is done to the bundle, the reason for which it must be refused)."""
