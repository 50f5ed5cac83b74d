"""What a SQLite database holds that an earlier copy of it does not, table by table, compared row by row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Inspector, MetaData, Table, except_, func, inspect, select

PASSING = frozenset(
    {"alembic_version", "role", "lease", "figure", "job_run", "worklist_revision", "audit_head", "job", "destination"}
    | {"guess", "sign_in_attempt", "account_session"}
)
"""Tables of the moment, and those that follow from others: what they hold is no loss."""
MADE_AGAIN = {"instance": frozenset({"checked_at", "attributes", "study_date", "patient_id", "accession_number"})}
"""Columns that the scheduler fills from the films themselves, whenever that is."""
EARLIER = "earlier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Rows of one table: only now there, there in both but not equal, only there before."""

    new: int = 0
    changed: int = 0
    gone: int = 0

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)

    def __str__(self) -> str:
        told = ((self.new, "new"), (self.changed, "changed"), (self.gone, "gone"))
        return ", ".join(f"{number} {word}" for number, word in told if number)


def since(present: Engine, earlier: Path) -> dict[str, Difference]:
    """How the rows differ, by table; tables that do not are left out. Of an earlier schema: by the columns of both."""
    with present.connect() as connection:
        driver: Any = (
            connection.connection.dbapi_connection
        )  # not within a transaction, and each of its own statements begins one
        driver.execute("ATTACH DATABASE ? AS earlier", (str(earlier),))
        try:
            with connection.begin():
                seen = inspect(connection)
                names = sorted(set(seen.get_table_names()) - PASSING)
                found = {name: _compared(connection, seen, name) for name in names}
        finally:
            driver.execute("DETACH DATABASE earlier")
    return {name: difference for name, difference in found.items() if difference}


def _compared(connection: Connection, seen: Inspector, name: str) -> Difference:
    now = {column["name"] for column in seen.get_columns(name)}
    if not seen.has_table(name, schema=EARLIER):
        return Difference(new=connection.execute(select(func.count()).select_from(Table(name, MetaData()))).scalar_one())
    both = now & {column["name"] for column in seen.get_columns(name, schema=EARLIER)} - MADE_AGAIN.get(name, frozenset())
    key = set(seen.get_pk_constraint(name)["constrained_columns"])

    def only(schema: str | None, other: str | None, columns: set[str]) -> int:
        here, there = (
            select(*Table(name, MetaData(), *map(Column, sorted(columns)), schema=one).columns) for one in (schema, other)
        )
        return int(connection.execute(select(func.count()).select_from(except_(here, there).subquery())).scalar_one())

    new, gone = only(None, EARLIER, key), only(EARLIER, None, key)
    return Difference(new=new, changed=only(None, EARLIER, both) - new, gone=gone)
