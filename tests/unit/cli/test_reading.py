"""``triage read`` and ``triage audit`` as people type them."""

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.cli.test_commands import home, is_one_line, triage
from tests.unit.domain import make
from triage.bootstrap import open_site
from triage.cli import app
from triage.cli.common import operator
from triage.config import load
from triage.domain.errors import AuditBroken, TriageError

__all__ = ["home"]
UID = "1.2.3"


@pytest.fixture
def room(home: Path) -> Path:
    """A home with one study."""
    database = open_site(load(home=home, environment={})).database
    with database.write() as tx:
        tx.put_study(make.study(UID))
    database.close()
    return home


def test_reading_from_a_script(room: Path) -> None:
    done = triage("read", UID, "--as", "Dr Grey", "--agree", "--note", "old fracture", home=room)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{UID}: read by Dr Grey, agree\n", "")
    record = json.loads(triage("study", UID, "--json", home=room).stdout)
    assert (record["reading"]["state"], record["reading"]["verdict"]) == ("read", "agree")
    assert record["readings"][0]["note"] == "old fracture"
    database = open_site(load(home=room, environment={})).database
    with database.read() as tx:
        (noted,) = [one.entry for one in tx.audit() if one.action == "read"]
    database.close()
    assert (noted.actor, noted.details["by"]) == ("Dr Grey", operator())
    again = triage("read", UID, "--as", "other", home=room)
    assert again.returncode == 1
    assert is_one_line(again)
    assert "Dr Grey read it already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["9.9", "--as", "dr"], 1, "no study has this UID"),
        ([UID, "--as", "dr", "--agree", "--disagree"], 2, "one of --agree"),
        ([UID], 2, "--as"),
        ([UID, "--as", " "], 1, "printable characters"),
    ],
)
def test_what_is_refused(room: Path, arguments: list[str], code: int, says: str) -> None:
    result = triage("read", *arguments, home=room)
    assert result.returncode == code
    assert says in result.stderr
    assert code == 2 or is_one_line(result)


def test_the_audit_is_verified_exported_and_a_change_found(room: Path, tmp_path: Path) -> None:
    triage("read", UID, "--as", "dr", "--disagree", home=room)
    whole = triage("audit", "verify", "--json", home=room)
    assert whole.returncode == 0
    assert {name: json.loads(whole.stdout)[name] for name in ("ok", "records", "broken")} == {
        "ok": True,
        "records": 1,
        "broken": None,
    }
    assert len((room / "audit.head").read_text().splitlines()) == 1
    (tmp_path / "kept.head").write_bytes((room / "audit.head").read_bytes())

    file = tmp_path / "audit.jsonl"
    assert triage("audit", "export", str(file), home=room).returncode == 0
    (line,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert (line["actor"], line["action"], line["subject"]) == ("dr", "read", UID)
    refused = triage("audit", "export", str(file), home=room)
    assert refused.returncode == 1
    assert is_one_line(refused)

    database = sqlite3.connect(room / "triage.db")
    database.execute("DROP TRIGGER audit_no_update")
    database.execute("UPDATE audit SET actor = 'nobody' WHERE sequence = 1")
    database.commit()
    database.close()
    broken = triage("audit", "verify", home=room)
    assert broken.returncode == 1
    assert is_one_line(broken)
    assert "record 1" in broken.stderr
    told = triage("audit", "verify", "--json", home=room)
    assert (told.returncode, json.loads(told.stdout)["broken"]["sequence"], told.stderr) == (1, 1, "")


def test_a_copy_of_the_heads_finds_what_was_cut_off_with_its_notes(room: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> int:
        return CliRunner().invoke(app, [*arguments, "--home", str(room)], catch_exceptions=False).exit_code

    assert run("read", UID, "--as", "dr") == 0
    assert run("audit", "verify") == 0
    kept = tmp_path / "kept.head"
    (room / "audit.head").rename(kept)
    database = sqlite3.connect(room / "triage.db")
    for trigger in ("audit_no_delete", "audit_head_only_forward"):
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute("DELETE FROM audit")
    database.execute("UPDATE audit_head SET sequence = 0, digest = ?", ("0" * 64,))
    database.commit()
    database.close()
    assert run("audit", "verify") == 0, "nothing is left that could tell"
    with pytest.raises(AuditBroken, match="anchored"):
        run("audit", "verify", "--anchor", str(kept))
    with pytest.raises(TriageError, match="no such file"):
        run("audit", "verify", "--anchor", str(tmp_path / "none"))
