"""Move a site's rows from one database to another, table by table, each compared by digest on both sides."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import islice
from typing import Any, cast

from sqlalchemy import DDL, Connection, Engine, Integer, Row, Table, delete, func, insert, literal_column, select, types

from triage.database.schema import ensure, newest, present
from triage.database.tables import metadata
from triage.domain.errors import ConfigError, TriageError

BATCH = 2000
Progress = Callable[[str, int, int], None]
"""Hears (table, rows done, rows in all)."""


class MoveFailed(TriageError):
    """What arrived is not what was sent; the new database is left as it was before."""

    alarm = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One table. ``digest``: SHA-256 over its rows in the order of its key, equal on both sides."""

    table: str
    rows: int
    digest: str


def move(source: Engine, target: Engine, progress: Progress = lambda table, done, total: None) -> list[Moved]:
    """Move every row, all or none; nothing may write to either side meanwhile.

    Raises:
        ConfigError: the source is of another version, or the target is not empty.
        MoveFailed: a table differs.
    """
    if present(source) != newest():
        raise ConfigError(f"the database to move is {present(source)}, this version needs {newest()}; run: triage migrate")
    ensure(target)
    moved = []
    with source.connect() as reader, target.connect().execution_options(begin="IMMEDIATE") as writer, writer.begin():
        if writer.execute(select(literal_column("1")).select_from(metadata.tables["study"]).limit(1)).first() is not None:
            raise ConfigError("the database to move to is not empty: give a new one")
        # rows of a schema just made (the list's revision, the audit's end) are those of the source in a moment
        with _without_triggers(writer):
            for table in metadata.sorted_tables:
                moved.append(_move_table(reader, writer, table, progress))
        if writer.dialect.name == "postgresql":
            _set_sequences(writer)
            writer.exec_driver_sql("ANALYZE")
    return moved


@contextmanager
def _without_triggers(writer: Connection) -> Iterator[None]:
    """The audit takes what was recorded elsewhere; the owner of the tables may do this, no other right is needed."""
    if writer.dialect.name != "postgresql":
        yield
        return
    for table in metadata.sorted_tables:
        writer.execute(DDL("ALTER TABLE %(table)s DISABLE TRIGGER USER").against(table))  # type: ignore[no-untyped-call]
    yield
    for table in metadata.sorted_tables:
        writer.execute(DDL("ALTER TABLE %(table)s ENABLE TRIGGER USER").against(table))  # type: ignore[no-untyped-call]


def _move_table(reader: Connection, writer: Connection, table: Table, progress: Progress) -> Moved:
    total = int(reader.execute(select(func.count()).select_from(table)).scalar_one())
    writer.execute(delete(table))
    done, rows = 0, _rows(reader, table)
    while batch := list(islice(rows, BATCH)):
        _put(writer, _bare(table), batch)
        done += len(batch)
        progress(table.name, done, total)
    sent, arrived = digest(reader, table), digest(writer, table)
    if sent != arrived:
        raise MoveFailed(f"table {table.name}: {arrived[:12]} arrived where {sent[:12]} was sent; nothing was changed")
    return Moved(table=table.name, rows=done, digest=sent)


def _put(writer: Connection, table: Table, rows: list[Row[tuple[object, ...]]]) -> None:
    if writer.dialect.name != "postgresql":
        writer.execute(insert(table), [dict(row._mapping) for row in rows])
        return
    from psycopg import Cursor, sql

    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    cursor = cast("Cursor[Any]", writer.connection.cursor())
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)) as copy:
        for row in rows:
            copy.write_row(tuple(row))


def digest(connection: Connection, table: Table) -> str:
    """SHA-256 over a table's rows, each value as what the database holds, in the order of the key."""
    found = sha256()
    for row in _rows(connection, table):
        found.update(repr([float(value) if isinstance(value, float) else value for value in row]).encode())
    return found.hexdigest()


def _rows(connection: Connection, table: Table) -> Iterator[Row[tuple[object, ...]]]:
    bare = _bare(table)
    query = select(*bare.columns).order_by(*bare.primary_key.columns)
    return iter(connection.execute(query.execution_options(yield_per=BATCH)))


@cache
def _bare(table: Table) -> Table:
    """The table with the types that lie in the database: what is moved is neither read as times nor cleaned."""
    from sqlalchemy import MetaData

    copy = table.to_metadata(MetaData())
    for column in copy.columns:
        if isinstance(column.type, types.TypeDecorator):
            column.type = column.type.impl_instance
    return copy


def _set_sequences(writer: Connection) -> None:
    for table in metadata.sorted_tables:
        key = list(table.primary_key.columns)
        if len(key) == 1 and isinstance(key[0].type, Integer) and key[0].autoincrement is not False:
            name = writer.execute(select(func.pg_get_serial_sequence(table.name, key[0].name))).scalar()
            last = writer.execute(select(func.max(key[0]))).scalar()
            if name and last:
                writer.execute(select(func.setval(name, last)))
