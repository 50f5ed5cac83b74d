"""The audit chain in SQL. Its one writer at a time is the transaction that holds the write lock."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, insert, select, type_coerce, update
from sqlalchemy.exc import IntegrityError

from triage.database import tables
from triage.domain.audit import Action, AuditEntry, AuditFilter, AuditHead, AuditRecord, chained
from triage.domain.errors import AuditBroken

_COLUMNS = tables.audit.c
_HEAD = tables.audit_head


def append(connection: Connection, entry: AuditEntry) -> None:
    """Add an entry and move the head, in this transaction.

    Raises:
        AuditBroken: the end of the chain was tampered with.
    """
    found = connection.execute(select(_HEAD.c.sequence, _HEAD.c.digest).with_for_update()).one_or_none()
    if found is None:
        raise AuditBroken("the note of the audit's end is gone; run: triage audit verify, then restore a backup")
    record = chained(AuditHead(sequence=found.sequence, digest=found.digest), entry)
    row: dict[str, Any] = {name: getattr(record, name) for name in AuditRecord.__dataclass_fields__} | {"at": entry.at}
    try:
        with connection.begin_nested():  # a refused row must not end what else the transaction does
            connection.execute(insert(tables.audit).values(row))
    except IntegrityError:  # the note was set back: its next number is taken
        raise AuditBroken("the audit's end is not where it is noted; run: triage audit verify") from None
    connection.execute(update(_HEAD).values(sequence=record.sequence, digest=record.digest))


def records(connection: Connection, after: int = 0, limit: int | None = None) -> Iterator[AuditRecord]:
    """Records by number, values as they lie there: what was tampered with need not be a time."""
    query = _stored().where(_COLUMNS.sequence > after).order_by(_COLUMNS.sequence).limit(limit)
    for row in connection.execute(query).yield_per(1000):
        yield _record(row)


def newest_query(asked: AuditFilter, before: int | None, limit: int | None) -> Select[Any]:
    """The newest records first; an index gives them in that order, whatever is asked for."""
    exact = ((_COLUMNS.action, asked.action), (_COLUMNS.actor, asked.actor), (_COLUMNS.subject, asked.subject))
    query = _stored().where(*(column == value for column, value in exact if value is not None))
    if asked.since is not None:
        query = query.where(_COLUMNS.at >= asked.since)
    if asked.until is not None:
        query = query.where(_COLUMNS.at < asked.until)
    if before is not None:
        query = query.where(_COLUMNS.sequence < before)
    return query.order_by(_COLUMNS.sequence.desc()).limit(limit)


def newest(connection: Connection, asked: AuditFilter, before: int | None, limit: int | None) -> list[AuditRecord]:
    """See :meth:`triage.services.ports.Transaction.audit_newest`."""
    return [_record(row) for row in connection.execute(newest_query(asked, before, limit))]


def latest(connection: Connection, action: Action) -> AuditRecord | None:
    """The last record of an action."""
    query = _stored().where(_COLUMNS.action == action.value).order_by(_COLUMNS.sequence.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return _record(row) if row else None


def latest_about(connection: Connection, subject: str, action: Action, actor: str, details: str) -> AuditRecord | None:
    """The last record of a subject that was this action, by this actor, with these details."""
    row = connection.execute(about_query(subject, action, actor, details)).one_or_none()
    return _record(row) if row else None


def about_query(subject: str, action: Action, actor: str, details: str) -> Select[Any]:
    """See :func:`latest_about`."""
    # as expressions: SQLite would walk the index of the action or of the actor, which many records share
    acted, by = _COLUMNS.action.concat(""), _COLUMNS.actor.concat("")
    mine = (_COLUMNS.subject == subject, acted == action.value, by == actor, _COLUMNS.details == details)
    return _stored().where(*mine).order_by(_COLUMNS.sequence.desc()).limit(1)


def head(connection: Connection) -> AuditHead | None:
    """The noted end; ``None``: somebody removed it."""
    row = connection.execute(select(_HEAD.c.sequence, _HEAD.c.digest)).one_or_none()
    return AuditHead(sequence=row.sequence, digest=row.digest) if row else None


def _stored() -> Select[tuple[int, int, str, str, str, str, str]]:
    at = type_coerce(_COLUMNS.at, BigInteger).label("at")
    return select(_COLUMNS.sequence, at, _COLUMNS.actor, _COLUMNS.action, _COLUMNS.subject, _COLUMNS.details, _COLUMNS.digest)


def _record(row: Row[tuple[int, int, str, str, str, str, str]]) -> AuditRecord:
    return AuditRecord(**row._mapping)
