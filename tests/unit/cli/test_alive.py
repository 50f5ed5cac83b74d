"""``triage alive``: what probes are told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.web import scene
from triage.bootstrap import open_site
from triage.cli import app
from triage.cli.checks_roles import processes
from triage.cli.finding import OK, WARN
from triage.config import load
from triage.domain.errors import ConfigError


def ask(home: Path, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["alive", *arguments, "--home", str(home)], env=environment)
    return done.exit_code, done.output


def beats(home: Path, **changes: object) -> None:
    site = open_site(load(home=home, environment={}), create=True)
    (worker,) = (one for one in scene.roles(datetime.now(UTC)) if one.role == "worker")
    scene.put_roles(site.database, [replace(worker, **changes)])  # type: ignore[arg-type]
    site.database.close()


def test_a_role_that_beats_is_alive(tmp_path: Path) -> None:
    beats(tmp_path)
    code, told = ask(tmp_path, "worker")
    assert (code, told.startswith("worker: running, ")) == (0, True)
    assert ask(tmp_path, "intake") == (1, "intake: no sign of life yet\n")


@pytest.mark.parametrize("changes", [{"state": "stopped"}, {"beat_at": datetime.now(UTC) - timedelta(seconds=31)}])
def test_one_that_ended_or_is_silent_is_not(tmp_path: Path, changes: dict[str, object]) -> None:
    beats(tmp_path, **changes)
    assert ask(tmp_path, "worker")[0] == 1


def test_how_long_it_may_be_silent_is_asked(tmp_path: Path) -> None:
    beats(tmp_path, beat_at=datetime.now(UTC) - timedelta(seconds=60))
    assert (ask(tmp_path, "worker")[0], ask(tmp_path, "worker", "--within", "900")[0]) == (1, 0)


def test_each_machine_asks_of_its_own(tmp_path: Path) -> None:
    beats(tmp_path, role="worker@a")
    codes = [ask(tmp_path, "worker", environment={"TRIAGE_NODE": node})[0] for node in ("a", "b", "")]
    assert codes == [0, 1, 1]


def test_a_database_that_does_not_answer_says_nothing_of_the_role(tmp_path: Path) -> None:
    beats(tmp_path)
    (tmp_path / "triage.db").write_bytes(b"no database " * 1000)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"triage.db{suffix}").unlink(missing_ok=True)
    assert ask(tmp_path, "worker") == (0, "the database does not answer: cannot tell\n")


def test_check_names_who_is_silent_and_whose_clock_is_ahead(tmp_path: Path) -> None:
    settings = load(home=tmp_path, environment={})
    assert list(processes(settings)) == []
    beats(tmp_path, role="worker@a", beat_at=datetime.now(UTC) - timedelta(minutes=5))
    assert list(processes(settings)) == [], "nobody lives: it is not running"
    beats(tmp_path, role="worker@b")
    beats(tmp_path, role="worker@c", beat_at=datetime.now(UTC) + timedelta(hours=1, seconds=30))
    beats(tmp_path, role="worker@d", beat_at=datetime.now(UTC) - timedelta(days=2))
    assert [(one.mark, one.words) for one in processes(settings)] == [
        (OK, "1 give signs of life: worker@b"),
        (WARN, "worker@a has given no sign of life for 5 min"),
        (WARN, "the clock of worker@c is 1 h ahead of this machine's"),
    ]


def test_before_anything_was_started(tmp_path: Path) -> None:
    assert ask(tmp_path / "home", "worker")[0] == 1


@pytest.mark.parametrize("node", ["a@b", "-a", "a b", "x" * 64, "ä"])
def test_a_node_is_a_plain_name(tmp_path: Path, node: str) -> None:
    with pytest.raises(ConfigError, match="node"):
        load(home=tmp_path, environment={"TRIAGE_NODE": node})
