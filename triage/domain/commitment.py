"""Storage commitment (PS3.4 Annex J): what is asked, what is answered of each object, for how long it is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from hashlib import sha256

from triage.domain.errors import TriageError

SOP_CLASS_UID = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model SOP Class."""
SOP_INSTANCE_UID = "1.2.840.10008.1.20.1.1"
"""Its well-known instance (PS3.4 J.3.5): every request names it."""
TRANSFER_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit and Implicit VR Little Endian: all that requests and reports are encoded in."""

MOST_REFERENCES = 10_000
"""Objects in one request."""
MOST_BYTES = 2 << 20
"""Bytes of a request's data set: room for as many references with the longest UIDs, and some beside them."""
MOST_OPEN = 1_000
"""Requests of one AE title that wait for their report."""
MOST_OPEN_REFERENCES = 100_000
"""Objects in all requests that wait for their report, whoever asked: about 15 MB of rows."""

GRACE = timedelta(seconds=5)
"""So long a fresh request is left to the association that brought it."""
LEASE = timedelta(minutes=15)
"""So long a report may be under way: its files are read within that time."""
TRIED_FOR = timedelta(hours=24)
"""So long a report is tried to be delivered."""
KEPT_FOR = timedelta(days=30)
"""So long a request is remembered after its end: a repeat is recognised, the administrator sees what was given up."""
MOST_KEPT = 100_000
"""So many of those are remembered at most: a requestor that asks without end must not fill the disk."""
FIRST_BACKOFF, MAX_BACKOFF = timedelta(seconds=10), timedelta(hours=1)


class TooManyReferences(TriageError):
    """More objects than one request, or more requests than one requestor may have open."""


class Failure(Enum):
    """Why an object is not committed: Failure Reason (0008,1197) and what it means here (PS3.3 C.14.1.1)."""

    PROCESSING_FAILURE = (
        0x0110,
        "what is kept cannot be vouched for: read again it differs, or another object came under its UID",
    )
    NO_SUCH_INSTANCE = (0x0112, "no object of that SOP Instance UID is kept")
    CLASS_INSTANCE_CONFLICT = (0x0119, "the object is kept under another SOP Class UID")
    CLASS_NOT_SUPPORTED = (0x0122, "objects of that SOP Class UID are not stored here")
    DUPLICATE_TRANSACTION = (0x0131, "the Transaction UID was used for another list of objects")

    def __init__(self, code: int, sentence: str) -> None:
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that is asked about."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered of one object; no failure: it is committed."""

    reference: Reference
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class ActionInformation:
    """What a request for storage commitment says (PS3.4 J.3.2.1): UIDs checked, each object once, in the order given."""

    transaction_uid: str
    references: tuple[Reference, ...]

    @property
    def content(self) -> str:
        """A digest of what is asked about, whatever the order: tells a repeat from another use of the Transaction UID."""
        lines = sorted(f"{one.sop_class_uid} {one.sop_instance_uid}" for one in self.references)
        return sha256("\n".join(lines).encode("ascii")).hexdigest()


class CommitmentState(StrEnum):
    """``waiting -> sending -> reported``; back to ``waiting`` when nobody took the report, ``given_up`` in the end."""

    WAITING = "waiting"
    SENDING = "sending"
    REPORTED = "reported"
    GIVEN_UP = "given_up"


OPEN = (CommitmentState.WAITING, CommitmentState.SENDING)
"""A report is still owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A request that was accepted. ``token`` is the fencing token: a newer claim, or the same request again, has a greater one.

    ``duplicate``: the Transaction UID had been used by this AE title for another list. ``address``: where the request came
    from. ``attempts``: how often a report was begun. ``requested_at`` is this server's time, aware, UTC.
    """

    number: int
    calling_ae_title: str
    address: str
    action: ActionInformation
    requested_at: datetime
    duplicate: bool = False
    attempts: int = 0
    token: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer to a claimed request (PS3.4 J.3.3): one verdict for each object."""

    commitment: Commitment
    verdicts: tuple[Verdict, ...]

    @property
    def committed(self) -> tuple[Reference, ...]:
        """The objects that are kept, whole."""
        return tuple(verdict.reference for verdict in self.verdicts if verdict.failure is None)

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The others."""
        return tuple(verdict for verdict in self.verdicts if verdict.failure is not None)

    @property
    def event_type_id(self) -> int:
        """1: every object is committed; 2: failures exist (PS3.4 J.3.3.1)."""
        return 2 if self.failed else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What one AE title is still to be told, or was never told: for the administrator."""

    calling_ae_title: str
    waiting: int
    given_up: int


def backoff(attempts: int, chance: float) -> timedelta:
    """The wait before the next try after ``attempts`` failures: doubling, capped; ``chance`` in [0, 1) takes up to half away.

    So requestors that fail together do not come back together.
    """
    doublings = min(max(0, attempts - 1), 30)
    return min(FIRST_BACKOFF * (1 << doublings), MAX_BACKOFF) * (1 - chance / 2)
