"""Storage commitment (PS3.4 Annex J): take a request in, read every object again, tell the requestor until it has heard.

Nothing is called committed that was not read from the disk after the request came: each try to tell reads anew.
"""

from collections.abc import Collection
from contextlib import suppress

from triage.domain.audit import Action, AuditEntry
from triage.domain.commitment import (
    GRACE,
    KEPT_FOR,
    LEASE,
    MOST_KEPT,
    MOST_OPEN,
    MOST_OPEN_REFERENCES,
    TRIED_FOR,
    ActionInformation,
    Commitment,
    Failure,
    Reference,
    Report,
    TooManyReferences,
    Verdict,
    backoff,
)
from triage.domain.errors import ArchiveAway, AuditBroken, TriageError
from triage.domain.instance import Instance
from triage.imaging.header import read_header
from triage.services.audit import SYSTEM
from triage.services.ports import Archive, Clock, Database, Transaction


def accept(action: ActionInformation, *, calling_ae_title: str, address: str, database: Database, clock: Clock) -> Commitment:
    """Commit a request to the database; returning means that a report is owed. The same request again starts over.

    Raises:
        TooManyReferences: this requestor, or all together, wait for too many reports.
        IndexUnavailable: not accepted.
    """
    with database.write() as transaction:
        store, now = transaction.commitments, clock()
        if store.open_requests(calling_ae_title) >= MOST_OPEN:
            raise TooManyReferences(f"{MOST_OPEN} requests of this AE title wait for their report")
        if store.open_references() + len(action.references) > MOST_OPEN_REFERENCES:
            raise TooManyReferences(f"requests for {MOST_OPEN_REFERENCES} objects wait for their report")
        return store.put(action, calling_ae_title, address, now, now + GRACE, now + TRIED_FOR)


def claim(calling_ae_titles: Collection[str], database: Database, clock: Clock) -> Commitment | None:
    """The request whose report is due to one of these AE titles, for whoever opens an association to tell it."""
    with database.write() as transaction:
        now = clock()
        return transaction.commitments.claim(calling_ae_titles, now, now + LEASE)


def claim_here(calling_ae_title: str, address: str, *, fresh_only: bool, database: Database, clock: Clock) -> Commitment | None:
    """A request of a requestor who is connected; see :meth:`CommitmentStore.claim_here`. Costs a read where there is none."""
    now = clock()
    with database.read() as transaction:
        if not transaction.commitments.is_due_here(calling_ae_title, address, now, fresh_only):
            return None
    with database.write() as transaction:
        return transaction.commitments.claim_here(calling_ae_title, address, now, now + LEASE, fresh_only)


def judge(commitment: Commitment, *, archive: Archive, database: Database, supported: Collection[str]) -> Report:
    """One verdict for each object, from the index and then from the disk: whole files are read, one after the other.

    ``supported``: the SOP classes that are stored here.

    Raises:
        IndexUnavailable, ArchiveAway: nothing can be said now.
    """
    references = commitment.action.references
    if commitment.duplicate:
        return _report(commitment, [Failure.DUPLICATE_TRANSACTION] * len(references))
    with database.read() as transaction:
        looked_up = [_look_up(transaction, one, commitment.calling_ae_title, supported) for one in references]
    return _report(commitment, [one if isinstance(one, Failure) else _read_again(archive, one) for one in looked_up])


def _report(commitment: Commitment, failures: list[Failure] | list[Failure | None]) -> Report:
    pairs = zip(commitment.action.references, failures, strict=True)
    return Report(commitment=commitment, verdicts=tuple(Verdict(reference, failure) for reference, failure in pairs))


def _look_up(transaction: Transaction, reference: Reference, requestor: str, supported: Collection[str]) -> Failure | Instance:
    """What is kept under the UID, or why it cannot be committed.

    Where other bytes came under the same UID and were set aside, nobody can say which of the two the requestor means; what
    this requestor itself was refused is not committed to it even where the picture is the same.
    """
    instance = transaction.instance(reference.sop_instance_uid)
    if instance is None:
        known = reference.sop_class_uid in supported
        return Failure.NO_SUCH_INSTANCE if known else Failure.CLASS_NOT_SUPPORTED
    if instance.sop_class_uid != reference.sop_class_uid:
        return Failure.CLASS_INSTANCE_CONFLICT
    refused = transaction.set_aside_under(reference.sop_instance_uid)
    if any(one.marks or one.calling_ae_title == requestor for one in refused):
        return Failure.PROCESSING_FAILURE
    return instance


def _read_again(archive: Archive, instance: Instance) -> Failure | None:
    # after a failed sync nobody knows what is on the disk, whatever reading gives
    whole = archive.failure() is None and archive.fault(instance.digest) is None and _says_what_it_is(archive, instance)
    return None if whole else Failure.PROCESSING_FAILURE


def _says_what_it_is(archive: Archive, instance: Instance) -> bool:
    """Whether the file can be read as what was received: the digest covers the data set, not what stands before it."""
    try:
        with archive.open(instance.digest) as stream:
            header = read_header(stream)
    except ArchiveAway:
        raise
    except (TriageError, OSError):
        return False
    same = ("sop_class_uid", "sop_instance_uid", "transfer_syntax_uid")
    return all(getattr(header, name) == getattr(instance, name) for name in same)


def delivered(report: Report, *, database: Database, clock: Clock) -> bool:
    """The requestor has taken the report; ``False``: it was asked again meanwhile, and is to be told again."""
    commitment = report.commitment
    with database.write() as transaction:
        now = clock()
        if not transaction.commitments.finish(commitment, len(report.failed), now):
            return False
        told = {"committed": str(len(report.committed)), "failed": str(len(report.failed))}
        _record(transaction, commitment, told, clock)
        return True


def undelivered(
    commitment: Commitment, cause: str, *, chance: float, unreachable: bool, database: Database, clock: Clock
) -> bool:
    """The report was not taken: it waits for its next try. ``unreachable``: so does whatever else is owed to that AE title.

    ``chance`` in [0, 1): see :func:`triage.domain.commitment.backoff`. ``False``: the claim had run out.
    """
    with database.write() as transaction:
        not_before = clock() + backoff(commitment.attempts, chance)
        held = transaction.commitments.retry(commitment, cause, not_before)
        if unreachable:
            transaction.commitments.defer(commitment.calling_ae_title, not_before)
        return held


def give_up(database: Database, clock: Clock) -> list[Commitment]:
    """Requests that nobody could be told about within :data:`TRIED_FOR`: audited, for the administrator; each once."""
    with database.write() as transaction:
        over = transaction.commitments.give_up(clock())
        for commitment in over:
            told = {"objects": str(len(commitment.action.references)), "told": "no", "tries": str(commitment.attempts)}
            _record(transaction, commitment, told, clock)
        return over


def forget(database: Database, clock: Clock) -> int:
    """Drop requests that ended longer ago than :data:`KEPT_FOR`, or are too many; returns how many."""
    with database.write() as transaction:
        return transaction.commitments.forget(clock() - KEPT_FOR, MOST_KEPT)


def recover(database: Database, clock: Clock) -> int:
    """At start: claims of a process that is gone end, their reports are due. Returns how many."""
    with database.write() as transaction:
        return transaction.commitments.recover(clock())


def _record(transaction: Transaction, commitment: Commitment, told: dict[str, str], clock: Clock) -> None:
    details = {"sender": commitment.calling_ae_title, **told}
    subject = commitment.action.transaction_uid
    entry = AuditEntry(at=clock(), actor=SYSTEM, action=Action.COMMITMENT, subject=subject, details=details)
    with suppress(AuditBroken):  # whoever broke the chain must not keep the row open; the scheduler reports the break
        transaction.append_audit(entry)
