"""Who did what and when, as a chain: each record's digest covers the record before it, so that a change shows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from triage.domain.storable import storable

GENESIS = "0" * 64
"""What stands before the first record."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Action(StrEnum):
    """What was done. Values are stored: add, never rename."""

    VIEW = "view"
    CLAIM = "claim"
    RELEASE = "release"
    TAKEOVER = "takeover"
    RENEW = "renew"
    READ = "read"
    UNREAD = "unread"
    STAT = "stat"
    UNSTAT = "unstat"
    EXPORT = "export"
    MODEL = "model"
    POLICY = "policy"
    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    REFUSED = "refused"
    USER = "user"
    VERIFY = "verify"
    CONFLICT = "conflict"
    CERTIFICATE = "certificate"
    COMMITMENT = "commitment"
    QUARANTINE = "quarantine"
    SCRUB = "scrub"
    DELIVERY = "delivery"
    ORDER = "order"
    RETENTION = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What happened. ``subject``: a Study Instance UID, an account's name, a bundle id …; never a patient's name.

    ``at`` is aware, UTC. ``details`` holds no secret and no fact about a patient: auditors read and export it.
    """

    at: datetime
    actor: str
    action: Action
    subject: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An entry in its place, as stored. ``at``: microseconds since 1970, UTC; ``details``: a JSON object as text."""

    sequence: int
    at: int
    actor: str
    action: str
    subject: str
    details: str
    digest: str

    @property
    def entry(self) -> AuditEntry:
        """What the record says.

        Raises:
            ValueError: it was not written by this version, or altered since.
        """
        at = _EPOCH + self.at * _MICROSECOND
        action, details = Action(self.action), json.loads(self.details)
        return AuditEntry(at=at, actor=self.actor, action=action, subject=self.subject, details=details)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which records an auditor asks for; what is ``None`` does not matter. ``since`` inclusive, ``until`` exclusive."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, record: AuditRecord) -> bool:
        """Whether it is one of them."""
        exact = ((self.action, record.action), (self.actor, record.actor), (self.subject, record.subject))
        return (
            all(asked is None or asked == found for asked, found in exact)
            and (self.since is None or record.at >= microseconds(self.since))
            and (self.until is None or record.at < microseconds(self.until))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The last record's number and digest: what a truncated chain cannot show. Number 0: nothing was recorded yet."""

    sequence: int = 0
    digest: str = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first place where the chain does not hold, and how it shows."""

    sequence: int
    what: str


def canonical(record: AuditRecord, previous: str) -> str:
    """What a record's digest covers: JSON, keys sorted, no spaces, ASCII. ``previous``: the digest before it."""
    covered = {
        "sequence": record.sequence,
        "at": record.at,
        "actor": record.actor,
        "action": record.action,
        "subject": record.subject,
        "details": record.details,
        "previous": previous,
    }
    return json.dumps(covered, sort_keys=True, separators=(",", ":"), default=repr)  # repr: a value of a type we never write


def microseconds(moment: datetime) -> int:
    """An aware time as a record holds it."""
    return (moment - _EPOCH) // _MICROSECOND


def digest_after(previous: str, record: AuditRecord) -> str:
    """The digest a record must have: SHA-256 of :func:`canonical`, 64 lower-case hexadecimal digits."""
    return sha256(canonical(record, previous).encode("ascii")).hexdigest()


def chained(head: AuditHead, entry: AuditEntry) -> AuditRecord:
    """The entry as the record after ``head``."""
    bare = AuditRecord(
        sequence=head.sequence + 1,
        at=microseconds(entry.at),
        actor=storable(entry.actor),
        action=entry.action.value,
        subject=storable(entry.subject),
        details=json.dumps(dict(entry.details), sort_keys=True),
        digest="",
    )
    return AuditRecord(**{name: getattr(bare, name) for name in _COVERED}, digest=digest_after(head.digest, bare))


def first_break(records: Iterable[AuditRecord], head: AuditHead | None, anchors: Sequence[AuditHead]) -> Break | None:
    """Where the chain breaks first; ``None``: it holds from the first record to ``head`` and through every anchor.

    ``records`` come by number. ``head`` is what the database says of its end, ``anchors`` what was noted apart from it.
    """
    noted: dict[int, set[str]] = {}
    for anchor in anchors:
        noted.setdefault(anchor.sequence, set()).add(anchor.digest)
    last = AuditHead()
    for record in records:
        if record.sequence != last.sequence + 1:
            return Break(sequence=last.sequence + 1, what=f"the record is missing; the next one there is {record.sequence}")
        if digest_after(last.digest, record) != record.digest:
            return Break(sequence=record.sequence, what="the record or the one before it was altered: its digest does not fit")
        if noted.pop(record.sequence, {record.digest}) != {record.digest}:
            return Break(sequence=record.sequence, what="the digest is not the one that was anchored: the chain was rewritten")
        last = AuditHead(sequence=record.sequence, digest=record.digest)
    noted.pop(0, None)
    if noted:
        return Break(sequence=last.sequence + 1, what=f"the chain ends before record {max(noted)}, which was anchored")
    if head is None:
        return Break(sequence=last.sequence + 1, what="the note of the chain's end is missing")
    if head != last:
        what = f"the chain ends at record {last.sequence}, which is not the end that is noted ({head.sequence})"
        return Break(sequence=last.sequence + 1, what=what)
    return None


_COVERED = tuple(name for name in AuditRecord.__dataclass_fields__ if name != "digest")
