"""What a person decides on an object that was set aside: it joins or replaces, or its bytes go. Nothing else lifts a mark.

Released: the file is moved to its place before the row says so, a replaced film is moved away after. Discarded: the row first,
then the bytes. Wherever a crash comes between, the row says at the next start what is to be done
(:mod:`triage.services.reconcile`).
"""

from dataclasses import dataclass
from datetime import datetime
from os import SEEK_END

from triage.domain.audit import Action, AuditEntry
from triage.domain.errors import DecisionRefused, TriageError
from triage.domain.instance import REPLACED, Decision, Instance, QuarantinedObject
from triage.domain.level import HeadStarts
from triage.domain.study import with_film_replaced
from triage.imaging.header import Header, read_header
from triage.services.audit import with_way
from triage.services.condition import account_for_damaged, note_condition
from triage.services.orders import ordered
from triage.services.ports import Archive, Clock, Database, Transaction
from triage.services.receive import index, other_patient
from triage.services.results import place
from triage.services.standing import facts_of_present, place_anew, touched

NOT_THERE = "nothing that lies set aside has this digest; see: triage quarantine"
NOT_WHOLE = "its bytes are no whole film that can be read: have it sent again, or discard it"
OTHER_PATIENT = "its study belongs to another patient: have it sent again under a Study Instance UID of its own"
NEEDED = "the film itself is damaged or gone, and this is a whole copy: release it, it takes its place"
OTHER_STUDY = "a film of another study has its SOP Instance UID: have it sent again under UIDs of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """Who decides, and why. ``because`` stays in the row: it can tell of a patient, and the audit is exported."""

    by: str
    because: str


def release(
    digest: str, deciding: Deciding, *, archive: Archive, database: Database, head_starts: HeadStarts, clock: Clock
) -> Instance:
    """Index an object that was set aside, under the UIDs of its data set; returns the instance.

    One of the same SOP Instance UID with other bytes leaves its place and is set aside in its stead: a person's decision,
    nothing is deleted. The study is assessed anew.

    Raises:
        DecisionRefused: nothing undecided has this digest, it cannot be read, or it contradicts the study that it names as the
            rows stand now; the message has the remedy.
    """
    _check(deciding)
    with archive.settling():
        with database.read() as transaction:
            _undecided(transaction, digest)
        header, size_bytes = _film(archive, digest)
        with _Move(archive, digest) as move, database.write() as transaction:
            one, now = _undecided(transaction, digest), clock()
            known = _known(transaction, archive, header, digest)
            instance = _instance(header, one, size_bytes)
            _decide(transaction, one, Decision.RELEASED, deciding, now)
            if known is not None and known.digest == digest:
                instance = known
                _mend(transaction, archive, known, head_starts, now)
            elif known is not None:
                move.into_place()
                _replace(transaction, archive, known, instance, head_starts, now)
            else:
                move.into_place()
                index(transaction, instance, transaction.study(instance.study_instance_uid), header, head_starts, now)
            for uid in touched(transaction, one):
                place_anew(transaction, archive, uid, head_starts, now)
        if known is not None and known.digest != digest:
            archive.set_aside(known.digest)
        archive.drop_aside(digest)  # a second copy of what is in its place
    return instance


def discard(
    digest: str, deciding: Deciding, *, archive: Archive, database: Database, head_starts: HeadStarts, clock: Clock
) -> QuarantinedObject:
    """Delete the bytes of an object that was set aside; its row stays and says who, when and why. Returns what it was.

    Raises:
        DecisionRefused: nothing undecided has this digest, or these are the only whole bytes of a film that is indexed.
    """
    _check(deciding)
    with archive.settling():
        with database.write() as transaction:
            one, now = _undecided(transaction, digest), clock()
            if transaction.digests(digest) and archive.is_intact_aside(digest) and not archive.is_intact(digest):
                raise DecisionRefused(NEEDED)
            studies = touched(transaction, one)
            _decide(transaction, one, Decision.DISCARDED, deciding, now)
            for uid in studies:
                place_anew(transaction, archive, uid, head_starts, now)
        archive.drop_aside(digest)
    return one


def found(transaction: Transaction, digest: str) -> QuarantinedObject:
    """The object of a digest, or of the beginning of one; decided or not.

    Raises:
        DecisionRefused: there is none, or more than one begins so.
    """
    whole = transaction.quarantined_object(digest)
    every = [] if whole or not digest else transaction.quarantined(decided=True)
    fits = [whole] if whole else [one for one in every if one.digest.startswith(digest)]
    if len(fits) > 1:
        raise DecisionRefused("more than one digest begins so; give more of it")
    if not fits:
        raise DecisionRefused(NOT_THERE)
    return fits[0]


def _check(deciding: Deciding) -> None:
    if not deciding.by.strip() or not deciding.because.strip():
        raise DecisionRefused("say who decides and why: --as USER --because TEXT")


def _undecided(transaction: Transaction, digest: str) -> QuarantinedObject:
    one = transaction.quarantined_object(digest)
    if one is None or one.decision is not None:
        raise DecisionRefused(NOT_THERE)
    return one


def _film(archive: Archive, digest: str) -> tuple[Header, int]:
    try:
        with archive.open_aside(digest) as stream:
            header, size = read_header(stream), stream.seek(0, SEEK_END)
    except (TriageError, OSError):
        raise DecisionRefused(NOT_WHOLE) from None
    if not archive.is_intact_aside(digest):
        raise DecisionRefused(NOT_WHOLE)
    return header, size


def _known(transaction: Transaction, archive: Archive, header: Header, digest: str) -> Instance | None:
    """The film that has its SOP Instance UID, if any."""
    known, study = transaction.instance(header.sop_instance_uid), transaction.study(header.study_instance_uid)
    if known is not None and known.study_instance_uid != header.study_instance_uid:
        raise DecisionRefused(OTHER_STUDY)
    if study is not None and (known is None or known.digest != digest) and other_patient(transaction, archive, study, header):
        raise DecisionRefused(OTHER_PATIENT)
    return known


def _instance(header: Header, one: QuarantinedObject, size_bytes: int) -> Instance:
    return Instance(
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        series_instance_uid=header.series_instance_uid,
        study_instance_uid=header.study_instance_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        digest=one.digest,
        size_bytes=size_bytes,
        calling_ae_title=one.calling_ae_title,
        received_at=one.received_at,
    )


class _Move:
    """Moves a file among the kept ones; back again where the rows do not follow."""

    def __init__(self, archive: Archive, digest: str) -> None:
        self._archive, self._digest, self._moved = archive, digest, False

    def into_place(self) -> None:
        self._moved = True
        self._archive.take_back(self._digest)

    def __enter__(self) -> "_Move":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and self._moved:
            self._archive.set_aside(self._digest)


def _mend(transaction: Transaction, archive: Archive, known: Instance, head_starts: HeadStarts, now: datetime) -> None:
    """The film is indexed already: where its own file is damaged or gone, this one takes its place."""
    if not archive.is_intact(known.digest):
        if archive.holds(known.digest):
            account_for_damaged(transaction, archive.displace(known.digest), known, now)
        archive.take_back(known.digest)
    note_condition(transaction, archive, known, None, head_starts, now)


def _replace(
    transaction: Transaction, archive: Archive, known: Instance, instance: Instance, head_starts: HeadStarts, now: datetime
) -> None:
    transaction.remove_instance(known.sop_instance_uid)
    if archive.holds(known.digest):  # else there is nothing that could lie set aside
        transaction.add_quarantined(_replaced(known))
    transaction.add_instance(instance)
    study = transaction.study(instance.study_instance_uid)
    assert study is not None
    facts, _ = facts_of_present(transaction, archive, study)
    place(transaction, ordered(transaction, with_film_replaced(study, facts, head_starts), head_starts, now), now)
    transaction.jobs.enqueue(study.study_instance_uid, now)


def _replaced(known: Instance) -> QuarantinedObject:
    return QuarantinedObject(
        digest=known.digest,
        sop_instance_uid=known.sop_instance_uid,
        study_instance_uid=known.study_instance_uid,
        cause=REPLACED,
        calling_ae_title=known.calling_ae_title,
        received_at=known.received_at,
    )


def _decide(transaction: Transaction, one: QuarantinedObject, decision: Decision, deciding: Deciding, now: datetime) -> None:
    transaction.decide(one.digest, decision, now, deciding.by, deciding.because)
    details = with_way({"decision": decision.value, "cause": one.cause, "digest": one.digest})
    subject = one.study_instance_uid or one.digest
    entry = AuditEntry(at=now, actor=deciding.by, action=Action.QUARANTINE, subject=subject, details=details)
    transaction.append_audit(entry)
