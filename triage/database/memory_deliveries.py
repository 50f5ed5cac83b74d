"""The in-memory twin of :mod:`triage.database.deliveries`."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from triage.domain.delivery import (
    DELIVERED,
    LONGEST_WAIT,
    NOT_KEPT,
    OPEN,
    PASSED_AFTER,
    REFUSED,
    SENDING,
    STEPS,
    SUPERSEDED,
    WAITING,
    Delivery,
    DeliveryState,
    DestinationState,
    Receipt,
    Step,
    backoff,
    overtaken,
)
from triage.domain.result import Result
from triage.domain.study import Study


class MemoryDeliveries:
    """See :class:`triage.services.delivery_store.DeliveryStore`. ``studies``: those of the transaction, by UID."""

    def __init__(self) -> None:
        self.studies: Mapping[str, Study] = {}
        self._results: list[Result] = []
        self._rows: dict[int, Delivery] = {}
        self._to: dict[str, DestinationState] = {}
        self._heard: dict[str, int] = {}

    def __copy__(self) -> "MemoryDeliveries":
        twin = MemoryDeliveries()
        twin._results, twin._rows = list(self._results), dict(self._rows)
        twin._to, twin._heard = dict(self._to), dict(self._heard)
        return twin

    def add_result(self, result: Result) -> None:
        if result.number != len(self.results(result.study_instance_uid)) + 1:
            raise ValueError("a study's results are numbered one by one")
        self._results.append(result)

    def results(self, study_instance_uid: str) -> list[Result]:
        return [one for one in self._results if one.study_instance_uid == study_instance_uid]

    def is_last(self, study_instance_uid: str) -> bool:
        """Whether the last result of all is of this study."""
        return bool(self._results) and self._results[-1].study_instance_uid == study_instance_uid

    def drop(self, study_instance_uid: str) -> None:
        """Remove a study's results and deliveries."""
        for name, heard in self._heard.items():
            before = self._results[:heard]
            self._heard[name] = heard - sum(one.study_instance_uid == study_instance_uid for one in before)
        self._results = [one for one in self._results if one.study_instance_uid != study_instance_uid]
        self._rows = {number: one for number, one in self._rows.items() if one.study_instance_uid != study_instance_uid}

    def last_result(self, study_instance_uid: str) -> Result | None:
        return next(reversed(self.results(study_instance_uid)), None)

    def register(self, names: Collection[str], now: datetime) -> list[str]:
        new = [name for name in sorted(names) if name not in self._to]
        for name in new:
            self._to[name], self._heard[name] = DestinationState(name=name, since=now), len(self._results)
        return new

    def destinations(self) -> list[DestinationState]:
        return [self._standing(one) for _, one in sorted(self._to.items())]

    def _standing(self, one: DestinationState) -> DestinationState:
        waiting = [row.created_at for row in self._of(one.name) if row.state in OPEN]
        refused = sum(row.state is REFUSED for row in self._of(one.name))
        return replace(one, waiting=len(waiting), oldest_waiting=min(waiting, default=None), refused=refused)

    def is_due(self, destination: str, now: datetime) -> bool:
        return self.without_delivery(destination) > 0 or self._due(destination, now) is not None

    def fan_out(self, destination: str, now: datetime, limit: int) -> int:
        first = self._heard[destination]
        some = self._results[first : first + limit]
        self._heard[destination] = first + len(some)
        return self._make(destination, some, now)

    def send_last(self, destination: str, since: datetime, now: datetime, limit: int) -> int:
        recent = (one for one in self._results if self.studies[one.study_instance_uid].arrived_at >= since)
        last = {one.study_instance_uid: one for one in recent}
        there = {(row.study_instance_uid, row.number) for row in self._of(destination)}
        left = (one for one in last.values() if (one.study_instance_uid, one.number) not in there)
        return self._make(destination, sorted(left, key=self._results.index)[:limit], now)

    def _make(self, destination: str, results: Iterable[Result], now: datetime) -> int:
        made = 0
        for one in results:
            theirs = [row for row in self._of(destination) if row.study_instance_uid == one.study_instance_uid]
            if all(row.number != one.number for row in theirs):
                made += 1
                row = Delivery(
                    id=max(self._rows, default=0) + 1,
                    destination=destination,
                    study_instance_uid=one.study_instance_uid,
                    number=one.number,
                    state=WAITING,
                    created_at=now,
                    not_before=now,
                )
                self._rows[row.id] = row
                theirs.append(row)
            latest = max(row.number for row in theirs)
            for row in theirs:
                if row.state is WAITING and overtaken(row.number, row.attempts, latest):
                    self._supersede(row, now)
        return made

    def _supersede(self, row: Delivery, now: datetime) -> None:
        self._rows[row.id] = replace(row, state=SUPERSEDED, ended_at=now)
        to = self._to[row.destination]
        self._to[row.destination] = replace(to, superseded=to.superseded + 1)

    def claim(self, destination: str, now: datetime, lease_until: datetime) -> Delivery | None:
        row = self._due(destination, now)
        if row is None:
            return None
        state, attempts, token = STEPS[row.state, Step.CLAIM], row.attempts + 1, row.token + 1
        held = replace(row, state=state, attempts=attempts, token=token, not_before=lease_until, tried_at=now)
        self._rows[row.id] = held
        for one in self._of(destination):
            if one.study_instance_uid == row.study_instance_uid and one.number < row.number and one.state is WAITING:
                self._supersede(one, now)
        return held

    def _due(self, destination: str, now: datetime) -> Delivery | None:
        rest = self._to[destination].not_before if destination in self._to else None
        beyond = now + LONGEST_WAIT
        if rest is not None and now < rest <= beyond:
            return None
        open_ = [row for row in self._of(destination) if row.state in OPEN]
        first = {uid: min(_holding(row for row in open_ if row.study_instance_uid == uid)) for uid in _studies(open_)}
        mine = [row for row in open_ if row.number <= first[row.study_instance_uid]]
        due = [row for row in mine if row.not_before <= now or row.not_before > beyond]
        return min(due, key=lambda row: (row.attempts, row.id), default=None)

    def payload(self, delivery: Delivery) -> tuple[Result, tuple[Result, ...]]:
        results = self.results(delivery.study_instance_uid)
        there = {
            row.number
            for row in self._of(delivery.destination)
            if row.study_instance_uid == delivery.study_instance_uid
            and (row.state is DELIVERED or (row.state is SUPERSEDED and row.attempts > 0))
        }
        earlier = tuple(one for one in results if one.number < delivery.number and one.number in there)
        return results[delivery.number - 1], earlier

    def delivered(self, delivery: Delivery, receipt: Receipt, now: datetime) -> bool:
        row = self._rows.get(delivery.id)
        committed = True if row is not None and row.committed else receipt.committed
        answer = {"ended_at": now, "status": receipt.status, "committed": committed, "error": None}
        if not self._step(delivery, Step.TAKEN, **answer):
            return False
        to = self._to[delivery.destination]
        heard = replace(to, failures=0, away_since=None, not_before=None, error=None)
        self._to[to.name] = replace(heard, last_delivered_at=now, delivered=to.delivered + 1)
        return True

    def refused(self, delivery: Delivery, error: str, now: datetime) -> bool:
        if not self._step(delivery, Step.REFUSED, ended_at=now, error=error):
            return False
        to = self._to[delivery.destination]
        self._to[to.name] = replace(to, failures=0, away_since=None, not_before=None, error=error)
        return True

    def reported(self, commitment_uid: str, destinations: Collection[str], kept: bool, now: datetime) -> bool:
        asked = {(one.study_instance_uid, one.number) for one in self._results if one.commitment_uid == commitment_uid}
        found = [
            row
            for row in self._rows.values()
            if (row.study_instance_uid, row.number) in asked
            and row.destination in destinations
            and row.state in (SENDING, DELIVERED)
        ]
        for row in found:
            told = replace(row, committed=kept)
            if not kept and row.state is DELIVERED and not self._has_later(row):
                later = now + backoff(row.attempts, 1)
                told = replace(told, state=STEPS[DELIVERED, Step.LOST], ended_at=None, not_before=later, error=NOT_KEPT)
                to = self._to[row.destination]
                self._to[to.name] = replace(to, delivered=to.delivered - 1)
            self._rows[row.id] = told
        return bool(found)

    def put_off(self, delivery: Delivery, error: str, not_before: datetime) -> bool:
        return self._step(delivery, Step.PUT_OFF, error=error, not_before=not_before)

    def rest(self, destination: str, error: str, not_before: datetime, now: datetime) -> None:
        to = self._to[destination]
        since = to.away_since or now
        self._to[destination] = replace(to, failures=to.failures + 1, away_since=since, not_before=not_before, error=error)

    def failures(self, destination: str) -> int:
        return self._to[destination].failures

    def recover(self, destinations: Collection[str], now: datetime) -> int:
        held = [row for row in self._rows.values() if row.destination in destinations and row.state is SENDING]
        for row in held:
            self._rows[row.id] = replace(row, state=WAITING, not_before=now)
        return len(held)

    def replay(self, delivery_id: int, now: datetime) -> Delivery | None:
        row = self._rows.get(delivery_id)
        if row is None or (row.state, Step.REPLAY) not in STEPS:
            return None
        if self._has_later(row):
            self._supersede(row, now)
        else:
            self._rows[row.id] = replace(row, state=STEPS[row.state, Step.REPLAY], ended_at=None, not_before=now)
        return self._rows[row.id]

    def _has_later(self, row: Delivery) -> bool:
        theirs = (one for one in self._of(row.destination) if one.study_instance_uid == row.study_instance_uid)
        return any(one.number > row.number for one in theirs)

    def delivery(self, delivery_id: int) -> Delivery | None:
        return self._rows.get(delivery_id)

    def deliveries(
        self,
        *,
        states: Collection[DeliveryState] = (),
        destination: str | None = None,
        study_instance_uid: str | None = None,
        limit: int | None = None,
    ) -> list[Delivery]:
        fits = (
            row
            for row in reversed(self._rows.values())
            if (not states or row.state in states)
            and destination in (None, row.destination)
            and study_instance_uid in (None, row.study_instance_uid)
        )
        return list(fits)[:limit]

    def last_results(self) -> Iterator[Result]:
        yield from {one.study_instance_uid: one for one in self._results}.values()

    def missing(self, destination: str) -> list[tuple[str, int]]:
        if destination not in self._to:
            return []
        there = {(row.study_instance_uid, row.number) for row in self._of(destination)}
        spread = self._results[: self._heard[destination]]
        recent = (one for one in spread if one.decided_at > self._to[destination].since)
        return [key for one in recent if (key := (one.study_instance_uid, one.number)) not in there]

    def unheard_since(self, destination: str) -> datetime | None:
        behind = self._results[self._heard.get(destination, len(self._results)) :]
        return behind[0].decided_at if behind else None

    def without_delivery(self, destination: str) -> int:
        return len(self._results) - self._heard[destination] if destination in self._heard else 0

    def _of(self, destination: str) -> list[Delivery]:
        return [row for row in self._rows.values() if row.destination == destination]

    def _step(self, held: Delivery, step: Step, **values: object) -> bool:
        row = self._rows.get(held.id)
        if row is None or row.state is not SENDING or row.token != held.token:
            return False
        change: dict[str, object] = {"state": STEPS[row.state, step], **values}
        self._rows[row.id] = replace(row, **change)  # type: ignore[arg-type]
        return True


def _holding(rows: Iterable[Delivery]) -> Iterator[float]:
    """The numbers of a study's open deliveries behind which no later one goes; infinity where there is none."""
    yield float("inf")
    yield from (row.number for row in rows if row.state is SENDING or row.attempts < PASSED_AFTER)


def _studies(rows: Iterable[Delivery]) -> set[str]:
    return {row.study_instance_uid for row in rows}
