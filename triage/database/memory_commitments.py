"""The in-memory twin of :mod:`triage.database.commitments`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from triage.domain.commitment import OPEN, ActionInformation, Commitment, CommitmentState, Owed

WAITING, SENDING, REPORTED, GIVEN_UP = CommitmentState

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    commitment: Commitment
    state: CommitmentState
    not_before: datetime
    until: datetime
    ended_at: datetime | None = None


class MemoryCommitments:
    """See :class:`triage.services.commitment_store.CommitmentStore`."""

    def __init__(self) -> None:
        self._rows: dict[Key, _Row] = {}

    def __copy__(self) -> "MemoryCommitments":
        twin = MemoryCommitments()
        twin._rows = dict(self._rows)
        return twin

    def put(
        self, action: ActionInformation, calling_ae_title: str, address: str, now: datetime, due_at: datetime, until: datetime
    ) -> Commitment:
        key = (calling_ae_title, action.transaction_uid, action.content)
        before = self._rows.get(key)
        others = any(known[:2] == key[:2] and known != key for known in self._rows)
        made = Commitment(
            number=before.commitment.number if before else 1 + max((row.commitment.number for row in self._all()), default=0),
            calling_ae_title=calling_ae_title,
            address=address,
            action=action,
            requested_at=now,
            duplicate=before.commitment.duplicate if before else others,
            token=before.commitment.token + 1 if before else 0,
        )
        self._rows[key] = _Row(commitment=made, state=WAITING, not_before=due_at, until=until)
        return made

    def open_requests(self, calling_ae_title: str) -> int:
        return sum(row.commitment.calling_ae_title == calling_ae_title for row in self._open())

    def open_references(self) -> int:
        return sum(len(row.commitment.action.references) for row in self._open())

    def owed_objects(self) -> frozenset[str]:
        """For :class:`triage.database.memory_retention.MemoryRetention`."""
        return frozenset(one.sop_instance_uid for row in self._open() for one in row.commitment.action.references)

    def is_due_here(self, calling_ae_title: str, address: str, now: datetime, fresh_only: bool) -> bool:
        return bool(self._here(calling_ae_title, address, now, fresh_only))

    def claim_here(
        self, calling_ae_title: str, address: str, now: datetime, lease_until: datetime, fresh_only: bool
    ) -> Commitment | None:
        found = self._here(calling_ae_title, address, now, fresh_only)
        return self._claimed(min(found, key=lambda row: row.commitment.number), lease_until) if found else None

    def claim(self, calling_ae_titles: Collection[str], now: datetime, lease_until: datetime) -> Commitment | None:
        due = [row for row in self._of(calling_ae_titles) if row.not_before <= now]
        if not due:
            return None
        return self._claimed(min(due, key=lambda row: (row.not_before, row.commitment.number)), lease_until)

    def next_due(self, calling_ae_titles: Collection[str]) -> datetime | None:
        return min((row.not_before for row in self._of(calling_ae_titles)), default=None)

    def finish(self, commitment: Commitment, failed: int, now: datetime) -> bool:
        return self._change(commitment, lambda row: _over(row, REPORTED, now))

    def retry(self, commitment: Commitment, error: str, not_before: datetime) -> bool:
        return self._change(commitment, lambda row: replace(row, state=WAITING, not_before=not_before))

    def defer(self, calling_ae_title: str, not_before: datetime) -> None:
        for row in self._of([calling_ae_title]):
            if row.state is WAITING and row.not_before < not_before:
                self._put(replace(row, not_before=not_before))

    def hurry(self, calling_ae_title: str, address: str, now: datetime) -> None:
        for row in self._of([calling_ae_title]):
            fresh = row.state is WAITING and row.commitment.attempts == 0 and row.commitment.address == address
            if fresh and row.not_before > now:
                self._put(replace(row, not_before=now))

    def recover(self, now: datetime) -> int:
        claimed = [row for row in self._open() if row.state is SENDING]
        for row in claimed:
            self._put(replace(row, state=WAITING, not_before=now))
        return len(claimed)

    def give_up(self, now: datetime) -> list[Commitment]:
        free = [row for row in self._open() if row.state is WAITING or row.not_before <= now]
        over = sorted((row for row in free if row.until <= now), key=lambda row: row.commitment.number)
        for row in over:
            self._put(_over(row, GIVEN_UP, now))
        return [row.commitment for row in over]

    def forget(self, before: datetime, most: int) -> int:
        ended = sorted((row.ended_at for row in self._all() if row.ended_at is not None), reverse=True)
        since = max([before, *ended[max(most - 1, 0) :][:1]])
        old = [key for key, row in self._rows.items() if row.ended_at is not None and row.ended_at < since]
        for key in old:
            del self._rows[key]
        return len(old)

    def owed(self) -> list[Owed]:
        rows = [row for row in self._all() if row.state is not REPORTED]
        titles = sorted({row.commitment.calling_ae_title for row in rows})
        states = {title: [row.state for row in rows if row.commitment.calling_ae_title == title] for title in titles}
        return [
            Owed(calling_ae_title=title, waiting=sum(state in OPEN for state in of), given_up=of.count(GIVEN_UP))
            for title, of in states.items()
        ]

    def state_of(self, calling_ae_title: str, transaction_uid: str) -> list[CommitmentState]:
        mine = [row for key, row in self._rows.items() if key[:2] == (calling_ae_title, transaction_uid)]
        return [row.state for row in sorted(mine, key=lambda row: row.commitment.number)]

    def _all(self) -> list[_Row]:
        return list(self._rows.values())

    def _open(self) -> list[_Row]:
        return [row for row in self._all() if row.state in OPEN]

    def _of(self, calling_ae_titles: Collection[str]) -> list[_Row]:
        return [row for row in self._open() if row.commitment.calling_ae_title in calling_ae_titles]

    def _here(self, calling_ae_title: str, address: str, now: datetime, fresh_only: bool) -> list[_Row]:
        def due(row: _Row) -> bool:
            fresh = row.commitment.attempts == 0
            return fresh or (not fresh_only and row.not_before <= now)

        mine = (row for row in self._of([calling_ae_title]) if row.commitment.address == address)
        return [row for row in mine if row.state is WAITING and due(row)]

    def _claimed(self, row: _Row, lease_until: datetime) -> Commitment:
        held = replace(row.commitment, attempts=row.commitment.attempts + 1, token=row.commitment.token + 1)
        self._put(replace(row, commitment=held, state=SENDING, not_before=lease_until))
        return held

    def _change(self, claimed: Commitment, change: Callable[[_Row], _Row]) -> bool:
        row = next((row for row in self._all() if row.commitment.number == claimed.number), None)
        if row is None or row.state is not SENDING or row.commitment.token != claimed.token:
            return False
        self._put(change(row))
        return True

    def _put(self, row: _Row) -> None:
        key = next(key for key, known in self._rows.items() if known.commitment.number == row.commitment.number)
        self._rows[key] = row


def _over(row: _Row, state: CommitmentState, now: datetime) -> _Row:
    return replace(row, state=state, ended_at=now)
