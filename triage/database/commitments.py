"""Requests for storage commitment in SQL. See :class:`triage.services.commitment_store.CommitmentStore`."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from triage.database.tables import ENDED, OWED_REPORT, commitment
from triage.domain.commitment import ActionInformation, Commitment, CommitmentState, Owed, Reference

_ROW = commitment.c
WAITING, SENDING, REPORTED, GIVEN_UP = (state.value for state in CommitmentState)
_OLDEST_FIRST = (_ROW.not_before, _ROW.number)


class SqlCommitments:
    """The store over one connection.

    ``not_before`` is when a row becomes due: a little after a fresh request, the end of the backoff of a failed one, the
    end of the lease of a claimed one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(
        self, action: ActionInformation, calling_ae_title: str, address: str, now: datetime, due_at: datetime, until: datetime
    ) -> Commitment:
        again = {
            "address": address,
            "objects": _dump(action),
            "state": WAITING,
            "attempts": 0,
            "requested_at": now,
            "not_before": due_at,
            "until": until,
            "ended_at": None,
            "failed": None,
            "error": None,
        }
        own = {"calling_ae_title": calling_ae_title, "transaction_uid": action.transaction_uid, "content": action.content}
        statement = insert(commitment).values(
            **own, **again, object_count=len(action.references), token=0, duplicate=self._used(own)
        )
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=[*own], set_=again | {"token": commitment.c.token + 1})
        )
        mine = and_(*(commitment.c[name] == value for name, value in own.items()))
        return _commitment(self._connection.execute(select(commitment).where(mine)).one())

    def _used(self, own: dict[str, str]) -> int:
        """Whether the Transaction UID stands for another list already."""
        others = select(func.count()).where(
            _ROW.calling_ae_title == own["calling_ae_title"],
            _ROW.transaction_uid == own["transaction_uid"],
            _ROW.content != own["content"],
        )
        return int(self._connection.execute(others).scalar_one() > 0)

    def open_requests(self, calling_ae_title: str) -> int:
        query = select(func.count()).where(OWED_REPORT, _ROW.calling_ae_title == calling_ae_title)
        return int(self._connection.execute(query).scalar_one())

    def open_references(self) -> int:
        query = select(func.coalesce(func.sum(_ROW.object_count), 0)).where(OWED_REPORT)
        return int(self._connection.execute(query).scalar_one())

    def is_due_here(self, calling_ae_title: str, address: str, now: datetime, fresh_only: bool) -> bool:
        query = here_query(calling_ae_title, address, now, fresh_only)
        return self._connection.execute(query).one_or_none() is not None

    def claim_here(
        self, calling_ae_title: str, address: str, now: datetime, lease_until: datetime, fresh_only: bool
    ) -> Commitment | None:
        return self._claim(here_query(calling_ae_title, address, now, fresh_only), lease_until)

    def claim(self, calling_ae_titles: Collection[str], now: datetime, lease_until: datetime) -> Commitment | None:
        return self._claim(due_query(calling_ae_titles, now), lease_until)

    def _claim(self, query: Select[Any], lease_until: datetime) -> Commitment | None:
        statement = (
            update(commitment)
            .where(_ROW.number == query.scalar_subquery())
            .values(state=SENDING, attempts=_ROW.attempts + 1, token=_ROW.token + 1, not_before=lease_until)
            .returning(*commitment.c)
        )
        row = self._connection.execute(statement).one_or_none()
        return _commitment(row) if row else None

    def next_due(self, calling_ae_titles: Collection[str]) -> datetime | None:
        query = select(func.min(_ROW.not_before)).where(OWED_REPORT, _ROW.calling_ae_title.in_(sorted(calling_ae_titles)))
        found: datetime | None = self._connection.execute(query).scalar_one()
        return found

    def finish(self, commitment: Commitment, failed: int, now: datetime) -> bool:
        values = {"state": REPORTED, "ended_at": now, "failed": failed, "error": None, "objects": "[]"}
        return self._changed(_held(commitment).values(**values))

    def retry(self, commitment: Commitment, error: str, not_before: datetime) -> bool:
        return self._changed(_held(commitment).values(state=WAITING, error=error, not_before=not_before))

    def defer(self, calling_ae_title: str, not_before: datetime) -> None:
        theirs = (_ROW.state == WAITING, _ROW.calling_ae_title == calling_ae_title, _ROW.not_before < not_before)
        self._connection.execute(update(commitment).where(OWED_REPORT, *theirs).values(not_before=not_before))

    def hurry(self, calling_ae_title: str, address: str, now: datetime) -> None:
        theirs = (_ROW.state == WAITING, _ROW.calling_ae_title == calling_ae_title, _ROW.address == address)
        fresh = (_ROW.attempts == 0, _ROW.not_before > now)
        self._connection.execute(update(commitment).where(OWED_REPORT, *theirs, *fresh).values(not_before=now))

    def recover(self, now: datetime) -> int:
        claimed = update(commitment).where(OWED_REPORT, _ROW.state == SENDING)
        return self._connection.execute(claimed.values(state=WAITING, not_before=now)).rowcount

    def give_up(self, now: datetime) -> list[Commitment]:
        free = or_(_ROW.state == WAITING, _ROW.not_before <= now)
        over = select(commitment).where(OWED_REPORT, _ROW.until <= now, free).order_by(_ROW.number)
        found = [_commitment(row) for row in self._connection.execute(over)]
        numbers = [one.number for one in found]
        for first in range(0, len(numbers), 500):
            some = _ROW.number.in_(numbers[first : first + 500])
            self._connection.execute(update(commitment).where(some).values(state=GIVEN_UP, ended_at=now, objects="[]"))
        return found

    def forget(self, before: datetime, most: int) -> int:
        latest = select(_ROW.ended_at).where(ENDED).order_by(_ROW.ended_at.desc()).limit(1).offset(max(most - 1, 0))
        kept_since: datetime | None = self._connection.execute(latest).scalar()
        since = max(before, kept_since or before)
        return self._connection.execute(delete(commitment).where(_ROW.ended_at < since)).rowcount

    def owed(self) -> list[Owed]:
        waiting = func.count().filter(_ROW.ended_at.is_(None))
        given_up = func.count().filter(_ROW.state == GIVEN_UP)
        query = (
            select(_ROW.calling_ae_title, waiting.label("waiting"), given_up.label("given_up"))
            .where(_ROW.state != REPORTED)
            .group_by(_ROW.calling_ae_title)
            .order_by(_ROW.calling_ae_title)
        )
        return [Owed(**row._mapping) for row in self._connection.execute(query)]

    def state_of(self, calling_ae_title: str, transaction_uid: str) -> list[CommitmentState]:
        query = (
            select(_ROW.state)
            .where(_ROW.calling_ae_title == calling_ae_title, _ROW.transaction_uid == transaction_uid)
            .order_by(_ROW.number)
        )
        return [CommitmentState(state) for state in self._connection.execute(query).scalars()]

    def _changed(self, statement: Update) -> bool:
        return self._connection.execute(statement).rowcount == 1


def here_query(calling_ae_title: str, address: str, now: datetime, fresh_only: bool) -> Select[Any]:
    """The number of the oldest request that may be answered to a requestor who is connected, by ``ix_commitment_owed``."""
    fresh = _ROW.attempts == 0
    due: ColumnElement[bool] = fresh if fresh_only else or_(fresh, _ROW.not_before <= now)
    theirs = (_ROW.state == WAITING, _ROW.calling_ae_title == calling_ae_title, _ROW.address == address, due)
    return select(_ROW.number).where(OWED_REPORT, *theirs).order_by(_ROW.number).limit(1)


def due_query(calling_ae_titles: Collection[str], now: datetime) -> Select[Any]:
    """The number of the request that has been due for longest, by ``ix_commitment_owed``."""
    theirs = _ROW.calling_ae_title.in_(sorted(calling_ae_titles))
    return select(_ROW.number).where(OWED_REPORT, theirs, _ROW.not_before <= now).order_by(*_OLDEST_FIRST).limit(1)


def _held(claimed: Commitment) -> Update:
    """The row, only where it still is as claimed: a claim that ran out, or the same request again, has raised the token."""
    return update(commitment).where(_ROW.number == claimed.number, _ROW.state == SENDING, _ROW.token == claimed.token)


def _dump(action: ActionInformation) -> str:
    return json.dumps([[one.sop_class_uid, one.sop_instance_uid] for one in action.references], separators=(",", ":"))


def _commitment(row: Row[Any]) -> Commitment:
    references = tuple(Reference(*pair) for pair in json.loads(row.objects))
    return Commitment(
        number=row.number,
        calling_ae_title=row.calling_ae_title,
        address=row.address,
        action=ActionInformation(row.transaction_uid, references),
        requested_at=row.requested_at,
        duplicate=bool(row.duplicate),
        attempts=row.attempts,
        token=row.token,
    )
