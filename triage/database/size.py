"""How large the database is, on either engine."""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DatabaseError


class Sizes(NamedTuple):
    """Bytes; ``log`` only of SQLite's write-ahead log: PostgreSQL keeps its own for the whole server."""

    database: int
    log: int | None = None


def sizes(engine: Engine) -> Sizes:
    """Ask the file system, or the server; 0: it does not answer."""
    if engine.dialect.name == "sqlite":
        path = str(engine.url.database)
        return Sizes(_size(path), _size(f"{path}-wal"))
    try:
        with engine.connect() as connection:
            return Sizes(int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one()))
    except DatabaseError:
        return Sizes(0)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
