"""The database behind its URL: SQLite or PostgreSQL, one writer at a time in either."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from triage.database.patience import BUSY_TIMEOUT
from triage.database.postgres import open_postgres
from triage.database.size import Sizes, sizes
from triage.database.sqlite import open_sqlite
from triage.database.worklist import SqlTransaction
from triage.domain.errors import ConfigError, IndexUnavailable
from triage.domain.jobs import RetryPolicy


def open_engine(url: str) -> Engine:
    """An engine whose transactions with the option ``begin="IMMEDIATE"`` hold the right to write from their first moment.

    Raises:
        ConfigError: neither database, or one that would not keep films safe.
        IndexUnavailable: it cannot be opened now.
    """
    if url.startswith("sqlite:///") and not url.endswith(":memory:"):
        return open_sqlite(url)
    if url.startswith("postgresql://"):
        return open_postgres(url)
    raise ConfigError(
        "database_url: neither sqlite:///PATH nor postgresql://USER@HOST/DATABASE; left out, it is HOME/triage.db"
    )


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
        """One writer of this process at a time, in turn.

        SQLite lets those that find it busy sleep for longer and longer; with PostgreSQL each would hold a connection.
        """
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
    except (IntegrityError, ProgrammingError, DataError):
        raise  # our own mistake, not the database's absence
    except (DatabaseError, PoolTimeout) as error:
        # the driver's message can quote parameters: only its kind goes on
        raise IndexUnavailable(f"the database does not take the transaction ({type(error).__name__})") from error
