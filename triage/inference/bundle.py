"""A bundle directory, opened and verified: a model is data, not code.

Everything is checked before anything is used: the files are those the manifest names, byte for byte, and each says
something this version knows. What passes is a value; running it is :mod:`triage.inference.classifier`'s work.
"""

import json
import math
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from triage.domain.assessment import Model
from triage.domain.errors import BundleError
from triage.domain.identifiers import digest_of
from triage.imaging.spec import PreprocessingSpec
from triage.inference.calibration import Calibration
from triage.inference.evidence import check_metrics, check_trained_input
from triage.inference.gate import Gate, read_gate

SCHEMA = 1
"""Version of the bundle layout; another one is refused."""
BUILDERS = frozenset({"paper_cnn", "residual_gap"})
"""Networks this repository can build; ``training.networks`` holds the same list."""
FILES = frozenset(
    {
        "architecture.json",
        "weights.npz",
        "network.tflite",
        "preprocessing.json",
        "calibration.json",
        "operating_point.json",
        "eligibility.json",
        "training_data.json",
        "metrics.json",
        "MODEL_CARD.md",
        "report.html",
        "golden/expected.json",
    }
)
"""Every bundle holds these, beside ``manifest.json`` and ``golden/*.dcm``."""
OPTIONAL = frozenset({"golden/labels.json", "eligibility.npz"})
"""An older bundle lacks them. Nothing else may lie in a bundle."""
LABELS = frozenset({"normal", "abnormal"})
MAX_BYTES = 64 * 2**20
"""A larger bundle is refused before it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A film whose probability is known, as DICOM bytes. ``label``: what it shows, where that is clear beyond the network."""

    name: str
    dicom: bytes
    probability: float
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle. ``network``: the bytes of ``network.tflite``; ``gate``: ``None`` where it brings no image gate."""

    path: Path
    model: Model
    spec: PreprocessingSpec
    calibration: Calibration
    network: bytes
    golden: tuple[Golden, ...]
    manifest: dict[str, Any]
    gate: Gate | None = None


def open_bundle(path: Path) -> Bundle:
    """Read and verify everything in a bundle that can be verified without running it.

    Raises:
        BundleError: one line: which file, what is wrong.
    """
    files = _read(path)
    manifest = _json(files, "manifest.json")
    _check_manifest(manifest, files)
    spec = _spec(files)
    if manifest["input"] != {"name": "film", "shape": [1, spec.height, spec.width, 1], "dtype": "float32"}:
        raise BundleError("manifest.json: the input contract does not fit preprocessing.json")
    architecture = _json(files, "architecture.json")
    if architecture.get("builder") not in BUILDERS:
        raise BundleError(f"architecture.json: unknown builder {str(architecture.get('builder'))[:40]!r}")
    _check_weights(files["weights.npz"], architecture.get("weights"))
    check_trained_input(manifest, spec)
    threshold = _threshold(files)
    check_metrics(_json(files, "metrics.json"), threshold)
    return Bundle(
        path=path,
        model=Model(
            name=manifest["name"],
            version=manifest["version"],
            bundle_id=digest_of(files["manifest.json"]),
            spec_id=spec.spec_id,
            threshold=threshold,
        ),
        spec=spec,
        calibration=_calibration(files),
        network=files["network.tflite"],
        golden=_golden(files),
        manifest=manifest,
        gate=_gate(files),
    )


def _read(path: Path) -> dict[str, bytes]:
    """Every file by its relative name; links, odd names and oversize are refused."""
    if not (path / "manifest.json").is_file():
        raise BundleError(f"{path.name}: no bundle, manifest.json is missing")
    entries = sorted(path.rglob("*"))
    if any(entry.is_symlink() or not (entry.is_file() or entry.is_dir()) for entry in entries):
        raise BundleError("a bundle holds plain files only, no links")
    found = [entry for entry in entries if entry.is_file()]
    if sum(entry.stat().st_size for entry in found) > MAX_BYTES:
        raise BundleError(f"the bundle is larger than {MAX_BYTES // 2**20} MiB")
    try:
        return {entry.relative_to(path).as_posix(): entry.read_bytes() for entry in found}
    except OSError as error:
        raise BundleError(f"a file of the bundle cannot be read: {error.strerror}") from None


def _json(files: dict[str, bytes], name: str) -> dict[str, Any]:
    try:
        value = json.loads(files[name])
    except (ValueError, UnicodeDecodeError, RecursionError):
        raise BundleError(f"{name}: not JSON") from None
    if not isinstance(value, dict):
        raise BundleError(f"{name}: not a JSON object")
    return value


def _check_manifest(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    if manifest.get("schema") != SCHEMA:
        raise BundleError(f"manifest.json: schema {manifest.get('schema')!r}, this version loads {SCHEMA}; bundle it anew")
    for key, kind in (("name", str), ("version", str), ("input", dict), ("files", dict)):
        if not isinstance(manifest.get(key), kind):
            raise BundleError(f"manifest.json: {key} is missing")
    listed, present = set(manifest["files"]), set(files) - {"manifest.json"}
    for name in sorted(FILES - listed | listed - present):
        raise BundleError(f"{name}: missing")
    for name in sorted(present - listed):
        raise BundleError(f"{name[:80]}: not in the manifest")
    for name in sorted(listed - FILES - OPTIONAL):
        if not (name.startswith("golden/") and name.endswith(".dcm") and name.count("/") == 1):
            raise BundleError(f"{name[:80]}: no file of a bundle")
    for name in sorted(listed):
        if digest_of(files[name]) != manifest["files"][name]:
            raise BundleError(f"{name}: digest differs from the manifest's")


def _spec(files: dict[str, bytes]) -> PreprocessingSpec:
    try:
        return PreprocessingSpec.from_dict(_json(files, "preprocessing.json"))
    except (ValueError, TypeError) as error:
        raise BundleError(f"preprocessing.json: {error}") from None


def _calibration(files: dict[str, bytes]) -> Calibration:
    try:
        return Calibration.from_dict(_json(files, "calibration.json"))
    except ValueError as error:
        raise BundleError(f"calibration.json: {error}") from None


def _gate(files: dict[str, bytes]) -> Gate | None:
    said, archive = _json(files, "eligibility.json").get("image_gate"), files.get("eligibility.npz")
    if said is None and archive is None:
        return None
    if said is None or archive is None:
        raise BundleError("eligibility.json and eligibility.npz: an image gate is in both or in neither")
    try:
        return read_gate(said, archive)
    except ValueError as error:
        raise BundleError(f"eligibility.json: {error}") from None


def _threshold(files: dict[str, bytes]) -> float:
    value = _json(files, "operating_point.json").get("threshold")
    if not isinstance(value, float) or not 0.0 < value < 1.0:
        raise BundleError("operating_point.json: the threshold lies strictly within 0..1")
    return value


def _check_weights(archive: bytes, shapes: Any) -> None:
    """Names and shapes are the architecture's, all numbers finite, nothing pickled."""
    try:
        with np.load(BytesIO(archive), allow_pickle=False) as weights:
            arrays = {name: weights[name] for name in weights.files}
    except Exception as error:  # a hostile archive can fail in many ways; each means the same
        raise BundleError(f"weights.npz: cannot be read ({type(error).__name__})") from None
    if not isinstance(shapes, dict) or set(shapes) != set(arrays):
        raise BundleError("weights.npz: names differ from architecture.json")
    for name, array in arrays.items():
        if list(array.shape) != shapes[name]:
            raise BundleError(f"weights.npz: {name} has the shape {list(array.shape)}, architecture.json says {shapes[name]}")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise BundleError(f"weights.npz: {name} holds what is no finite number")


def _golden(files: dict[str, bytes]) -> tuple[Golden, ...]:
    expected = _json(files, "golden/expected.json")
    films = {name.removeprefix("golden/"): content for name, content in files.items() if name.endswith(".dcm")}
    if len(films) < 2 or set(expected) != set(films):
        raise BundleError("golden/expected.json: must name each golden film, at least two")
    for name, value in expected.items():
        if not isinstance(value, float) or not math.isfinite(value) or not 0.0 <= value <= 1.0:
            raise BundleError(f"golden/expected.json: {name[:40]} needs a probability")
    labels = _labels(files, films)
    return tuple(
        Golden(name=name, dicom=films[name], probability=expected[name], label=labels.get(name)) for name in sorted(films)
    )


def _labels(files: dict[str, bytes], films: dict[str, bytes]) -> dict[str, str]:
    labels = _json(files, "golden/labels.json") if "golden/labels.json" in files else {}
    for name, label in labels.items():
        if name not in films or not isinstance(label, str) or label not in LABELS:
            raise BundleError(f"golden/labels.json: {name[:40]} must be a golden film, its label normal or abnormal")
    return labels
