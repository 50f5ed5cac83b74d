"""PostgreSQL itself: what is refused at the start, one writer at a time, the audit's triggers, and a server that goes away."""

import os
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError

from tests import postgres
from tests.integration.service import until
from tests.unit.database.stores import give_back, postgres_database
from tests.unit.domain import make
from tests.unit.domain.make import NOW, Clock
from triage.database import postgres as opening
from triage.database.anchor import FileAnchor
from triage.database.copying import is_empty, libpq_words
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


def test_a_writer_sees_what_is_committed_whatever_the_servers_default() -> None:
    url = postgres.shared().create()
    migrate(url)
    postgres.shared().say(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_isolation = 'repeatable read'")
    one, other = SqlDatabase(open_engine(url)), SqlDatabase(open_engine(url))
    waiting = threading.Thread(target=write_once, args=(other,))
    with one.write() as tx:
        waiting.start()
        until(lambda: waits_for_lock(one), 10, "the other writer waits")
        tx.put_study(make.study("1.1"))
    waiting.join()
    with one.read() as tx:
        assert tx.revision() == 2
    one.close(), other.close()


def migrate(url: str) -> None:
    engine = open_engine(url)
    ensure(engine)
    engine.dispose()


def waits_for_lock(database: SqlDatabase) -> bool:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with database.engine.connect() as connection:
        return bool(connection.exec_driver_sql(query).scalar())


def write_once(database: SqlDatabase) -> None:
    with database.write() as tx:
        tx.put_study(make.study("1.2"))


def test_a_server_that_was_stopped_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WRITE_WITHIN", timedelta(seconds=1))
    with postgres.server() as server:
        url = server.create()
        migrate(url)
        database = SqlDatabase(open_engine(url))
        write_once(database)
        stopped = [server.pid, *backends(server)]
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            with pytest.raises(IndexUnavailable):
                write_once(database)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        write_once(database)
        database.close()


def test_a_connection_on_which_nothing_can_be_written_is_not_kept(database: SqlDatabase) -> None:
    """As one is that was opened while a balancer led to the standby."""
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = on")
        connection.commit()
    with pytest.raises(IndexUnavailable):
        write_once(database)
    write_once(database)


def test_a_standby_is_not_connected_to() -> None:
    server = postgres.shared()
    url = server.create()
    migrate(url)
    database = SqlDatabase(open_engine(url))
    write_once(database)
    database.close()
    server.say(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
    with pytest.raises(IndexUnavailable), database.read() as tx:
        tx.study("1.2")
    with pytest.raises(IndexUnavailable, match="read-only"):
        open_engine(url)
    server.say(f"ALTER DATABASE {url.rpartition('/')[2]} RESET default_transaction_read_only")
    with database.read() as tx:
        assert tx.study("1.2") is not None
    database.close()


def test_the_servers_own_programs_hear_of_every_host() -> None:
    words = libpq_words(make_url("postgresql://triage@/x?host=one:5432&host=two:5433&sslmode=verify-full"))
    told = dict(pair.split("=", 1) for pair in words.split())
    assert (told["host"], told["port"], told["user"], told["dbname"]) == ("one,two", "5432,5433", "triage", "x")
    assert (told["sslmode"], told["target_session_attrs"]) == ("verify-full", "read-write")


def test_what_is_empty_is_known_to_be() -> None:
    url = postgres.shared().create()
    assert is_empty(url)
    migrate(url)
    assert not is_empty(url)


def backends(server: postgres.Server) -> list[int]:
    """The server's processes that have a client, save the one that is asked."""
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with psycopg.connect(server.url("postgres")) as connection:
        return [row[0] for row in connection.execute(query).fetchall()]


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
