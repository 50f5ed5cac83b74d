"""A copy of the database while it is written to, and back: SQLite's online backup, PostgreSQL's own programs."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, make_url

from triage.database.engine import open_engine
from triage.database.postgres import PRIMARY
from triage.database.schema import present
from triage.database.sqlite import file_of
from triage.domain.errors import BackupError, ConfigError

SQLITE, DUMP = "triage.db", "database.dump"
DUMPED_WITHIN = 12 * 3600


def copy_database(url: str, folder: Path, moment: str = "") -> Path:
    """A consistent copy in ``folder``: of SQLite a database that can be opened, of PostgreSQL a dump of its own format.

    ``moment``: of PostgreSQL, what :func:`shared_moment` gave.

    Raises:
        BackupError: it cannot be made.
    """
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        target = folder / DUMP
        _run(address, "pg_dump", "--format=custom", f"--file={target}", *([f"--snapshot={moment}"] if moment else []))
    else:
        target = folder / SQLITE
        copy_sqlite(Path(str(address.database)), target)
    with target.open("rb") as written:
        os.fsync(written.fileno())
    return target


def shared_moment(connection: Connection) -> str:
    """The name of what this transaction of PostgreSQL sees, for a dump of the same; it lasts as long as the transaction."""
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")  # a dump may take hours
    return str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())


def restore_database(copy: Path, url: str) -> None:
    """Put a copy in the place of an empty database.

    Raises:
        BackupError: it cannot be read there, or the place is not empty.
    """
    address = make_url(url)
    if copy.name == DUMP:
        if address.get_backend_name() != "postgresql":
            raise BackupError("the backup is of a PostgreSQL site; name an empty database: TRIAGE_DATABASE_URL=postgresql://…")
        _run(address, "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", str(copy))
        return
    if address.get_backend_name() == "postgresql":
        raise BackupError("the backup is of a SQLite site; restore it so, then: triage migrate --to postgresql://…")
    copy_sqlite(copy, Path(str(address.database)))


def is_empty(url: str) -> bool:
    """Whether nothing was made yet where the URL leads: no file, or no table.

    Raises:
        ConfigError: the server is not set up as needed.
        IndexUnavailable: it does not answer.
    """
    if (file := file_of(url)) is not None:
        return not file.is_file()
    engine = open_engine(url)
    try:
        return present(engine) is None
    finally:
        engine.dispose()


def libpq_words(address: URL) -> str:
    """What PostgreSQL's own programs understand; they know several hosts by other words than the URL here."""
    from psycopg.conninfo import make_conninfo

    _, named = address.get_dialect()().create_connect_args(address)
    return make_conninfo(**{**PRIMARY, **named})


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy, whole or not at all, while others write; what ``target`` was is replaced.

    Raises:
        BackupError: the source is damaged, or one of them cannot be read or written.
    """
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as reader,
            closing(sqlite3.connect(part)) as writer,
        ):
            # all at once: page by page it would begin anew with every write; writers do not wait for it either way
            reader.backup(writer, pages=-1)
            found = writer.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise BackupError(f"{source.name}: damaged ({found}); restore an older backup, or call for help")
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(target)
    except sqlite3.Error as error:
        raise BackupError(f"{source}: cannot be copied ({error})") from error
    finally:
        part.unlink(missing_ok=True)


def _run(address: URL, program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise ConfigError(f"{program}: not installed here; install PostgreSQL's client programs")
    # the password by the environment: a command line can be read by everybody on the machine
    environment = os.environ | ({"PGPASSWORD": str(address.password)} if address.password else {})
    place = libpq_words(address.set(password=None))
    try:
        done = subprocess.run(  # noqa: S603 - no shell; its arguments are our own
            [found, f"--dbname={place}", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=DUMPED_WITHIN,
        )
    except subprocess.TimeoutExpired:
        raise BackupError(f"{program}: did not end within {DUMPED_WITHIN // 3600} h") from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no word"]
        raise BackupError(f"{program}: {words[-1][:200]}")
