"""Results and deliveries in SQL. See :class:`triage.services.delivery_store.DeliveryStore`."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, exists, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from triage.database.delivery_tables import OPEN, REFUSED, delivery, destination, result
from triage.database.inserting import inserted
from triage.database.result_documents import dump_result, load_result
from triage.database.tables import Moment, study
from triage.domain import delivery as rules
from triage.domain.delivery import (
    LONGEST_WAIT,
    NOT_KEPT,
    PASSED_AFTER,
    STEPS,
    Delivery,
    DeliveryState,
    DestinationState,
    Receipt,
    Step,
)
from triage.domain.result import Result

_ROW, _TO = delivery.c, destination.c
COLUMNS = tuple(delivery.c[name] for name in Delivery.__dataclass_fields__)
_STANDING = ("name", "since", "failures", "away_since", "not_before", "delivered", "superseded", "last_delivered_at", "error")
WAITING, SENDING, DELIVERED, _, SUPERSEDED = (state.value for state in DeliveryState)


class SqlDeliveries:
    """The store over one connection. What has been delivered is counted where it happens: rows are kept for good."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_result(self, result_: Result) -> None:
        row = {"study_instance_uid": result_.study_instance_uid, "number": result_.number, "decided_at": result_.decided_at}
        row |= {"document": dump_result(result_), "commitment_uid": result_.commitment_uid}
        self._connection.execute(insert(result).values(row))

    def results(self, study_instance_uid: str) -> list[Result]:
        query = select(result.c.document).where(result.c.study_instance_uid == study_instance_uid).order_by(result.c.number)
        return [load_result(document) for document in self._connection.execute(query).scalars()]

    def last_result(self, study_instance_uid: str) -> Result | None:
        mine = select(result.c.document).where(result.c.study_instance_uid == study_instance_uid)
        document = self._connection.execute(mine.order_by(result.c.number.desc()).limit(1)).scalar_one_or_none()
        return load_result(document) if document else None

    def register(self, names: Collection[str], now: datetime) -> list[str]:
        last = select(func.coalesce(func.max(result.c.id), 0)).scalar_subquery()
        new = []
        for name in sorted(names):
            row = {"name": name, "since": now, "result_id": last, "failures": 0, "delivered": 0, "superseded": 0}
            if inserted(self._connection, insert_or(destination).values(row).on_conflict_do_nothing()):
                new.append(name)
        return new

    def destinations(self) -> list[DestinationState]:
        found = self._connection.execute(select(*(_TO[name] for name in _STANDING)).order_by(_TO.name)).all()
        count, oldest = func.count().label("total"), func.min(_ROW.created_at).label("oldest")
        open_ = select(_ROW.destination, count, oldest).where(OPEN).group_by(_ROW.destination)
        waiting = {row.destination: row for row in self._connection.execute(open_)}
        kept = select(_ROW.destination, count).where(REFUSED).group_by(_ROW.destination)
        refused = {row.destination: row.total for row in self._connection.execute(kept)}
        return [
            DestinationState(
                **row._mapping,
                waiting=waiting[row.name].total if row.name in waiting else 0,
                oldest_waiting=waiting[row.name].oldest if row.name in waiting else None,
                refused=refused.get(row.name, 0),
            )
            for row in found
        ]

    def is_due(self, destination: str, now: datetime) -> bool:
        behind = exists(unheard_query(destination))
        due = exists(due_query(destination, now))
        return bool(self._connection.execute(select(or_(behind, due))).scalar_one())

    def fan_out(self, destination: str, now: datetime, limit: int) -> int:
        found = self._connection.execute(unheard_query(destination).limit(limit)).all()
        if not found:
            return 0
        made = self._make(destination, found, now)
        self._connection.execute(_of(destination).values(result_id=found[-1].id))
        return made

    def send_last(self, destination: str, since: datetime, now: datetime, limit: int) -> int:
        there = exists().where(_ROW.result_id == result.c.id, _ROW.destination == destination)
        last = select(result.c.study_instance_uid, func.max(result.c.number).label("number"))
        newest = last.group_by(result.c.study_instance_uid).subquery()
        query = (
            select(result.c.id, result.c.study_instance_uid, result.c.number)
            .join(newest, and_(newest.c.study_instance_uid == result.c.study_instance_uid, newest.c.number == result.c.number))
            .join(study, study.c.study_instance_uid == result.c.study_instance_uid)
            .where(study.c.arrived_at >= since, ~there)
            .order_by(result.c.id)
            .limit(limit)
        )
        return self._make(destination, list(self._connection.execute(query)), now)

    def _make(self, destination: str, found: Collection[Any], now: datetime) -> int:
        made = 0
        for one in found:
            row = {"result_id": one.id, "study_instance_uid": one.study_instance_uid, "number": one.number}
            row |= {"destination": destination, "state": WAITING, "attempts": 0, "token": 0}
            row |= {"created_at": now, "not_before": now}
            made += inserted(self._connection, insert_or(delivery).values(row).on_conflict_do_nothing())
            self._overtake(destination, one.study_instance_uid, now)
        return made

    def _overtake(self, destination: str, study_instance_uid: str, now: datetime) -> None:
        """As :func:`triage.domain.delivery.overtaken` has it."""
        mine = (_ROW.study_instance_uid == study_instance_uid, _ROW.destination == destination)
        latest = select(func.max(_ROW.number)).where(*mine).scalar_subquery()
        self._give_way(destination, now, *mine, _ROW.attempts == 0, _ROW.number < latest)

    def _give_way(self, destination: str, now: datetime, *which: ColumnElement[bool]) -> None:
        change = update(delivery).where(*which, _ROW.state == WAITING).values(state=SUPERSEDED, ended_at=now)
        if gone := self._connection.execute(change).rowcount:
            self._connection.execute(_of(destination).values(superseded=_TO.superseded + gone))

    def claim(self, destination: str, now: datetime, lease_until: datetime) -> Delivery | None:
        statement = (
            update(delivery)
            .where(_ROW.id == _next(destination, now))
            .values(state=SENDING, attempts=_ROW.attempts + 1, token=_ROW.token + 1, not_before=lease_until, tried_at=now)
            .returning(*COLUMNS)
        )
        row = self._connection.execute(statement).one_or_none()
        if row is None:
            return None
        mine = (_ROW.study_instance_uid == row.study_instance_uid, _ROW.destination == destination)
        self._give_way(destination, now, *mine, _ROW.number < row.number)
        return _delivery(row)

    def payload(self, delivery: Delivery) -> tuple[Result, tuple[Result, ...]]:
        mine = result.c.study_instance_uid == delivery.study_instance_uid
        own = select(result.c.document).where(mine, result.c.number == delivery.number)
        may_be = or_(_ROW.state == DELIVERED, and_(_ROW.state == SUPERSEDED, _ROW.attempts > 0))
        there = and_(_ROW.result_id == result.c.id, _ROW.destination == delivery.destination, may_be)
        arrived = select(result.c.document).where(mine, result.c.number < delivery.number, exists().where(there))
        earlier = self._connection.execute(arrived.order_by(result.c.number)).scalars()
        return load_result(self._connection.execute(own).scalar_one()), tuple(load_result(one) for one in earlier)

    def delivered(self, delivery: Delivery, receipt: Receipt, now: datetime) -> bool:
        said = None if receipt.committed is None else int(receipt.committed)
        committed = case((_ROW.committed == 1, 1), else_=said)
        if not self._end(delivery, Step.TAKEN, now, status=receipt.status, committed=committed, error=None):
            return False
        heard = {"failures": 0, "away_since": None, "not_before": None, "error": None, "last_delivered_at": now}
        self._connection.execute(_of(delivery.destination).values(**heard, delivered=_TO.delivered + 1))
        return True

    def refused(self, delivery: Delivery, error: str, now: datetime) -> bool:
        if not self._end(delivery, Step.REFUSED, now, error=error):
            return False
        heard = {"failures": 0, "away_since": None, "not_before": None, "error": error}
        self._connection.execute(_of(delivery.destination).values(**heard))
        return True

    def reported(self, commitment_uid: str, destinations: Collection[str], kept: bool, now: datetime) -> bool:
        asked = select(result.c.id).where(result.c.commitment_uid == commitment_uid).scalar_subquery()
        mine = (_ROW.result_id == asked, _ROW.destination.in_(sorted(destinations)), _ROW.state.in_((SENDING, DELIVERED)))
        found = self._connection.execute(select(*COLUMNS).where(*mine)).all()
        for row in found:
            values: dict[str, Any] = {"committed": int(kept)}
            if not kept and row.state == DELIVERED and not self._has_later(_delivery(row)):
                state = STEPS[rules.DELIVERED, Step.LOST].value
                again = {
                    "state": state,
                    "ended_at": None,
                    "not_before": now + rules.backoff(row.attempts, 1),
                    "error": NOT_KEPT,
                }
                values |= again
                self._connection.execute(_of(row.destination).values(delivered=_TO.delivered - 1))
            self._connection.execute(update(delivery).where(_ROW.id == row.id).values(**values))
        return bool(found)

    def put_off(self, delivery: Delivery, error: str, not_before: datetime) -> bool:
        return self._step(delivery, Step.PUT_OFF, error=error, not_before=not_before)

    def rest(self, destination: str, error: str, not_before: datetime, now: datetime) -> None:
        first = case((_TO.away_since.is_(None), literal(now, Moment)), else_=_TO.away_since)
        values = {"failures": _TO.failures + 1, "away_since": first, "not_before": not_before, "error": error}
        self._connection.execute(_of(destination).values(**values))

    def failures(self, destination: str) -> int:
        return int(self._connection.execute(select(_TO.failures).where(_TO.name == destination)).scalar_one())

    def recover(self, destinations: Collection[str], now: datetime) -> int:
        held = update(delivery).where(OPEN, _ROW.destination.in_(sorted(destinations)), _ROW.state == SENDING)
        return self._connection.execute(held.values(state=WAITING, not_before=now)).rowcount

    def replay(self, delivery_id: int, now: datetime) -> Delivery | None:
        found = self.delivery(delivery_id)
        if found is None or (found.state, Step.REPLAY) not in STEPS:
            return None
        if self._has_later(found):
            values: dict[str, Any] = {"state": SUPERSEDED, "ended_at": now}
            self._connection.execute(_of(found.destination).values(superseded=_TO.superseded + 1))
        else:
            values = {"state": WAITING, "ended_at": None, "not_before": now}
        self._connection.execute(update(delivery).where(_ROW.id == delivery_id).values(**values))
        return self.delivery(delivery_id)

    def _has_later(self, one: Delivery) -> bool:
        mine = (_ROW.study_instance_uid == one.study_instance_uid, _ROW.destination == one.destination)
        return bool(self._connection.execute(select(exists().where(*mine, _ROW.number > one.number))).scalar_one())

    def delivery(self, delivery_id: int) -> Delivery | None:
        row = self._connection.execute(select(*COLUMNS).where(_ROW.id == delivery_id)).one_or_none()
        return _delivery(row) if row else None

    def deliveries(
        self,
        *,
        states: Collection[DeliveryState] = (),
        destination: str | None = None,
        study_instance_uid: str | None = None,
        limit: int | None = None,
    ) -> list[Delivery]:
        query = select(*COLUMNS).order_by(_ROW.id.desc()).limit(limit)
        if states:
            query = query.where(_ROW.state.in_(sorted(state.value for state in states)))
        if destination is not None:
            query = query.where(_ROW.destination == destination)
        if study_instance_uid is not None:
            query = query.where(_ROW.study_instance_uid == study_instance_uid)
        return [_delivery(row) for row in self._connection.execute(query)]

    def last_results(self) -> Iterator[Result]:
        last = select(func.max(result.c.id)).group_by(result.c.study_instance_uid)
        for document in self._connection.execute(select(result.c.document).where(result.c.id.in_(last))).scalars():
            yield load_result(document)

    def missing(self, destination: str) -> list[tuple[str, int]]:
        there = exists().where(_ROW.result_id == result.c.id, _ROW.destination == destination)
        spread = (_TO.name == destination, result.c.decided_at > _TO.since, result.c.id <= _TO.result_id)
        query = select(result.c.study_instance_uid, result.c.number).where(*spread, ~there).order_by(result.c.id)
        return [(row.study_instance_uid, row.number) for row in self._connection.execute(query)]

    def unheard_since(self, destination: str) -> datetime | None:
        behind = unheard_query(destination).limit(1).subquery()
        query = select(result.c.decided_at).where(result.c.id == select(behind.c.id).scalar_subquery())
        found: datetime | None = self._connection.execute(query).scalar_one_or_none()
        return found

    def without_delivery(self, destination: str) -> int:
        query = select(func.count()).select_from(unheard_query(destination).subquery())
        return int(self._connection.execute(query).scalar_one())

    def _end(self, held: Delivery, step: Step, now: datetime, **values: Any) -> bool:
        return self._step(held, step, ended_at=now, **values)

    def _step(self, held: Delivery, step: Step, **values: Any) -> bool:
        """Only where it still is as claimed: a claim that ran out has raised the token."""
        mine = (_ROW.id == held.id, _ROW.state == SENDING, _ROW.token == held.token)
        change = update(delivery).where(*mine).values(state=STEPS[rules.SENDING, step].value, **values)
        return self._connection.execute(change).rowcount == 1


def unheard_query(name: str) -> Select[Any]:
    """Results behind the last one that a destination has a delivery for, oldest first."""
    last = select(_TO.result_id).where(_TO.name == name).scalar_subquery()
    return select(result.c.id, result.c.study_instance_uid, result.c.number).where(result.c.id > last).order_by(result.c.id)


def due_query(name: str, now: datetime) -> Select[Any]:
    """The id of the oldest delivery that is due; the indices ``ix_delivery_open`` and ``ix_delivery_study`` find it."""
    earlier = delivery.alias("earlier")
    blocked = exists().where(
        earlier.c.study_instance_uid == _ROW.study_instance_uid,
        earlier.c.destination == _ROW.destination,
        earlier.c.number < _ROW.number,
        or_(earlier.c.state == SENDING, and_(earlier.c.state == WAITING, earlier.c.attempts < PASSED_AFTER)),
    )
    beyond = now + LONGEST_WAIT
    resting = exists().where(_TO.name == name, _TO.not_before > now, _TO.not_before <= beyond)
    mine = (OPEN, _ROW.destination == name, or_(_ROW.not_before <= now, _ROW.not_before > beyond))
    return select(_ROW.id).where(*mine, ~blocked, ~resting).order_by(_ROW.id).limit(1)


def _next(name: str, now: datetime) -> ColumnElement[int]:
    """What was tried least often, then the oldest: one that its peer never takes must not go before the others for ever."""
    due = due_query(name, now)
    tried = due.order_by(None).order_by(_ROW.attempts, _ROW.id)
    return func.coalesce(due.where(_ROW.attempts == 0).scalar_subquery(), tried.scalar_subquery())


def _of(name: str) -> Any:
    return update(destination).where(_TO.name == name)


def _delivery(row: Row[Any]) -> Delivery:
    committed = None if row.committed is None else bool(row.committed)
    return Delivery(**dict(row._mapping) | {"state": DeliveryState(row.state), "committed": committed})
