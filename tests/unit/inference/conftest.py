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
