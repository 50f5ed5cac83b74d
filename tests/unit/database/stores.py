"""Both databases, empty; the SQL one from a copy of a migrated file, as migrating takes longer than a test."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from triage.database.engine import SqlDatabase, open_engine, sqlite_url
from triage.database.memory import MemoryDatabase
from triage.database.schema import ensure
from triage.domain.jobs import RetryPolicy
from triage.services.ports import Database

KINDS = ("memory", "sql")


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


@contextmanager
def opened(kind: str, folder: Path, policy: RetryPolicy | None = None) -> Iterator[Database]:
    """A database of that kind; closed at the end."""
    if kind == "memory":
        yield MemoryDatabase(policy)
        return
    database = sql_database(folder, policy)
    try:
        yield database
    finally:
        database.close()
