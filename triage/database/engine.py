"""SQLite opened as it must be for *success means durable*, and checked that it is."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from triage.database.size import Sizes, sizes
from triage.database.worklist import SqlTransaction
from triage.domain.errors import ConfigError, IndexUnavailable
from triage.domain.jobs import RetryPolicy

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long a writer waits for another one before the film is refused with 0xA701."""

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


def open_engine(url: str) -> Engine:
    """An engine whose connections begin transactions themselves (IMMEDIATE for writers) and carry :data:`PRAGMAS`.

    Raises:
        ConfigError: not a SQLite file, or a pragma does not read back as set.
        IndexUnavailable: it cannot be opened now.
    """
    if not url.startswith("sqlite:///") or url.endswith(":memory:"):
        raise ConfigError("database_url: this version runs on SQLite only; give sqlite:///PATH or leave it out")
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


class SqlDatabase:
    """See :class:`triage.services.ports.Database`."""

    def __init__(self, engine: Engine, retry_policy: RetryPolicy | None = None) -> None:
        self.engine = engine
        self.retry_policy = retry_policy or RetryPolicy()
        self._writing = threading.Lock()

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        with (
            _unavailable(),
            self._turn(),
            self.engine.connect().execution_options(begin="IMMEDIATE") as connection,
            connection.begin(),
        ):
            yield SqlTransaction(connection, self.retry_policy)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        with _unavailable(), self.engine.connect() as connection, connection.begin() as transaction:
            yield SqlTransaction(connection, self.retry_policy)
            transaction.rollback()  # a reader that wrote by mistake leaves nothing behind

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer of this process at a time, in turn: SQLite lets those that find it busy sleep for longer and longer."""
        if not self._writing.acquire(timeout=BUSY_TIMEOUT.total_seconds()):
            raise IndexUnavailable("the database does not take the transaction (others of this process wait for it)")
        try:
            yield
        finally:
            self._writing.release()

    def size_bytes(self) -> Sizes:
        """Bytes that the database takes: the whole of it, and of its log what is not in it yet."""
        return sizes(self.engine)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise  # our own mistake, not the database's absence
    except (DatabaseError, PoolTimeout) as error:
        # the driver's message can quote parameters: only its kind goes on
        raise IndexUnavailable(f"the database does not take the transaction ({type(error).__name__})") from error
