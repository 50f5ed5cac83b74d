"""PostgreSQL itself: what is refused at the start, one writer at a time, the audit's triggers, and a server that goes away."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from tests import postgres
from tests.unit.database.stores import give_back, postgres_database
from tests.unit.domain import make
from tests.unit.domain.make import NOW, Clock
from triage.database import postgres as opening
from triage.database.anchor import FileAnchor
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import differences, ensure
from triage.domain.audit import Action, AuditEntry
from triage.domain.errors import AuditBroken, ConfigError, IndexUnavailable
from triage.services.audit import verify_audit

pytestmark = pytest.mark.skipif(not postgres.INSTALLED, reason="PostgreSQL is not installed")
RECORDS = 5
ANEW = "at, actor, action, subject, details, digest FROM audit WHERE sequence = 3"


@pytest.fixture
def database() -> Iterator[SqlDatabase]:
    database = postgres_database()
    yield database
    give_back(database)


def note(database: SqlDatabase) -> None:
    with database.write() as tx:
        tx.append_audit(AuditEntry(at=NOW, actor="dr", action=Action.VIEW, subject="1.2", details={}))


def test_the_migrations_make_the_tables(database: SqlDatabase) -> None:
    assert differences(database.engine) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'x' WHERE sequence = 3",
        "DELETE FROM audit WHERE sequence = 5",
        "TRUNCATE audit",
        f"INSERT INTO audit SELECT 0, {ANEW}",
        f"INSERT INTO audit SELECT 3, {ANEW} ON CONFLICT (sequence) DO UPDATE SET actor = 'x'",
        "UPDATE audit_head SET sequence = 7",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "INSERT INTO audit_head VALUES (2, 99, 'x')",
    ],
)
def test_it_refuses_to_change_what_was_recorded(database: SqlDatabase, tmp_path: Path, statement: str) -> None:
    for _ in range(RECORDS):
        note(database)
    with pytest.raises(IntegrityError, match="append-only"), database.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert verify_audit(database, FileAnchor(tmp_path / "audit.head"), Clock()).broken is None


def test_a_broken_audit_does_not_end_what_else_a_transaction_does(database: SqlDatabase) -> None:
    for _ in range(RECORDS):
        note(database)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("UPDATE audit_head SET sequence = 3")
    with database.write() as tx:
        tx.put_study(make.study("1.9"))
        with pytest.raises(AuditBroken):
            tx.append_audit(AuditEntry(at=NOW, actor="dr", action=Action.VIEW, subject="1.2", details={}))
    with database.read() as tx:
        assert tx.study("1.9") is not None


def test_one_writer_at_a_time_in_the_whole_system(database: SqlDatabase) -> None:
    other = SqlDatabase(open_engine(database.engine.url.render_as_string(hide_password=False)))
    seen: list[int] = []

    def raise_revision(mine: SqlDatabase) -> None:
        for _ in range(20):
            with mine.write() as tx:
                before = tx.revision()
                tx.put_study(make.study("1.2"))
                assert tx.revision() == before + 1
                seen.append(before)

    threads = [threading.Thread(target=raise_revision, args=(one,)) for one in (database, other) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(seen) == list(range(80))


def test_a_reader_sees_one_moment(database: SqlDatabase) -> None:
    with database.read() as tx:
        before = tx.revision()
        with database.write() as writer:
            writer.put_study(make.study("1.2"))
        assert tx.revision() == before
        assert tx.study("1.2") is None


def test_nul_is_no_reason_to_refuse_a_film(database: SqlDatabase) -> None:
    with database.write() as tx:
        tx.put_study(make.study("1.2\0"))
    with database.read() as tx:
        assert [study.study_instance_uid for study in tx.worklist()] == ["1.2\ufffd"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("synchronous_commit = off", "synchronous_commit is off"),
        ("default_transaction_read_only = on", "it is a standby"),
    ],
)
def test_a_server_that_would_not_be_durable_is_refused(database: SqlDatabase, change: str, words: str) -> None:
    url = postgres.shared().create()
    postgres.shared().say(f"ALTER DATABASE {url.rpartition('/')[2]} SET {change}")
    with pytest.raises(ConfigError, match=words):
        open_engine(url)


def test_a_database_that_sorts_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "COLLATIONS", ("de_DE.UTF-8",))
    with pytest.raises(ConfigError, match="it sorts by C, not by bytes"):
        open_engine(postgres.shared().create())


def test_a_server_that_is_not_there_may_come_back(database: SqlDatabase) -> None:
    with pytest.raises(IndexUnavailable, match="refused"):
        open_engine(f"postgresql://postgres@127.0.0.1:{postgres.free_port()}/x")


def cut_off(database: SqlDatabase, server: postgres.Server) -> None:
    """A transaction in the middle of which the server crashes."""
    with database.write() as tx:
        tx.put_study(make.study("1.2"))
        server.stop("immediate")


def test_after_a_crash_of_the_server_the_same_database_goes_on(tmp_path: Path) -> None:
    with postgres.server() as server:
        url = server.create()
        engine = open_engine(url)
        ensure(engine)
        database = SqlDatabase(engine)
        with database.write() as tx:
            tx.put_study(make.study("1.1"))
        with pytest.raises(IndexUnavailable):
            cut_off(database, server)
        with pytest.raises(IndexUnavailable), database.read() as tx:
            tx.study("1.1")
        server.start()
        with database.write() as tx:
            assert tx.study("1.1") is not None
            assert tx.study("1.2") is None
            tx.put_study(make.study("1.3"))
        database.close()
