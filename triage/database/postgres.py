"""PostgreSQL opened as it must be for *success means durable*, and checked that it is.

One writer at a time in the whole system, as with SQLite: every step reads, decides and writes under one lock, so that the same
rules hold on both. Readers never wait for it. See ``docs/decisions/0031-postgresql.md``.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from triage.database.patience import BUSY_TIMEOUT
from triage.domain.errors import ConfigError, IndexUnavailable

WRITER_LOCK = 0x7472696167  # "triag"
"""The advisory lock that stands for the right to write."""
OLDEST = 130000
"""The oldest server version that is tried, as ``server_version_num`` says it."""
GONE_AFTER = timedelta(seconds=15)
"""A writer that says nothing for so long within its transaction has it taken back: its host is gone, or it was paused."""
WRITE_WITHIN, READ_WITHIN = timedelta(seconds=10), timedelta(seconds=120)
"""So long one statement may take, at most: a film is refused rather than waited for; verification reads much at once."""
CONNECTIONS, MORE_CONNECTIONS = 4, 12
"""Of one process, kept and at most beside them: each is a process of the server."""

_MILLISECOND = timedelta(milliseconds=1)
OPTIONS: dict[str, int | str] = {
    "lock_timeout": BUSY_TIMEOUT // _MILLISECOND,
    "idle_in_transaction_session_timeout": GONE_AFTER // _MILLISECOND,
    "TimeZone": "UTC",
}
"""Set on every connection."""
TCP: dict[str, int] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's own words: a server that is gone is noticed within seconds."""
PRIMARY = {"target_session_attrs": "read-write"}
"""Of the hosts that the URL names, and wherever a balancer leads: only the one that can be written to."""
READ_ONLY = "25006"
"""SQLSTATE of a statement that would write on a standby."""

NEEDED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("fsync", ("on",), "films would not be safe here; set fsync = on"),
    ("full_page_writes", ("on",), "films would not be safe here; set full_page_writes = on"),
    ("synchronous_commit", ("on", "remote_apply"), "films would not be safe here; set synchronous_commit = on"),
    ("server_encoding", ("UTF8",), "names cannot be kept; CREATE DATABASE … ENCODING 'UTF8'"),
)
"""Setting of the server, the values that will do, what else."""
COLLATIONS = ("C", "POSIX")
"""Orders of text that are those of its bytes, as everywhere else here."""


def open_postgres(url: str) -> Engine:
    """An engine whose writers hold :data:`WRITER_LOCK` and whose readers see one snapshot.

    Raises:
        ConfigError: the driver is missing, or the server is not set up as needed.
        IndexUnavailable: it does not answer now.
    """
    try:
        address = make_url(url)
        options = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
        engine = create_engine(
            address,
            pool_size=CONNECTIONS,
            max_overflow=MORE_CONNECTIONS,
            pool_timeout=BUSY_TIMEOUT.total_seconds(),
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"options": options, "application_name": "triage"} | TCP | PRIMARY,
        )
    except ArgumentError:
        raise ConfigError("database_url: not postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
    except ImportError as error:
        raise ConfigError("database_url: PostgreSQL needs libraries: pip install 'chest-triage[postgres]'") from error
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _leave_standby)
    place = address.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            _check(connection, place)
    except ConfigError:
        engine.dispose()
        raise
    except OperationalError as error:
        engine.dispose()
        raise IndexUnavailable(f"database: {place}: {_first_line(error)}") from error
    except DBAPIError as error:
        engine.dispose()
        raise ConfigError(f"database: {place}: {_first_line(error)}") from error
    return engine


def _check(connection: Connection, place: str) -> None:
    def asked(statement: str) -> str:
        return str(connection.exec_driver_sql(statement).scalar())

    if int(asked("SHOW server_version_num")) < OLDEST:
        raise ConfigError(f"database: {place}: PostgreSQL {asked('SHOW server_version')} is too old; 13 or later is needed")
    for setting, accepted, otherwise in NEEDED:
        if (found := asked(f"SHOW {setting}")) not in accepted:
            raise ConfigError(f"database: {place}: {setting} is {found}: {otherwise}")
    collation = asked("SELECT datcollate FROM pg_database WHERE datname = current_database()")
    if collation not in COLLATIONS:
        raise ConfigError(
            f"database: {place}: it sorts by {collation}, not by bytes; make it anew: "
            "CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
        )


def _connect(dialect: Any, record: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    from triage.database.impatient import ImpatientConnection

    return ImpatientConnection.connect(*arguments, **named)


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    writes = options.get("begin") == "IMMEDIATE"
    driver: Any = connection.connection.dbapi_connection
    driver.patience = options.get("patience", WRITE_WITHIN if writes else READ_WITHIN).total_seconds()
    if writes:
        # each statement sees what is committed by then, whatever the server's default: a snapshot taken while the lock is
        # waited for would be older than what the writer before has committed
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (WRITER_LOCK,))
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _leave_standby(context: ExceptionContext) -> None:
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True  # what was the primary is none any more: no connection of the pool is kept


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or ["does not answer"])[0]
