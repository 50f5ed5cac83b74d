"""An upgrade and the way back: nothing is lost that nobody agreed to lose, and nothing begins while somebody is at work."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import films
from tests.unit.database.test_reading_migration import first_release, upgrade
from tests.unit.domain import make
from triage.bootstrap import open_site
from triage.bootstrap import upgrade as module
from triage.cli import app
from triage.clock import utc_now
from triage.config import Settings, load
from triage.database.engine import open_engine
from triage.database.schema import newest, steps_after
from triage.database.sqlite import sqlite_url
from triage.database.way_back import ANCHOR, BEFORE, KEPT
from triage.domain.errors import BackupError, ConfigError, DatabaseOutdated
from triage.domain.role import STOPPED, RoleStatus
from triage.services.reconcile import reconcile
from triage.services.verify import verify

FORMER = [None, *steps_after(None)[:-1]]
HOSPITAL = ("0001", "0007_senders", "0014_orders", FORMER[-1])
FILM = films.film("9.1", "9.1.1.1", rows=8, columns=8)


def settings_of(home: Path) -> Settings:
    return load(home=home, environment={})


def old(home: Path, revision: str) -> Path:
    """A site of a former version with four studies."""
    home.mkdir()
    engine = open_engine(sqlite_url(home / "triage.db"))
    first_release(engine)
    upgrade(engine, revision)
    engine.dispose()
    return home / "triage.db"


def content(database: Path) -> dict[str, str]:
    """Every table's rows, by digest."""
    with closing(sqlite3.connect(database)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}"))) for name in names}
    return {name: sha256("\n".join(found).encode()).hexdigest() for name, found in rows.items()}


def studies(database: Path) -> list[tuple[object, ...]]:
    columns = "study_instance_uid, arrived_at, network_level, probability, reading_state, reader"
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(f"SELECT {columns} FROM study ORDER BY 1").fetchall()


@pytest.mark.parametrize("revision", HOSPITAL)
def test_there_and_back_again_every_row_is_as_it_was(tmp_path: Path, revision: str) -> None:
    database = old(tmp_path / "home", revision)
    settings, before, rows = settings_of(tmp_path / "home"), content(database), studies(database)
    met = module.preflight(settings)
    assert (met.revision, met.needed, met.in_the_way, met.way_back) == (revision, newest(), [], None)
    assert met.steps[-1] == newest()
    with pytest.raises(DatabaseOutdated, match="triage migrate"):
        open_site(settings)
    assert content(database) == before, "looking changes nothing"

    done, copy = module.upgrade(settings)
    assert done.steps == met.steps
    assert copy is not None
    assert content(copy.path) == before
    assert studies(database) == rows
    open_site(settings).database.close()

    found = module.way_back(settings, accept_loss=True)
    assert (found.revision, found.to) == (newest(), revision)
    assert content(database) == before
    assert found.aside is not None
    assert studies(found.aside) == rows, "what was replaced is kept"
    module.upgrade(settings)
    assert studies(database) == rows


def test_what_came_since_is_lost_only_by_consent_and_films_never(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old(home, "0014_orders")
    settings = settings_of(home)
    module.upgrade(settings)
    site = open_site(settings)
    meta, data = films.split(FILM)
    incoming = site.archive.receive(meta, len(FILM))
    incoming.write(data)
    digest = incoming.sync()
    incoming.keep()
    reconcile(site.archive, site.database, make.POLICY, utc_now)
    site.database.close()

    with pytest.raises(ConfigError, match=r"instance \+1.*study \+1.*--accept-loss"):
        module.way_back(settings)
    done = module.way_back(settings, accept_loss=True)
    assert (done.since["instance"], done.since["study"]) == (1, 1)
    module.upgrade(settings)
    site = open_site(settings)
    gaps = {gap.subject for gap in verify(site.archive, site.database).gaps}
    assert digest in gaps, "the file stayed, without a row"
    assert reconcile(site.archive, site.database, make.POLICY, utc_now).adopted == [digest]
    assert {gap.subject for gap in verify(site.archive, site.database).gaps} == gaps - {digest}
    site.database.close()


def test_nothing_begins_while_a_role_is_at_work(tmp_path: Path) -> None:
    home = tmp_path / "home"
    module.upgrade(settings_of(home))
    site = open_site(settings_of(home))

    def signs(state: str, ago: timedelta) -> None:
        beat = utc_now() - ago
        with site.database.write() as transaction:
            transaction.put_role(RoleStatus(role="worker@one", pid=1, started_at=beat, beat_at=beat, state=state))

    shutil.copytree(home, home.with_name("copy"))  # so that there is a way back
    (home / BEFORE).mkdir()
    shutil.copy(old(tmp_path / "older", "0014_orders"), home / BEFORE / "0014_orders.db")
    signs("running", timedelta(0))
    assert module.preflight(settings_of(home)).in_the_way == ["the service runs (worker@one); stop it first, on every machine"]
    with pytest.raises(ConfigError, match=r"worker@one.*stop it"):
        module.way_back(settings_of(home), accept_loss=True)
    signs("running", timedelta(minutes=1))
    assert module.preflight(settings_of(home)).in_the_way == []
    signs(STOPPED, timedelta(0))
    assert module.preflight(settings_of(home)).in_the_way == []
    site.database.close()
    assert module.way_back(settings_of(home), accept_loss=True).to == "0014_orders"


def test_whoever_has_the_database_open_is_not_left_behind(tmp_path: Path) -> None:
    database = old(tmp_path / "home", "0014_orders")
    module.upgrade(settings_of(tmp_path / "home"))
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM study").fetchone()
        with pytest.raises(ConfigError, match="has the database open"):
            module.way_back(settings_of(tmp_path / "home"), accept_loss=True)
    assert module.preflight(settings_of(tmp_path / "home")).revision == newest()


def test_a_later_version_s_database_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old(home, "0014_orders")
    module.upgrade(settings_of(home))
    with closing(sqlite3.connect(home / "triage.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_later'")
    before = content(home / "triage.db")
    (words,) = module.preflight(settings_of(home)).in_the_way
    assert "later version" in words
    with pytest.raises(ConfigError, match="later version"):
        module.upgrade(settings_of(home))
    assert content(home / "triage.db") == before
    assert module.way_back(settings_of(home), accept_loss=True).to == "0014_orders", "the way back needs no knowledge of it"


def test_too_little_room_is_in_the_way() -> None:
    assert list(module._no_room(100 << 20, 200 << 20)) == ["210 MB are free beside the database, 331 MB are needed; make room"]
    assert list(module._no_room(100 << 20, 400 << 20)) == list(module._no_room(None, None)) == []


def test_a_damaged_copy_replaces_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    database = old(home, "0014_orders")
    _, copy = module.upgrade(settings_of(home))
    assert copy is not None
    raw = bytearray(copy.path.read_bytes())
    raw[8192:16384] = b"\xff" * 8192
    copy.path.write_bytes(raw)
    before = content(database)
    with pytest.raises((BackupError, ConfigError)):
        module.way_back(settings_of(home), accept_loss=True)
    assert content(database) == before


def test_the_audit_s_anchor_goes_along_and_old_copies_go(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for number, revision in enumerate(("0001", "0007_senders", "0011_scrub", "0014_orders")):
        shutil.rmtree(tmp_path / "next", ignore_errors=True)
        home.mkdir(exist_ok=True)
        shutil.copy(old(tmp_path / "next", revision), home / "triage.db")
        (home / ANCHOR).write_text(f"{number}\n")
        module.upgrade(settings_of(home))
    assert sorted(path.stem for path in (home / BEFORE).glob("*.db")) == ["0007_senders", "0011_scrub", "0014_orders"]
    assert len(list((home / BEFORE).iterdir())) == 2 * KEPT
    (home / ANCHOR).write_text("later\n")
    module.way_back(settings_of(home), accept_loss=True)
    assert (home / ANCHOR).read_text() == "3\n"


def test_what_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def told(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["migrate", *arguments, "--home", str(home)])
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout

    old(home, "0016_leases")
    assert told("--check").splitlines()[-1] == "ready: triage migrate"
    assert json.loads(told("--check", "--json"))["steps"] == [newest()]
    assert "migrate --back" in told()
    assert told("--check").splitlines()[-1] == "nothing to do"
    assert "already" in told()
    done = CliRunner().invoke(app, ["migrate", "--back", "--check", "--home", str(home)])
    assert isinstance(done.exception, ConfigError)
    assert told("--back").splitlines()[-1].startswith("now start the version")
    assert json.loads(told("--json"))["after"] == newest()
