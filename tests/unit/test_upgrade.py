"""An upgrade and the way back: nothing is lost that nobody agreed to lose, and nothing begins while somebody is at work."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import delete, insert
from typer.testing import CliRunner

from tests import films, postgres
from tests.unit.database.test_every_upgrade import filled, of_the_same_columns
from tests.unit.database.test_reading_migration import first_release, upgrade
from tests.unit.domain import make
from triage.bootstrap import open_site
from triage.bootstrap import upgrade as module
from triage.cli import app
from triage.clock import utc_now
from triage.config import Settings, load
from triage.database.alive import alive
from triage.database.copying import copy_database, restore_database
from triage.database.engine import open_engine
from triage.database.schema import migrate, newest, present, steps_after
from triage.database.since import Difference
from triage.database.sqlite import sqlite_url
from triage.database.tables import role
from triage.database.way_back import AFTER, ANCHOR, BEFORE, KEPT, take
from triage.domain.errors import BackupError, ConfigError, DatabaseOutdated, IndexUnavailable
from triage.domain.role import STOPPED, RoleStatus
from triage.services.reconcile import reconcile
from triage.services.verify import verify

HOSPITAL = ("0001", "0014_orders")
FILM = films.film("9.1", "9.1.1.1", rows=8, columns=8)


def settings_of(home: Path) -> Settings:
    return load(home=home, environment={})


@cache
def template(revision: str) -> bytes:
    with TemporaryDirectory() as folder:
        engine = open_engine(sqlite_url(Path(folder) / "triage.db"))
        first_release(engine)
        upgrade(engine, revision)
        engine.dispose()
        return (Path(folder) / "triage.db").read_bytes()


def old(home: Path, revision: str) -> Path:
    """A site of a former version with four studies."""
    home.mkdir()
    (home / "triage.db").write_bytes(template(revision))
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

    found = module.way_back(settings)
    assert (found.revision, found.to, found.lost) == (newest(), revision, {}), "what the upgrade itself did is no loss"
    assert content(database) == before
    assert {path.name for path in database.parent.iterdir()} == {"triage.db", "instances", BEFORE, AFTER}, "nothing else stays"
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

    with pytest.raises(ConfigError, match=r"instance: 1 new.*study: 1 new.*--accept-loss"):
        module.way_back(settings)
    done = module.way_back(settings, accept_loss=True)
    assert (done.lost["instance"], done.lost["study"]) == (Difference(new=1), Difference(new=1))
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


def test_a_version_that_meets_another_ones_database_says_what_to_do(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old(home, "0014_orders")
    with pytest.raises(DatabaseOutdated, match=r"0014_orders, this version needs \w+; back up, then run: triage migrate$"):
        open_site(settings_of(home))
    with closing(sqlite3.connect(home / "triage.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_later'")
    with pytest.raises(DatabaseOutdated, match=r"9999_later, of a later version.*install that version"):
        open_site(settings_of(home))


def test_what_is_only_changed_counts_as_a_loss_too(tmp_path: Path) -> None:
    """No row more and no row less: a claim, a study that went for one that came, a scrub, a beat."""
    home = tmp_path / "home"
    database = old(home, "0014_orders")
    module.upgrade(settings_of(home))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE instance SET checked_at = 1")
        connection.execute("UPDATE worklist_revision SET revision = revision + 1")
    assert module.way_back(settings_of(home)).lost == {}
    module.upgrade(settings_of(home))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE study SET reading_state = 'claimed', reader = 'dr' WHERE study_instance_uid = '1.4'")
        connection.execute("DELETE FROM reading WHERE study_instance_uid = '1.1'")
        connection.execute("UPDATE study SET study_instance_uid = '1.9' WHERE study_instance_uid = '1.1'")
    with pytest.raises(ConfigError, match=r"\(reading: 1 gone; study: 1 new, 1 changed, 1 gone\)"):
        module.way_back(settings_of(home))


def test_nobody_writes_between_the_copy_and_the_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    database = old(home, "0014_orders")
    refused: list[str] = []

    def taken(*arguments: Any) -> Any:
        copy = take(*arguments)
        with closing(sqlite3.connect(database, timeout=0)) as other:
            try:
                other.execute("DELETE FROM study")
            except sqlite3.OperationalError as error:
                refused.append(str(error))
        return copy

    monkeypatch.setattr(module, "take", taken)
    module.upgrade(settings_of(home))
    assert refused == ["database is locked"]
    assert len(studies(database)) == 4


def test_a_role_that_starts_meanwhile_and_another_upgrade_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    database = old(home, "0014_orders")
    met = module.preflight(settings_of(home))
    monkeypatch.setattr(module, "preflight", lambda settings: met)
    statement = "INSERT INTO role (role, pid, started_at, beat_at, state, restarts) VALUES ('intake', 1, 0, ?, 'running', 0)"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement, (int(utc_now().timestamp() * 1e6),))
    with pytest.raises(ConfigError, match=r"runs \(intake\)"):
        module.upgrade(settings_of(home))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0016_leases'")
    with pytest.raises(ConfigError, match="somebody else upgrades"):
        module.upgrade(settings_of(home))
    assert not (home / BEFORE).exists()


def test_a_disk_that_fills_up_on_the_way_changes_nothing_and_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    database = old(home, "0014_orders")
    before = content(database)

    def bounded(*arguments: Any) -> Any:
        with closing(sqlite3.connect(database)) as reader:
            pages = reader.execute("PRAGMA page_count").fetchone()[0]
        found = alive(*arguments)
        arguments[0].exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
        return found

    monkeypatch.setattr(module, "alive", bounded)
    with pytest.raises(IndexUnavailable, match=r"nothing was changed \(database or disk is full\)"):
        module.upgrade(settings_of(home))
    monkeypatch.undo()
    assert content(database) == before
    assert module.upgrade(settings_of(home))[0].revision == "0014_orders"


def test_too_little_room_is_in_the_way(tmp_path: Path) -> None:
    file, most = tmp_path / "triage.db", shutil.disk_usage(tmp_path).free
    assert list(module._no_room(tmp_path, file, 1 << 20)) == list(module._no_room(tmp_path, None, most)) == []
    (words,) = module._no_room(tmp_path, file, most // 3 + module.MINIMUM)
    assert f"free in {tmp_path}" in words, "the copy counts too, where it lies beside the database"
    if (other := Path("/dev/shm")).stat().st_dev != tmp_path.stat().st_dev:
        (words,) = module._no_room(other, file, shutil.disk_usage(other).free + module.MINIMUM)
        assert f"free in {other}" in words


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
    for number, revision in enumerate(("0007_senders", "0011_scrub", "0014_orders", "0016_leases")):
        shutil.rmtree(tmp_path / "next", ignore_errors=True)
        home.mkdir(exist_ok=True)
        shutil.copy(old(tmp_path / "next", revision), home / "triage.db")
        (home / ANCHOR).write_text(f"{number}\n")
        module.upgrade(settings_of(home))
    assert sorted(path.stem for path in (home / BEFORE).glob("*.db")) == ["0011_scrub", "0014_orders", "0016_leases"]
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
    assert told("--check", code=1).splitlines()[-1] == "ready: triage migrate"
    looked = json.loads(told("--check", "--json", code=1))
    assert (looked["revision"], looked["steps"], looked["at_work"], looked["in_the_way"]) == ("0016_leases", [newest()], [], [])
    assert looked["free_bytes"] > looked["database_bytes"] > 0
    assert set(looked["versions"]) == {"triage", "python", "sqlite"}
    assert "migrate --back" in told()
    assert told("--check").splitlines()[-1] == "nothing to do"
    assert "already" in told()
    done = CliRunner().invoke(app, ["migrate", "--back", "--check", "--home", str(home)])
    assert isinstance(done.exception, ConfigError)
    assert told("--back").splitlines()[-1].startswith("now start the version")
    assert json.loads(told("--json"))["after"] == newest()


@pytest.mark.skipif(not postgres.INSTALLED, reason="no PostgreSQL")
@pytest.mark.soak
def test_of_postgresql_it_looks_and_upgrades_and_the_dump_is_the_way_back(tmp_path: Path) -> None:
    url = postgres.shared().create()
    settings = load(home=tmp_path, environment={}, overrides={"database_url": url})
    engine = open_engine(url)
    migrate(engine, to="0014_orders")
    before = filled(engine, 1)
    dump = copy_database(url, tmp_path)
    met = module.preflight(settings)
    assert (met.revision, met.steps, met.in_the_way) == ("0014_orders", steps_after("0014_orders"), [])
    assert met.versions["postgresql"]
    with engine.connect().execution_options(begin="IMMEDIATE") as connection, connection.begin():
        connection.execute(
            insert(role).values(role="worker@b", pid=1, started_at=utc_now(), beat_at=utc_now(), state="running", restarts=0)
        )
    with pytest.raises(ConfigError, match=r"worker@b.*on every machine"):
        module.upgrade(settings)
    with engine.connect().execution_options(begin="IMMEDIATE") as connection, connection.begin():
        connection.execute(delete(role).where(role.c.role == "worker@b"))
    assert module.upgrade(settings)[1] is None
    assert of_the_same_columns(engine, before) == before
    assert module.preflight(settings).nothing_to_do
    with pytest.raises(ConfigError, match="restore the dump"):
        module.way_back(settings)
    engine.dispose()

    url = postgres.shared().create()
    restore_database(dump, url)
    engine = open_engine(url)
    assert present(engine) == "0014_orders"
    assert of_the_same_columns(engine, before) == before
    engine.dispose()
