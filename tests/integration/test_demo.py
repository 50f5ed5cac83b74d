"""The whole line with the real films: every sample takes the place that ``expected.json`` states."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from triage.inference.registry import DEFAULT, PACKAGED

SAMPLES = Path(__file__).resolve().parents[2] / "sample_dicom"
WITHIN = 180

pytestmark = [
    pytest.mark.skipif(not (SAMPLES / "expected.json").is_file(), reason="no sample_dicom/expected.json yet"),
    pytest.mark.skipif(not (PACKAGED / DEFAULT / "manifest.json").is_file(), reason="no packaged bundle"),
]


def test_every_sample_takes_its_stated_place(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "triage", "demo", "--no-wait", "--home", str(tmp_path / "home")]
    elsewhere = tmp_path / "elsewhere.db"
    environment = os.environ | {"TRIAGE_DATABASE_URL": f"sqlite:///{elsewhere}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))["studies"]
    assert f"{len(expected)} films stored by C-STORE" in done.stdout
    assert not elsewhere.exists(), "the site that the environment names is left alone"
