"""What was set aside, and what a person decided on it, in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from triage.database import tables
from triage.database.inserting import inserted
from triage.domain.instance import Decision, QuarantinedObject

FIELDS = tuple(QuarantinedObject.__dataclass_fields__)
TABLE = tables.quarantined


def add(connection: Connection, one: QuarantinedObject) -> bool:
    """A new row, or that of an object which was decided and came again; one that is not decided stays."""
    row = {name: getattr(one, name) for name in FIELDS}
    statement = insert(TABLE).values(row)
    again = statement.on_conflict_do_update(index_elements=["digest"], set_=row, where=TABLE.c.decision.is_not(None))
    return inserted(connection, again) == 1


def listed(connection: Connection, decided: bool = False) -> list[QuarantinedObject]:
    """Those that nobody has decided on; with ``decided`` all."""
    query = _query() if decided else _query().where(TABLE.c.decision.is_(None))
    return [_object(row) for row in connection.execute(query)]


def of_study(connection: Connection, study_instance_uid: str) -> list[QuarantinedObject]:
    """Undecided ones whose header names the study."""
    return [_object(row) for row in connection.execute(_OF_STUDY, {"uid": study_instance_uid})]


def under(connection: Connection, sop_instance_uid: str) -> list[QuarantinedObject]:
    """Undecided ones whose header has this SOP Instance UID."""
    query = _query().where(TABLE.c.sop_instance_uid == sop_instance_uid, TABLE.c.decision.is_(None))
    return [_object(row) for row in connection.execute(query)]


def one_of(connection: Connection, digest: str) -> QuarantinedObject | None:
    """The row of a digest, whatever was decided."""
    row = connection.execute(_query().where(TABLE.c.digest == digest)).one_or_none()
    return _object(row) if row else None


def decide(connection: Connection, digest: str, decision: Decision, at: datetime, by: str, because: str) -> bool:
    """Write a decision where none stands."""
    change = update(TABLE).where(TABLE.c.digest == digest, TABLE.c.decision.is_(None))
    values = {"decision": decision.value, "decided_at": at, "decided_by": by, "because": because}
    return connection.execute(change.values(values)).rowcount == 1


def _query() -> Select[Any]:
    return select(*(TABLE.c[name] for name in FIELDS)).order_by(TABLE.c.received_at, TABLE.c.digest)


def _object(row: Row[Any]) -> QuarantinedObject:
    decision = Decision(row.decision) if row.decision is not None else None
    return QuarantinedObject(**{**row._mapping, "decision": decision})


_OF_STUDY = _query().where(TABLE.c.study_instance_uid == bindparam("uid"), TABLE.c.decision.is_(None))  # each film asks it
