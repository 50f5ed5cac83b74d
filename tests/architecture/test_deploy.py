"""What stands in deploy/ against the service as it is: settings, commands, and the checkers of each kind of file."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from triage.cli import app
from triage.config import known_keys

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
VARIABLE = re.compile(r"TRIAGE_([A-Z0-9_]+)")
EXPOSURE_BELOW = 2.0


def names(text: str) -> set[str]:
    """Settings that variables in a text name."""
    return {name.lower().replace("__", ".") for name in VARIABLE.findall(text)}


@pytest.mark.parametrize("file", ["compose.yaml", "Containerfile", "systemd/triage.service"])
def test_every_variable_is_a_setting(file: str) -> None:
    found = names((DEPLOY / file).read_text())
    assert found
    assert found <= {*known_keys(), "home"}


def test_every_setting_stands_in_the_example() -> None:
    text = re.sub(r"^# (?=[\[a-z_]+)", "", (DEPLOY / "triage.example.toml").read_text(), flags=re.MULTILINE)
    missing = [key for key in known_keys() if not re.search(rf"(?m)^\s*{re.escape(key.rpartition('.')[2])} = ", text)]
    # the home is where the file lies; a secret is better in a file of its own; destinations are tables of the example
    assert set(missing) <= {"home", "oidc.client_secret", "destinations"}
    assert tomllib.loads((DEPLOY / "triage.example.toml").read_text())


def test_compose_runs_commands_that_exist_on_images_with_a_tag() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    triage = COMPOSE["services"]["triage"]
    assert triage["healthcheck"]["test"][1:3] == ["triage", "alive"]
    assert {"alive", "serve"} <= commands
    for service in COMPOSE["services"].values():
        assert "build" in service or re.fullmatch(r"[a-z0-9./-]+:[0-9][A-Za-z0-9.-]*", service["image"])
    assert {name for one in COMPOSE["services"].values() for name in one.get("secrets", [])} <= set(COMPOSE["secrets"])


def test_hadolint_has_nothing_against_the_containerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DEPLOY / "Containerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "triage.service"
    text = (DEPLOY / "systemd/triage.service").read_text()
    unit.write_text(text.replace("/opt/triage/bin/triage", "/usr/bin/true"))
    listens = tmp_path / "triage-dicom.socket"
    listens.write_text((DEPLOY / "systemd/triage-dicom.socket").read_text())
    verified = subprocess.run(["systemd-analyze", "verify", unit, listens], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr.strip()) == (0, "")
    asked = ["systemd-analyze", "security", "--offline=true", "--threshold=19", unit]
    judged = subprocess.run(asked, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", judged.stdout)
    assert found is not None, judged.stdout + judged.stderr
    print(f"exposure {found[1]}")
    assert float(found[1]) < EXPOSURE_BELOW
