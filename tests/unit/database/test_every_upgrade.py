"""From every former version, with rows in every table that it has: not one value is another after the upgrade."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, Inspector, MetaData, Table, insert, inspect, select

from tests import postgres
from tests.size import size
from triage.database.engine import open_engine
from triage.database.schema import differences, migrate, newest, present, steps_after
from triage.database.sqlite import sqlite_url

FORMER = steps_after(None)[:-1]
ONE_ROW = {"alembic_version", "audit_head", "worklist_revision"}
"""Tables with a row of their own, which nothing is put beside."""
ARRIVED, AHEAD = 1_700_000_000_000_000, 86_400_000_000
VALUES: dict[str, Any] = {
    "study.network_level": "flagged",
    "study.level": "flagged",
    "study.stat": 0,
    "study.ordered": 1,
    "study.reason": None,
    "study.probability": 0.1 + 0.2,
    "study.arrived_at": ARRIVED,
    "study.head_start": AHEAD,
    "study.key": ARRIVED - AHEAD,
    "study.reading_state": "read",
    "study.doubt": "names_differ",
    "instance.fault": "damaged",
    "job.state": "done",
    "quarantined.decision": "released",
    "quarantined.study_instance_uid": "9.9",  # of no study here: what is set aside marks its own (0009_doubt)
    "account.role": "viewer",
    "commitment.state": "reported",
    "destination.failures": 0,
    "destination.away_since": None,
    "delivery.state": "delivered",
}
"""What the tables' checks ask for."""
TELLS = " Müller^Jürgen=山田^太郎 \u2028'\"\\ "

Rows = dict[str, tuple[list[str], str]]
"""Table → its columns, and the digest of what they hold."""


def plain(table: str, columns: list[str]) -> Table:
    return Table(table, MetaData(), *map(Column, columns))


def value(table: str, column: dict[str, Any], number: int, key: bool, foreign: dict[str, str]) -> Any:
    """One that only this row has where that matters, and that a careless copy would spoil where it does not."""
    name = column["name"]
    if name in foreign:  # the row of the same number
        table, name = foreign[name].split(".")
    elif f"{table}.{name}" in VALUES:
        return VALUES[f"{table}.{name}"]
    kind = str(column["type"])
    if kind.startswith(("TEXT", "VARCHAR")):
        return f"{table}.{name}{number}{TELLS}"
    if kind.startswith(("FLOAT", "DOUBLE")):
        return 1 / (number + 2)
    return number + 1 if key or "BIG" not in kind else ARRIVED + number


def put(connection: Connection, seen: Inspector, number: int) -> None:
    """One more row in every table; those that point to others come after them."""
    for table, _ in seen.get_sorted_table_and_fkc_names():
        if table is None or table in ONE_ROW:
            continue
        foreign = {
            column: f"{one['referred_table']}.{referred}"
            for one in seen.get_foreign_keys(table)
            for column, referred in zip(one["constrained_columns"], one["referred_columns"], strict=True)
        }
        keys = seen.get_pk_constraint(table)["constrained_columns"]
        columns = [dict(column) for column in seen.get_columns(table)]
        row = {one["name"]: value(table, one, number, one["name"] in keys, foreign) for one in columns}
        connection.execute(insert(plain(table, list(row))).values(row))


def held(connection: Connection, seen: Inspector, columns: dict[str, list[str]]) -> Rows:
    found = {}
    for table, names in columns.items():
        asked = plain(table, names)
        keys = [asked.c[name] for name in seen.get_pk_constraint(table)["constrained_columns"]]
        rows = connection.execute(select(*asked.columns).order_by(*keys)).all()
        found[table] = (names, sha256(repr([tuple(row) for row in rows]).encode()).hexdigest())
    return found


def filled(engine: Engine, number: int) -> Rows:
    """One row more in every table; what the database holds then, but for its revision."""
    with engine.connect().execution_options(begin="IMMEDIATE") as connection, connection.begin():
        seen = inspect(connection)
        put(connection, seen, number)
        names = [name for name in seen.get_table_names() if name != "alembic_version"]
        return held(connection, seen, {name: [column["name"] for column in seen.get_columns(name)] for name in names})


def of_the_same_columns(engine: Engine, before: Rows) -> Rows:
    with engine.connect() as connection:
        return held(connection, inspect(connection), {table: columns for table, (columns, _) in before.items()})


KINDS = ["sqlite", *(["postgresql"] if postgres.INSTALLED else [])]


def empty(kind: str, folder: Path) -> Engine:
    return open_engine(sqlite_url(folder / "site.db") if kind == "sqlite" else postgres.shared().create())


@pytest.mark.parametrize("kind", size(KINDS[:1], KINDS))
def test_each_step_leaves_every_value_as_it_was(kind: str, tmp_path: Path) -> None:
    """Rows put in at every version go through every later step."""
    engine, values = empty(kind, tmp_path), 0
    for number, revision in enumerate(FORMER):
        migrate(engine, to=revision)
        before = filled(engine, number)
        migrate(engine, to=(steps_after(revision))[0])
        assert of_the_same_columns(engine, before) == before, revision
        values += sum(len(columns) for columns, _ in before.values()) * (number + 1)
    assert present(engine) == newest()
    assert differences(engine) == []
    print(f"{kind}: {len(FORMER)} steps, {len(before)} tables at the end, about {values} values compared")
    engine.dispose()


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("revision", FORMER)
def test_all_steps_at_once_leave_every_value_as_it_was(kind: str, revision: str, tmp_path: Path) -> None:
    engine = empty(kind, tmp_path)
    migrate(engine, to=revision)
    for number in range(3):
        before = filled(engine, number)
    migrate(engine)
    assert of_the_same_columns(engine, before) == before
    assert differences(engine) == []
    engine.dispose()
