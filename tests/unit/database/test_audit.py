"""The audit on SQLite: triggers refuse, the chain holds under many writers, and what was tampered with in the file is found."""

import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from tests.unit.database.stores import sql_database
from tests.unit.domain.make import NOW, Clock
from triage.database.anchor import FileAnchor
from triage.database.engine import SqlDatabase
from triage.domain.audit import Action, AuditEntry
from triage.domain.errors import AuditBroken, IndexUnavailable
from triage.services.audit import verify_audit

RECORDS = 20
TRIGGERS = (
    "audit_no_update", "audit_no_delete", "audit_only_at_the_end",
    "audit_head_no_delete", "audit_head_one_row", "audit_head_only_forward",
)  # fmt: skip
WRITER = """
import sys
from datetime import UTC, datetime
from triage.database.engine import SqlDatabase, open_engine
from triage.domain.audit import Action, AuditEntry
database = SqlDatabase(open_engine(sys.argv[1]))
for number in range(40):
    with database.write() as tx:
        entry = AuditEntry(at=datetime.now(UTC), actor=sys.argv[2], action=Action.VIEW, subject=str(number), details={})
        tx.append_audit(entry)
"""


def note(database: SqlDatabase, actor: str, number: int) -> None:
    entry = AuditEntry(at=NOW, actor=actor, action=Action.VIEW, subject=f"1.2.{number}", details={"n": str(number)})
    with database.write() as tx:
        tx.append_audit(entry)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    database = sql_database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def anchor(tmp_path: Path) -> FileAnchor:
    return FileAnchor(tmp_path / "audit.head")


def run(database: SqlDatabase, *statements: str) -> None:
    with database.engine.connect() as connection, connection.begin():
        for statement in statements:
            connection.exec_driver_sql(statement)


def filled(database: SqlDatabase, anchor: FileAnchor) -> None:
    for number in range(RECORDS):
        note(database, "dr", number)
    assert verify_audit(database, anchor, Clock()).broken is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'x' WHERE sequence = 3",
        "DELETE FROM audit WHERE sequence = 20",
        "DELETE FROM audit",
        "REPLACE INTO audit SELECT sequence, at, 'x', action, subject, details, digest FROM audit WHERE sequence = 3",
        "REPLACE INTO audit SELECT sequence, at, 'x', action, subject, details, digest FROM audit WHERE sequence = 20",
        "INSERT INTO audit SELECT 0, at, actor, action, subject, details, digest FROM audit WHERE sequence = 3",
        "UPDATE audit_head SET sequence = 7",
        "DELETE FROM audit_head",
        "INSERT INTO audit_head VALUES (2, 99, 'x')",
        "REPLACE INTO audit_head VALUES (1, 7, 'x')",
    ],
)
def test_the_database_refuses_to_change_what_was_recorded(database: SqlDatabase, anchor: FileAnchor, statement: str) -> None:
    filled(database, anchor)
    with pytest.raises(IntegrityError, match="append-only"):
        run(database, statement)
    assert verify_audit(database, anchor, Clock()).broken is None


def statements(way: str, at: int, chance: random.Random) -> list[str]:
    """What somebody with the file in hand runs, the triggers dropped."""
    move_head = (
        "UPDATE audit_head SET sequence = (SELECT coalesce(max(sequence), 0) FROM audit), "
        "digest = coalesce((SELECT digest FROM audit ORDER BY sequence DESC LIMIT 1), digest)"
    )
    match way:
        case "edit":
            field = chance.choice(["actor", "action", "subject", "details", "digest", "at"])
            value = chance.choice(["'x'", "x'ff00'", "1.5", f"{field} || '0'"])
            return [f"UPDATE audit SET {field} = {value} WHERE sequence = {at}"]
        case "delete":
            return [f"DELETE FROM audit WHERE sequence = {at}"]
        case "reorder":
            other = at % RECORDS + 1
            swap = "UPDATE audit SET sequence = {} WHERE sequence = {}"
            return [swap.format(-1, at), swap.format(at, other), swap.format(other, -1)]
        case "truncate":
            return [f"DELETE FROM audit WHERE sequence >= {at}", *([move_head] if chance.random() < 0.5 else [])]
        case _:
            copy = f"SELECT {RECORDS + 1}, at, actor, action, subject, details, digest FROM audit WHERE sequence = {at}"
            return [f"INSERT INTO audit {copy}", *([move_head] if chance.random() < 0.5 else [])]


@pytest.mark.parametrize("way", ["edit", "delete", "reorder", "truncate", "insert"])
def test_two_hundred_tamperings_with_the_file_are_found(database: SqlDatabase, anchor: FileAnchor, way: str) -> None:
    """40 of each way, each undone before the next."""
    filled(database, anchor)
    run(database, *(f"DROP TRIGGER {name}" for name in TRIGGERS))
    chance = random.Random(way)
    with database.engine.connect() as connection:
        backup = (
            connection.exec_driver_sql("SELECT * FROM audit").all(),
            connection.exec_driver_sql("SELECT * FROM audit_head").all(),
        )
    for _ in range(40):
        planted = statements(way, chance.randint(1, RECORDS), chance)
        run(database, *planted)
        assert verify_audit(database, anchor, Clock()).broken is not None, planted
        with database.engine.connect() as connection, connection.begin():
            for table, rows in zip(("audit", "audit_head"), backup, strict=True):
                connection.exec_driver_sql(f"DELETE FROM {table}")
                for row in rows:
                    connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", tuple(row))
    assert verify_audit(database, anchor, Clock()).broken is None


def test_after_a_cut_the_service_goes_on_and_the_cut_stays_found(database: SqlDatabase, anchor: FileAnchor) -> None:
    filled(database, anchor)
    run(database, "DROP TRIGGER audit_no_delete", "DELETE FROM audit WHERE sequence > 15")
    note(database, "dr", 99)
    found = verify_audit(database, anchor, Clock()).broken
    assert found
    assert found.sequence == 16


@pytest.mark.parametrize("harm", ["DELETE FROM audit_head", "UPDATE audit_head SET sequence = 7"])
def test_without_a_sound_note_of_the_end_nothing_is_appended(database: SqlDatabase, anchor: FileAnchor, harm: str) -> None:
    filled(database, anchor)
    run(database, "DROP TRIGGER audit_head_no_delete", "DROP TRIGGER audit_head_only_forward", harm)
    with pytest.raises(AuditBroken, match="triage audit verify"):
        note(database, "dr", 1)


def test_many_threads_and_two_processes_keep_one_chain(database: SqlDatabase, anchor: FileAnchor) -> None:
    command = [sys.executable, "-c", WRITER, str(database.engine.url)]
    others = [subprocess.Popen([*command, name]) for name in ("one", "two")]

    def write(number: int) -> None:
        for attempt in range(5):
            try:
                return note(database, "thread", number)
            except IndexUnavailable:
                if attempt == 4:
                    raise
        return None

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(80)))
    assert [one.wait(60) for one in others] == [0, 0]
    found = verify_audit(database, anchor, Clock())
    assert (found.broken, found.head.sequence) == (None, 160)
    with database.read() as tx:
        assert {one.actor for one in tx.audit()} == {"one", "two", "thread"}


def test_an_anchor_keeps_heads_across_openings_and_refuses_a_line_it_cannot_read(database: SqlDatabase, tmp_path: Path) -> None:
    path = tmp_path / "a.head"
    assert verify_audit(database, FileAnchor(path), Clock()).head.sequence == 0
    assert not path.exists()
    for number in (1, 2):
        note(database, "dr", number)
        for _ in range(2):
            verify_audit(database, FileAnchor(path), Clock())
    assert [one.sequence for one in FileAnchor(path).heads()] == [1, 2]
    assert path.stat().st_mode & 0o077 == 0
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(AuditBroken, match="line 3"):
        verify_audit(database, FileAnchor(path), Clock())
