"""The databases, empty; the SQL ones from a copy of a migrated one, as migrating takes longer than a test."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import delete, insert

from tests import postgres
from triage.database import tables
from triage.database.engine import SqlDatabase, open_engine
from triage.database.memory import MemoryDatabase
from triage.database.schema import ensure, metadata
from triage.database.sqlite import sqlite_url
from triage.domain.audit import GENESIS
from triage.domain.jobs import RetryPolicy
from triage.services.ports import Database

KINDS = ("memory", "sql", *(("postgresql",) if postgres.INSTALLED else ()))


@cache
def _template() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="triage-test-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "template.db"
    engine = open_engine(sqlite_url(path))
    ensure(engine)
    engine.dispose()
    return path


def sql_database(folder: Path, policy: RetryPolicy | None = None) -> SqlDatabase:
    """A migrated, empty SQLite database in ``folder``."""
    path = folder / "triage.db"
    shutil.copy(_template(), path)
    return SqlDatabase(open_engine(sqlite_url(path)), policy)


@cache
def _postgres_template() -> str:
    url = postgres.shared().create()
    engine = open_engine(url)
    ensure(engine)
    engine.dispose()
    return url.rpartition("/")[2]


_wiped: list[str] = []
"""Databases that are empty again: to make one takes longer than to wipe one."""


def postgres_database(policy: RetryPolicy | None = None) -> SqlDatabase:
    """A migrated, empty PostgreSQL database on this process's own server."""
    url = _wiped.pop() if _wiped else postgres.shared().create(_postgres_template())
    return SqlDatabase(open_engine(url), policy)


def give_back(database: SqlDatabase) -> None:
    """Wipe it for the next test."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # nothing else removes audit records
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
        connection.execute(insert(tables.worklist_revision).values(id=1, revision=0))
        connection.execute(insert(tables.audit_head).values(id=1, sequence=0, digest=GENESIS))
        connection.exec_driver_sql(
            "SELECT setval(format('%%I.%%I', schemaname, sequencename), 1, false) FROM pg_sequences WHERE schemaname = 'public'"
        )
    database.close()
    _wiped.append(database.engine.url.render_as_string(hide_password=False))


@contextmanager
def opened(kind: str, folder: Path, policy: RetryPolicy | None = None) -> Iterator[Database]:
    """A database of that kind; closed at the end."""
    if kind == "memory":
        yield MemoryDatabase(policy)
        return
    database = postgres_database(policy) if kind == "postgresql" else sql_database(folder, policy)
    try:
        yield database
    finally:
        give_back(database) if kind == "postgresql" else database.close()
