"""What people type: exit codes, one-line errors, JSON only where JSON was asked for, nothing heavy for --help."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.domain import make
from triage.bootstrap import open_site
from triage.cli import app
from triage.cli.checks import doubts
from triage.config import known_keys, load
from triage.domain.doubt import Doubt
from triage.domain.study import with_doubt

HEAVY = (
    "numpy",
    "sqlalchemy",
    "pydicom",
    "pynetdicom",
    "fastapi",
    "pydantic",
    "alembic",
    "ai_edge_litert",
    "structlog",
    "cryptography",
)


def triage(*arguments: str, home: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without variables of this one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    where = ["--home", str(home)] if home else []
    return subprocess.run(
        [sys.executable, "-m", "triage", *arguments, *where],
        capture_output=True,
        text=True,
        env=environment | variables,
        timeout=120,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home, made as the first start makes it."""
    site = open_site(load(home=tmp_path / "home", environment={}), create=True)
    site.database.close()
    return tmp_path / "home"


def is_one_line(result: subprocess.CompletedProcess[str]) -> bool:
    return result.stderr.startswith("triage: ") and result.stderr.count("\n") == 1 and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("triage.cli", HEAVY), ("triage.bootstrap.scheduler", ("numpy", "pydicom", "alembic", "ai_edge_litert", "fastapi"))],
)
def test_nothing_heavy_is_imported_that_is_not_needed(module: str, heavy: tuple[str, ...]) -> None:
    script = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_help_names_every_command() -> None:
    result = triage("--help")
    assert result.returncode == 0
    for command in (
        "demo",
        "serve",
        "send",
        "worklist",
        "study",
        "quarantine",
        "verify",
        "models",
        "check",
        "config",
        "migrate",
        "tls",
        "version",
    ):
        assert command in result.stdout


def test_version_is_printed() -> None:
    assert triage("version").stdout.startswith("triage ")


@pytest.mark.parametrize(
    "wrong", [["sing"], ["worklist", "--loud"], ["worklist", "--limit", "0"], ["serve", "cook"], ["study"]]
)
def test_wrong_usage_exits_2(wrong: list[str], home: Path) -> None:
    result = triage(*wrong, home=home if wrong[0] != "sing" else None)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["worklist", "verify"])
def test_a_home_that_does_not_exist_exits_78_in_one_line(command: str, tmp_path: Path) -> None:
    result = triage(command, home=tmp_path / "none")
    assert (result.returncode, result.stdout) == (78, "")
    assert is_one_line(result)
    assert "triage serve" in result.stderr, "the remedy"


def test_bad_settings_exit_78_with_a_line_for_each_fault(home: Path) -> None:
    result = triage("worklist", home=home, TRIAGE_DIMSE__PROT="1", TRIAGE_WEB__PORT="x")
    assert result.returncode == 78
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("triage: ") for line in lines)
    assert "did you mean dimse.port?" in result.stderr


def test_a_database_that_is_none_exits_in_one_line(home: Path) -> None:
    for name in ("triage.db", "triage.db-wal", "triage.db-shm"):
        (home / name).unlink(missing_ok=True)
    (home / "triage.db").write_bytes(b"no database " * 1000)
    result = triage("worklist", home=home)
    assert result.returncode == 78
    assert is_one_line(result)


def test_a_study_that_is_not_there_exits_1_in_one_line(home: Path) -> None:
    result = triage("study", "1.2.3", home=home)
    assert (result.returncode, result.stdout) == (1, "")
    assert is_one_line(result)


def test_a_traceback_only_on_demand(tmp_path: Path) -> None:
    assert "Traceback" in triage("--debug", "worklist", home=tmp_path / "none").stderr


def test_an_empty_worklist_is_an_empty_array(home: Path) -> None:
    result = triage("worklist", "--json", home=home)
    assert (result.returncode, json.loads(result.stdout), result.stderr) == (0, [], "")


def test_the_settings_in_force_as_json(home: Path) -> None:
    result = triage("config", "show", "--json", home=home, TRIAGE_WEB__PORT="9000")
    shown = json.loads(result.stdout)
    assert result.returncode == 0
    assert set(shown) == set(known_keys())
    assert (shown["web.port"], shown["policy.head_start.flagged"]) == (9000, 86400.0)


def test_check_answers_with_a_mark_words_and_a_remedy(home: Path) -> None:
    result = triage("check", "--json", home=home)
    findings = json.loads(result.stdout)
    assert {tuple(finding) for finding in findings} == {("mark", "subject", "words", "remedy")}
    assert {"home", "disk", "database", "archive", "sandbox"} <= {one["subject"] for one in findings}
    failed = [one for one in findings if one["mark"] == "FAIL"]
    assert result.returncode == (1 if failed else 0)


def test_check_says_when_the_disk_is_below_its_floor(home: Path) -> None:
    result = triage("check", "--json", home=home, TRIAGE_STORAGE__FLOOR_BYTES=str(1 << 60))
    assert result.returncode == 1
    assert ("FAIL", "disk") in {(one["mark"], one["subject"]) for one in json.loads(result.stdout)}


def test_check_says_why_no_film_can_be_opened_and_what_to_do(home: Path, tmp_path: Path) -> None:
    broken = "import os, sys\nif 'triage.sandbox' in sys.orig_argv:\n    os.write(2, b'no decoder\\n')\n    os._exit(1)\n"
    (tmp_path / "sitecustomize.py").write_text(broken)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = triage("check", "--json", home=home, PYTHONPATH=path)
    (found,) = [one for one in json.loads(result.stdout) if one["subject"] == "sandbox"]
    assert (result.returncode, found["mark"]) == (1, "FAIL")
    assert found["words"].endswith("does not start: no decoder")
    assert "requirements.lock" in found["remedy"]


def test_verifying_an_empty_home_finds_no_gap(home: Path) -> None:
    result = triage("verify", "--json", home=home)
    account = json.loads(result.stdout)
    assert (result.returncode, account["ok"], account["gaps"]) == (0, True, [])


def test_a_gap_makes_verify_exit_1(home: Path) -> None:
    planted = home / "instances" / "quarantine" / f"{'0' * 64}.dcm"
    planted.write_bytes(b"x")
    result = triage("verify", home=home)
    assert result.returncode == 1
    assert f"set_aside_not_accounted: {'0' * 64}" in result.stdout


def test_a_conflict_is_found_by_every_command_that_looks(home: Path) -> None:
    def told(*arguments: str) -> str:
        return CliRunner().invoke(app, [*arguments, "--home", str(home)], catch_exceptions=False).stdout

    site = open_site(load(home=home, environment={}))
    with site.database.write() as tx:
        tx.put_study(with_doubt(make.study("1.2.3"), Doubt.IDENTITY_CONFLICT, make.POLICY))
    (finding,) = doubts(load(home=home, environment={}))
    site.database.close()
    (row,) = json.loads(told("worklist", "--json"))
    assert row["doubt"] == "identity_conflict"
    assert "another patient's film" in row["why"]
    assert "another patient's film" in told("study", "1.2.3")
    assert json.loads(told("verify", "--json"))["doubts"] == [{"what": "identity_conflict", "subject": "1.2.3"}]
    assert "0 set aside" in told("quarantine")
    assert (finding.mark, finding.subject) == ("WARN", "set aside")


def test_migrating_says_from_where_to_where(home: Path, tmp_path: Path) -> None:
    assert "already" in triage("migrate", home=home).stdout
    assert "empty ->" in triage("migrate", home=tmp_path / "new").stdout


def test_sending_nothing_exits_1(tmp_path: Path) -> None:
    result = triage("send", str(tmp_path), home=tmp_path)
    assert result.returncode == 1
    assert is_one_line(result)
