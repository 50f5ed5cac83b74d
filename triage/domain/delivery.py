"""Sending a result to another system: what can be sent, how a try ends, in which states a delivery is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from triage.domain.errors import TriageError


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomObject:
    """One SOP Instance that we made: ``content`` is a whole Part 10 file (PS3.10)."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the peer said when it took a result. ``status``: its own word (``0x0000``, ``HTTP 200``, ``AA``).

    ``committed``: whether it has also said that it will keep the objects (PS3.4 Annex J); ``None``: it was not asked.
    """

    status: str
    committed: bool | None = None


class NotDelivered(TriageError):
    """A try that failed. The message names the peer's word and holds no patient data. ``status`` on the wire is not ours."""

    alarm: ClassVar[bool] = False
    retry: ClassVar[bool] = True


class PeerAway(NotDelivered):
    """The peer does not answer, or says that it cannot take anything now: the same thing may work later."""


class PeerRefused(NotDelivered):
    """The peer will not take it however often it is sent: a person has to look."""

    alarm, retry = True, False


class UnknownDelivery(TriageError):
    """There is no delivery, or no destination, with which this could be done; the message has the remedy."""


class DeliveryState(StrEnum):
    """Where a result is on its way to one destination. Values are stored."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    REFUSED = "refused"
    SUPERSEDED = "superseded"


WAITING, SENDING, DELIVERED, REFUSED, SUPERSEDED = DeliveryState
OPEN = (WAITING, SENDING)
"""It is still to arrive."""


class Step(StrEnum):
    """What can happen to a delivery."""

    CLAIM = "claim"
    TAKEN = "taken"
    REFUSED = "refused"
    PUT_OFF = "put off"
    OVERTAKEN = "overtaken"
    REPLAY = "replay"
    LOST = "lost"


STEPS: dict[tuple[DeliveryState, Step], DeliveryState] = {
    (WAITING, Step.CLAIM): SENDING,
    (SENDING, Step.CLAIM): SENDING,  # its claim has run out: whoever held it is gone
    (SENDING, Step.TAKEN): DELIVERED,
    (SENDING, Step.REFUSED): REFUSED,
    (SENDING, Step.PUT_OFF): WAITING,
    (WAITING, Step.OVERTAKEN): SUPERSEDED,  # only what was never tried: see overtaken()
    (REFUSED, Step.REPLAY): WAITING,
    (DELIVERED, Step.LOST): WAITING,  # the peer says that it does not keep what it took
    (REFUSED, Step.OVERTAKEN): SUPERSEDED,  # a person asks for it again, and a later result counts by now
}
"""Every step that there is; *superseded* has none."""

NOT_KEPT = "the peer took it, and says that it does not keep it"
FIRST_BACKOFF, MAX_BACKOFF = timedelta(seconds=2), timedelta(minutes=10)
LEASE_BEYOND = timedelta(seconds=60)
"""A claim lasts so much longer than the most that one try takes."""
MOST_FAULTS = 5
"""So often is a result tried whose sending fails here, for a cause nobody foresaw; then a person has to look."""
LONG = timedelta(minutes=10)
"""A result that waits longer than this is said on the pages."""
OVERDUE = timedelta(days=1)
"""A result that waits longer than this is a gap of the account (``triage verify``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A result on its way to one destination.

    ``number``: that of the result within its study. ``token`` is the fencing token: a newer claim has a greater one.
    ``not_before``: when the next try is due, or the claim runs out. ``status``, ``committed``: the receipt's; ``error``: how
    the last try failed. Times are aware, UTC.
    """

    id: int
    destination: str
    study_instance_uid: str
    number: int
    state: DeliveryState
    created_at: datetime
    not_before: datetime
    attempts: int = 0
    token: int = 0
    tried_at: datetime | None = None
    ended_at: datetime | None = None
    status: str | None = None
    committed: bool | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationState:
    """How one destination stands. ``since``: results from then on go there.

    ``failures``: tries in a row that it did not answer, the first at ``away_since``; none is made before ``not_before``.
    """

    name: str
    since: datetime
    failures: int = 0
    away_since: datetime | None = None
    not_before: datetime | None = None
    waiting: int = 0
    refused: int = 0
    delivered: int = 0
    superseded: int = 0
    oldest_waiting: datetime | None = None
    last_delivered_at: datetime | None = None
    error: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether the last that it was sent was refused: it may refuse all."""
        return self.refused > 0 and self.away_since is None and self.error is not None

    def trouble(self, now: datetime) -> str | None:
        """What an administrator has to know, or ``None``."""
        if self.away_since is not None and self.waiting:
            since = self.away_since.astimezone()
            when = f"{since:%H:%M}" if now - self.away_since < OVERDUE else f"{since:%Y-%m-%d %H:%M}"
            return f"{self.name}: no answer since {when}, {counted(self.waiting)} wait{'s' if self.waiting == 1 else ''}"
        if self.refused:
            return f"{counted(self.refused)} refused by {self.name}; see: triage deliveries"
        return None


def counted(results: int) -> str:
    """``1 result``, ``12 results``."""
    return f"{results} result" + ("" if results == 1 else "s")


def overtaken(number: int, attempts: int, latest: int) -> bool:
    """Whether a waiting delivery need not be sent any more: never tried, and a later result of its study waits behind it.

    One that was tried may have arrived, whatever we heard of it: it is sent again, so that the next can name it.
    """
    return attempts == 0 and number < latest


def backoff(failures: int, chance: float) -> timedelta:
    """The wait after so many failures in a row: anything from the first wait up to a bound that doubles; ``chance`` in [0, 1).

    So those that fail together do not come back together, and a peer that is back is found within ten minutes.
    """
    doublings = min(max(0, failures - 1), 30)
    bound = min(FIRST_BACKOFF * 2 * (1 << doublings), MAX_BACKOFF)
    return FIRST_BACKOFF + (bound - FIRST_BACKOFF) * chance
