"""SQLite opened as it must be for *success means durable*, and checked that it is."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from triage.database.network import refuse_shared
from triage.database.patience import BUSY_TIMEOUT
from triage.domain.errors import ConfigError, IndexUnavailable

PRAGMAS: dict[str, tuple[str, int | str]] = {
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),
    "foreign_keys": ("ON", 1),
    "busy_timeout": (str(BUSY_TIMEOUT // timedelta(milliseconds=1)), BUSY_TIMEOUT // timedelta(milliseconds=1)),
}
"""Pragma: (what is set on every connection, what must be read back). NORMAL would lose acknowledged films in a power cut."""


def sqlite_url(path: Path) -> str:
    """The database URL of a file."""
    return f"sqlite:///{path}"


def file_of(url: str) -> Path | None:
    """The file of a SQLite database; ``None``: the URL names another kind."""
    address = make_url(url)
    return Path(str(address.database)) if address.get_backend_name() == "sqlite" else None


def open_sqlite(url: str) -> Engine:
    """An engine whose connections begin transactions themselves (IMMEDIATE for writers) and carry :data:`PRAGMAS`.

    Raises:
        ConfigError: not a SQLite file, on a network file system, or a pragma does not read back as set.
        IndexUnavailable: it cannot be opened now.
    """
    refuse_shared(Path(url.removeprefix("sqlite:///")).absolute().parent)
    engine = create_engine(url, pool_size=8, max_overflow=128, pool_timeout=BUSY_TIMEOUT.total_seconds(), hide_parameters=True)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            for pragma, (_, wanted) in PRAGMAS.items():
                found = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
                if found != wanted:
                    raise ConfigError(f"database: PRAGMA {pragma} is {found!r}, needs {wanted!r}; films would not be safe here")
    except OperationalError as error:  # locked, no such folder: may pass by itself
        raise IndexUnavailable(f"database: {url}: {error.orig}") from error
    except DatabaseError as error:
        raise ConfigError(f"database: {url}: {error.orig}; restore a backup, or name another with database_url") from error
    return engine


def _set_pragmas(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # autocommit as far as the driver is concerned: BEGIN is ours, see _begin
    connection.isolation_level = None
    for pragma, (value, _wanted) in PRAGMAS.items():
        connection.execute(f"PRAGMA {pragma} = {value}")


def _begin(connection: Connection) -> None:
    # A deferred BEGIN that turns into a write later fails with "database is locked" under concurrency; IMMEDIATE waits.
    mode: Any = connection.get_execution_options().get("begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
