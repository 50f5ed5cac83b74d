"""``triage quarantine`` on a home: list, look, release, discard."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests import films
from tests.unit.services.world import World
from triage.bootstrap import open_site
from triage.cli import app
from triage.cli.checks import films as films_checked
from triage.cli.common import operator
from triage.config import load
from triage.domain.audit import Action
from triage.domain.errors import DataSetMismatch, DecisionRefused

FIRST, AGAIN = films.film(bright=0.1), films.film(bright=0.9)
DIGEST = films.digest(AGAIN)
GREY = ("--as", "Dr Grey", "--because", "the first was cut off")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one film and one that was refused."""
    site = open_site(load(home=tmp_path / "home", environment={}), create=True)
    world = World(site.archive, site.database)
    world.store(FIRST)
    with pytest.raises(DataSetMismatch):
        world.store(AGAIN)
    while world.step():
        pass
    site.database.close()
    return tmp_path / "home"


def told(home: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def rows(home: Path, *arguments: str) -> Any:
    return json.loads(told(home, "quarantine", *arguments, "--json"))


def test_what_lies_set_aside_is_listed_and_shown(home: Path) -> None:
    assert f"instances/quarantine/{DIGEST}.dcm" in told(home, "quarantine")
    (row,) = rows(home)
    assert (row["digest"], row["decision"], row["study_instance_uid"]) == (DIGEST, None, "1.2.3")
    shown = json.loads(told(home, "quarantine", "show", DIGEST[:8], "--json"))
    assert (shown["whole"], shown["studies"]) == (True, ["1.2.3"])
    assert f"triage quarantine release {DIGEST}" in told(home, "quarantine", "show", DIGEST)


def test_a_release_puts_the_first_aside_and_is_audited(home: Path) -> None:
    assert "1.2.3" in told(home, "quarantine", "release", DIGEST[:12], *GREY)
    (row,) = rows(home)
    assert row["digest"] == films.digest(FIRST)
    decided = {one["digest"]: one for one in rows(home, "--all")}[DIGEST]
    assert (decided["decision"], decided["decided_by"]) == ("released", "Dr Grey")
    assert decided["because"] == "the first was cut off"
    site = open_site(load(home=home, environment={}))
    with site.database.read() as tx:
        record = tx.latest_audit(Action.QUARANTINE)
    site.database.close()
    assert record is not None
    assert (record.actor, record.entry.details["by"]) == ("Dr Grey", operator())
    assert json.loads(told(home, "verify", "--json"))["gaps"] == []


def test_a_discard_leaves_its_row(home: Path) -> None:
    assert DIGEST in told(home, "quarantine", "discard", DIGEST, *GREY)
    assert rows(home) == []
    assert "discarded by Dr Grey" in told(home, "quarantine", "--all")
    assert "0 set aside" in told(home, "quarantine")
    assert not (home / "instances" / "quarantine" / f"{DIGEST}.dcm").exists()
    assert json.loads(told(home, "worklist", "--json"))[0]["doubt"] is None
    assert json.loads(told(home, "verify", "--json"))["gaps"] == []


@pytest.mark.parametrize("missing", [("--as", "x"), ("--because", "x")])
def test_nobody_decides_without_saying_who_and_why(home: Path, missing: tuple[str, str]) -> None:
    assert told(home, "quarantine", "release", DIGEST, *missing, code=2) == ""


def test_an_unknown_digest_has_the_remedy(home: Path) -> None:
    with pytest.raises(DecisionRefused, match="see: triage quarantine"):
        told(home, "quarantine", "show", "c0ffee")


def test_damage_that_verify_finds_is_seen_everywhere(home: Path) -> None:
    settings = load(home=home, environment={})
    assert [one.mark for one in films_checked(settings)] == ["ok"]
    path = home / "instances" / "objects" / films.digest(FIRST)[:2] / f"{films.digest(FIRST)}.dcm"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    told(home, "quarantine", "discard", DIGEST, *GREY)
    out = told(home, "verify", code=1)
    assert "digest_differs: 1.2.3.1.1 -> send the film again" in out
    (row,) = json.loads(told(home, "worklist", "--json"))
    assert (row["level"], row["reason"], row["doubt"]) == ("not_assessed", "film_damaged", "film_damaged")
    assert [one.mark for one in films_checked(settings)] == ["FAIL"]


def test_a_period_that_cannot_be_kept_is_told(home: Path) -> None:
    many = load(
        home=home, environment={"TRIAGE_STORAGE__SCRUB_EVERY": "30 d", "TRIAGE_STORAGE__SCRUB_SLICE_BYTES": str(1 << 20)}
    )
    site = open_site(many)
    with site.database.write() as tx:
        (one,) = tx.all_instances()
        tx.remove_instance(one.sop_instance_uid)
        tx.add_instance(replace(one, size_bytes=1 << 50))
    site.database.close()
    assert [(one.mark, one.subject) for one in films_checked(many)] == [("WARN", "scrub")]
