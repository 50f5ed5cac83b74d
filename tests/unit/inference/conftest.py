"""Copies of the shipped bundle that may be spoilt, and a way to make the manifest agree with the damage."""

import json
import shutil
from pathlib import Path

import pytest

from triage.domain.identifiers import digest_of
from triage.inference.registry import PACKAGED


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PACKAGED / "recommended", tmp_path / "bundle"))


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """The shipped bundle in a place of its own, with labels for golden films; it is what a registry has packaged."""
    bundle = Path(shutil.copytree(PACKAGED / "recommended", tmp_path / "packaged" / "recommended"))
    if not (bundle / "golden" / "labels.json").is_file():
        expected = json.loads((bundle / "golden" / "expected.json").read_text())
        ranked = sorted(expected, key=expected.__getitem__)
        halves = (("normal", ranked[: len(ranked) // 2]), ("abnormal", ranked[len(ranked) // 2 :]))
        labels = {name: label for label, names in halves for name in names}
        (bundle / "golden" / "labels.json").write_text(json.dumps(labels))
        reseal(bundle)
    return bundle


def reseal(bundle: Path) -> None:
    """Write the digests anew, as somebody would who meant the damage."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    files = (path for path in bundle.rglob("*") if path.is_file() and path.name != "manifest.json")
    manifest["files"] = {path.relative_to(bundle).as_posix(): digest_of(path.read_bytes()) for path in files}
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def change(bundle: Path, name: str, **values: object) -> None:
    """Replace keys of a JSON file and reseal."""
    path = bundle / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    reseal(bundle)
