"""The schema is what the migrations make; SQLite is opened as durability needs it; the tables refuse what must not be."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from tests.unit.database.stores import sql_database
from tests.unit.domain import make
from triage.database import sqlite as module
from triage.database.audit import about_query, newest_query
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import MIGRATIONS, differences, ensure, migrate, newest, present, revisions
from triage.database.sqlite import sqlite_url
from triage.database.upkeep import longest_unchecked_query
from triage.database.worklist import claims_query, patient_query, senders_query, worklist_query
from triage.domain.audit import Action, AuditFilter
from triage.domain.errors import ConfigError, DatabaseOutdated, IndexUnavailable
from triage.domain.level import Level
from triage.domain.reason import Reason


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    database = sql_database(tmp_path)
    yield database
    database.close()


def run(database: SqlDatabase, statement: str) -> None:
    with database.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(statement)


def test_the_migrations_make_the_schema_of_the_tables(database: SqlDatabase) -> None:
    assert differences(database.engine) == []
    assert present(database.engine) == newest()


def test_the_revisions_are_those_of_alembic_in_its_order() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert revisions() == tuple(step.revision for step in script.walk_revisions())[::-1]
    assert newest() == script.get_current_head()


@pytest.mark.parametrize(
    "change",
    ["DROP INDEX ix_study_reading_order", "ALTER TABLE study ADD COLUMN mood TEXT", "DROP TABLE quarantined"],
)
def test_a_planted_difference_is_found(database: SqlDatabase, change: str) -> None:
    run(database, change)
    assert differences(database.engine)


def test_migrating_twice_changes_nothing(database: SqlDatabase) -> None:
    assert migrate(database.engine) == (newest(), newest())
    assert differences(database.engine) == []


def test_a_schema_of_another_version_is_refused(database: SqlDatabase) -> None:
    run(database, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(DatabaseOutdated, match="triage migrate"):
        ensure(database.engine)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("synchronous", "NORMAL"), ("synchronous", "OFF"), ("journal_mode", "DELETE"), ("foreign_keys", "OFF")],
)
def test_a_pragma_that_does_not_read_back_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pragma: str, value: str
) -> None:
    monkeypatch.setitem(module.PRAGMAS, pragma, (value, module.PRAGMAS[pragma][1]))
    with pytest.raises(ConfigError, match=pragma):
        open_engine(sqlite_url(tmp_path / "x.db"))


def test_every_connection_of_the_pool_carries_the_pragmas(database: SqlDatabase) -> None:
    with database.engine.connect() as first, database.engine.connect() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


@pytest.mark.parametrize("url", ["sqlite://", "mysql://x", "sqlite:///:memory:"])
def test_a_database_that_cannot_be_durable_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        open_engine(url)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "triage.db"
    path.write_bytes(b"this is no database, whatever its name says " * 100)
    with pytest.raises((ConfigError, IndexUnavailable)):
        open_engine(sqlite_url(path))


def put(database: SqlDatabase, **columns: Any) -> None:
    """A pending study in the table, some columns changed by hand."""
    with database.write() as tx:
        tx.put_study(make.study("1.1"))
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    with database.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE study SET " + assignments, columns)


@pytest.mark.parametrize(
    "columns",
    [
        {"network_level": "not_flagged", "level": "not_flagged"},
        {"network_level": "flagged", "level": "flagged"},
        {"network_level": "not_assessed", "level": "not_assessed"},
        {"network_level": "not_assessed", "level": "not_assessed", "reason": "no_model", "probability": 0.1},
        {"network_level": "stat", "level": "stat"},
        {"network_level": "normal", "level": "normal"},
        {"network_level": "flagged", "level": "flagged", "probability": 1.5},
        {"network_level": "flagged", "level": "not_flagged", "probability": 0.9},
        {"probability": 0.5},
        {"reason": "numeric"},
        {"stat": 1},
        {"key": 5},
        {"network_level": "not_flagged", "level": "not_flagged", "probability": 0.1, "doubt": "identity_conflict"},
        {"network_level": "out_of_scope", "level": "out_of_scope", "reason": "no_image", "doubt": "film_set_aside"},
        {"head_start": 5},
    ],
    ids=str,
)
def test_the_table_refuses_what_must_not_be(database: SqlDatabase, columns: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        put(database, **columns)


def test_the_table_takes_an_assessed_study(database: SqlDatabase) -> None:
    put(database, network_level="not_flagged", level="not_flagged", probability=0.1)
    with database.read() as tx:
        assert [study.level for study in tx.worklist()] == [Level.NOT_FLAGGED]


def test_an_impossible_study_is_refused_as_our_own_mistake(database: SqlDatabase) -> None:
    impossible = replace(make.study(), network_level=Level.NOT_FLAGGED, reason=Reason.NUMERIC)
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.put_study(impossible)


@pytest.mark.parametrize("limit", [None, 50])
def test_the_reading_order_comes_from_an_index_without_a_sort(database: SqlDatabase, limit: int | None) -> None:
    query = worklist_query(limit, include_read=False).compile(
        dialect=database.engine.dialect, compile_kwargs={"literal_binds": True}
    )
    with database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
    assert "ix_study_reading_order" in plan
    assert "TEMP B-TREE" not in plan


def test_writers_begin_immediate_and_readers_do_not(database: SqlDatabase) -> None:
    statements: list[str] = []
    listen: Callable[..., Any] = event.listens_for(database.engine, "before_cursor_execute")

    @listen
    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    with database.write():
        pass
    with database.read():
        pass
    assert [statement for statement in statements if statement.startswith("BEGIN")] == ["BEGIN IMMEDIATE", "BEGIN DEFERRED"]


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlDatabase]:
    """A database whose writers wait a twentieth of a second for each other."""
    monkeypatch.setitem(module.PRAGMAS, "busy_timeout", ("50", 50))
    database = sql_database(tmp_path)
    yield database
    database.close()


def test_a_held_lock_means_that_the_index_is_unavailable(impatient: SqlDatabase) -> None:
    with impatient.write() as holder:
        with pytest.raises(IndexUnavailable), impatient.write():
            pass
        with impatient.read() as tx:
            assert tx.worklist() == []
        holder.put_study(make.study())
    with impatient.read() as tx:
        assert len(tx.worklist()) == 1


def test_an_error_of_the_database_quotes_no_parameters(impatient: SqlDatabase) -> None:
    run(impatient, "DROP TABLE study")
    with pytest.raises(IndexUnavailable) as caught, impatient.write() as tx:
        tx.put_study(make.study())
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("issuer", [None, "here"])
def test_a_patients_studies_come_from_an_index_without_a_sort(database: SqlDatabase, issuer: str | None) -> None:
    query: Any = patient_query("P", issuer, 50).compile(dialect=database.engine.dialect)
    bound = tuple(query.params[name] for name in query.positiontup)
    with database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", bound))
    assert "ix_study_patient (patient_id=? AND issuer_of_patient_id=?)" in plan
    assert "TEMP B-TREE" not in plan


def test_the_claims_of_a_reader_come_from_an_index_of_claims(database: SqlDatabase) -> None:
    query: Any = claims_query("anna").compile(dialect=database.engine.dialect)
    bound = tuple(query.params[name] for name in query.positiontup)
    with database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", bound))
    assert "ix_study_claims (reader=?)" in plan


def test_whether_a_view_is_noted_comes_from_the_index_of_its_subject(database: SqlDatabase) -> None:
    query: Any = about_query("1.2.3", Action.VIEW, "dr", "{}").compile(dialect=database.engine.dialect)
    bound = tuple(query.params[name] for name in query.positiontup)
    with database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", bound))
    assert "ix_audit_subject (subject=?)" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (AuditFilter(), "sqlite_autoindex_audit_1"),
        (AuditFilter(action="view"), "ix_audit_action (action=?"),
        (AuditFilter(actor="anna"), "ix_audit_actor (actor=?"),
        (AuditFilter(subject="1.2"), "ix_audit_subject (subject=?"),
        (AuditFilter(since=make.NOW, until=make.NOW), "sqlite_autoindex_audit_1"),
    ],
)
def test_the_audits_newest_records_come_from_an_index_without_a_sort(
    database: SqlDatabase, asked: AuditFilter, index: str
) -> None:
    for before in (None, 50):
        query: Any = newest_query(asked, before, 100).compile(dialect=database.engine.dialect)
        with database.engine.connect() as connection:
            bound = tuple(0 for _ in query.positiontup)  # a plan does not depend on the values
            plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", bound))
        assert index in plan
        assert "TEMP B-TREE" not in plan


def test_senders_come_from_an_index_alone(database: SqlDatabase) -> None:
    query = senders_query().compile(dialect=database.engine.dialect)
    with database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
    assert plan == "SCAN instance USING COVERING INDEX ix_instance_sender"


def test_the_scrubs_next_films_are_found_without_a_sort(database: SqlDatabase) -> None:
    with database.engine.connect() as connection:
        query = longest_unchecked_query(10).compile(connection, compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    assert plan == ["SCAN instance USING INDEX ix_instance_checked"]
