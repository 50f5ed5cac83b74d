"""When each film was last read again, and what was found, in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

from triage.database import tables
from triage.domain.fault import Checked, Fault, Upkeep
from triage.domain.instance import Instance

FIELDS = tuple(Instance.__dataclass_fields__)
COLUMNS = tuple(tables.instance.c[name] for name in FIELDS)
"""What an instance is, beside how it was found."""
_CHECKED = (*COLUMNS, tables.instance.c.checked_at, tables.instance.c.fault)


def longest_unchecked(connection: Connection, limit: int) -> list[Checked]:
    """The index ``ix_instance_checked`` gives the order."""
    return [_checked(row) for row in connection.execute(longest_unchecked_query(limit))]


def longest_unchecked_query(limit: int) -> Select[Any]:
    """Its query; a plan without a sort is a test."""
    order = (tables.instance.c.checked_at, tables.instance.c.sop_instance_uid)
    return select(*_CHECKED).order_by(*order).limit(limit)


def faulty(connection: Connection, study_instance_uid: str | None) -> list[Checked]:
    """Films known to be damaged or missing, of one study or of all."""
    query = select(*_CHECKED).where(tables.FAULTY).order_by(tables.instance.c.study_instance_uid, tables.instance.c.digest)
    if study_instance_uid is not None:
        query = query.where(tables.instance.c.study_instance_uid == study_instance_uid)
    return [_checked(row) for row in connection.execute(query)]


def note_check(connection: Connection, digest: str, at: datetime, fault: Fault | None) -> bool:
    """Whether the film is still indexed."""
    change = update(tables.instance).where(tables.instance.c.digest == digest)
    return connection.execute(change.values(checked_at=at, fault=fault.code if fault else None)).rowcount == 1


def upkeep(connection: Connection) -> Upkeep:
    """One walk over the instances."""
    table = tables.instance.c
    query = select(
        func.count().label("objects"),
        func.coalesce(func.sum(table.size_bytes), 0).label("size_bytes"),
        func.count(table.fault).label("faulty"),
        func.count().filter(table.checked_at <= table.received_at).label("unchecked"),
        func.min(table.checked_at).label("oldest_check"),
    )
    return Upkeep(**connection.execute(query).one()._mapping)


def digests(connection: Connection, prefix: str) -> set[str]:
    """Digests of indexed films that begin so; by the unique index."""
    digest = tables.instance.c.digest
    return set(connection.execute(select(digest).where(digest >= prefix, digest < prefix + "g")).scalars())


def _checked(row: Row[Any]) -> Checked:
    instance = Instance(**{name: row._mapping[name] for name in FIELDS})
    return Checked(
        instance=instance, checked_at=row.checked_at, fault=Fault.from_code(row.fault) if row.fault is not None else None
    )
