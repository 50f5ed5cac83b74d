"""A SQLite site moved to PostgreSQL: every row arrives, numbers go on, and what does not arrive as it was is noticed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from tests import films, postgres
from tests.size import size
from tests.unit.database.stores import postgres_database, sql_database
from tests.unit.domain.make import NOW
from tests.unit.services.world import World
from triage.archive.memory import MemoryArchive
from triage.database import move as moving
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import metadata
from triage.domain.audit import Action, AuditEntry
from triage.domain.errors import ConfigError

pytestmark = pytest.mark.skipif(not postgres.INSTALLED, reason="PostgreSQL is not installed")
STUDIES = size(5, 50)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(MemoryArchive(), sql_database(tmp_path))
    for number in range(STUDIES):
        assert world.store(films.film(f"1.2.{number}", f"1.2.{number}.1", patient_id=f"P{number}", patient_name="Müller^Ä"))
    while world.step():
        pass
    with world.database.write() as tx:
        tx.append_audit(AuditEntry(at=NOW, actor="dr", action=Action.VIEW, subject="1.2", details={}))
        tx.deliveries.register(["pacs"], NOW)
    return world


@pytest.fixture
def target() -> Iterator[SqlDatabase]:
    database = SqlDatabase(open_engine(postgres.shared().owned()))  # who moves owns the database, and has no other right
    yield database
    database.close()


def engine_of(world: World) -> SqlDatabase:
    assert isinstance(world.database, SqlDatabase)
    return world.database


def test_every_row_arrives_and_work_goes_on_there(world: World, target: SqlDatabase) -> None:
    moved = moving.move(engine_of(world).engine, target.engine)
    assert {one.table for one in moved} == set(metadata.tables)
    rows = {one.table: one.rows for one in moved}
    assert (rows["study"], rows["instance"], rows["outcome"], rows["result"]) == (STUDIES,) * 4
    with world.database.read() as before, target.read() as after:
        assert after.worklist(include_read=True) == before.worklist(include_read=True)
        assert list(after.audit()) == list(before.audit())
        assert after.jobs.states() == before.jobs.states()
    with pytest.raises(IntegrityError, match="append-only"), target.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit")
    there = World(world.archive, target)
    there.clock.forward(minutes=1)
    assert there.store(films.film("1.9", "1.9.1", patient_id="P9"))
    while there.step():
        pass
    with target.write() as tx:
        assert tx.deliveries.fan_out("pacs", NOW + timedelta(hours=1), 10) == 1
        tx.append_audit(AuditEntry(at=NOW, actor="dr", action=Action.VIEW, subject="1.2", details={}))


def test_only_into_an_empty_database(world: World, target: SqlDatabase) -> None:
    moving.move(engine_of(world).engine, target.engine)
    with pytest.raises(ConfigError, match="not empty"):
        moving.move(engine_of(world).engine, target.engine)


def test_what_arrives_otherwise_is_noticed_and_nothing_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    true = moving._rows
    calls: list[str] = []

    def lossy(connection, table):  # type: ignore[no-untyped-def]
        calls.append(table.name)
        rows = list(true(connection, table))
        return iter(rows[:-1] if table.name == "outcome" and calls.count("outcome") == 1 else rows)

    monkeypatch.setattr(moving, "_rows", lossy)
    database = postgres_database()
    with pytest.raises(moving.MoveFailed, match="table outcome"):
        moving.move(engine_of(world).engine, database.engine)
    with database.read() as tx:
        assert tx.worklist(include_read=True) == []
    database.close()
