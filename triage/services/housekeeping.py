"""Prove that acknowledged = on disk = indexed = assessed or excused; put right at start what a crash left half-way."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from os import SEEK_END
from typing import Any

from triage.domain.assessment import NotAssessed
from triage.domain.errors import DataSetMismatch, TriageError
from triage.domain.instance import QuarantinedObject
from triage.domain.jobs import JobState
from triage.domain.level import HeadStarts, Level
from triage.domain.reason import Reason
from triage.domain.study import ReadingState, with_outcome, without_model
from triage.imaging.header import read_header
from triage.services.ports import Archive, Clock, Database
from triage.services.receive import adopt

ADOPTED = "ADOPTED"
"""Stands where the calling AE title is unknown: an object found on disk without a row."""


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """What reconciliation at start found and did; every object is in exactly one of the lists."""

    leftovers_removed: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Counts and digests, for a log line."""
        return asdict(self)


def reconcile(archive: Archive, database: Database, head_starts: HeadStarts, clock: Clock) -> Reconciliation:
    """Account for every file and row after a stop or a crash. Idempotent, and itself safe to kill.

    Unfinished receipts were never acknowledged and go; a kept file without a row is indexed, or set aside when it
    cannot be; a row without its file is reported (somebody removed it: an alarm).
    """
    report = Reconciliation(leftovers_removed=archive.sweep())
    with database.read() as transaction:
        indexed = {instance.digest for instance in transaction.all_instances()}
        accounted = {one.digest for one in transaction.quarantined()}
    kept = set(archive.digests())
    for digest in sorted(kept - indexed):
        (report.adopted if _adopt(digest, archive, database, head_starts, clock) else report.quarantined).append(digest)
    for digest in sorted(set(archive.digests_aside()) - accounted - set(report.quarantined)):
        _account(database, digest, "set aside before a stop", clock())
        report.quarantined.append(digest)
    report.missing = sorted(indexed - kept)
    return report


def _adopt(digest: str, archive: Archive, database: Database, head_starts: HeadStarts, clock: Clock) -> bool:
    try:
        if not archive.is_intact(digest):
            raise DataSetMismatch("the bytes do not have the digest that names them")
        with archive.open(digest) as stream:
            header = read_header(stream)
            size = stream.seek(0, SEEK_END)
        adopt(
            header,
            digest=digest,
            size_bytes=size,
            calling_ae_title=ADOPTED,
            archive=archive,
            database=database,
            head_starts=head_starts,
            clock=clock,
        )
    except TriageError as error:
        if error.retry:
            raise
        archive.set_aside(digest)
        _account(database, digest, str(error), clock())
        return False
    return True


def _account(database: Database, digest: str, cause: str, now: datetime) -> None:
    with database.write() as transaction:
        transaction.add_quarantined(
            QuarantinedObject(
                digest=digest,
                sop_instance_uid=None,
                study_instance_uid=None,
                cause=cause,
                calling_ae_title=ADOPTED,
                received_at=now,
            )
        )


def quarantine_exhausted(database: Database, head_starts: HeadStarts, clock: Clock) -> list[str]:
    """Studies whose assessment failed too often become *not assessed: quarantined*; returns them, each once."""
    with database.read() as transaction:
        if not transaction.jobs.is_due(clock()):
            return []
    with database.write() as transaction:
        now = clock()
        exhausted = transaction.jobs.quarantine_exhausted(now)
        for uid in exhausted:
            study = transaction.study(uid)
            assert study is not None
            considered = frozenset(instance.digest for instance in transaction.instances(uid))
            outcome = NotAssessed(study_instance_uid=uid, reason=Reason.QUARANTINED, considered=considered, decided_at=now)
            transaction.add_outcome(outcome)
            transaction.put_study(with_outcome(study, outcome, head_starts))
        return exhausted


def excuse_without_model(database: Database, head_starts: HeadStarts) -> int:
    """Pending studies say *no model*; their jobs wait for one. Returns how many changed."""
    with database.read() as transaction:
        if not transaction.pending_studies():
            return 0
    with database.write() as transaction:
        pending = transaction.pending_studies()
        for study in pending:
            transaction.put_study(without_model(study, head_starts))
        return len(pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One thing that does not add up. ``what`` is a stable code; ``subject`` a UID or digest."""

    what: str
    subject: str


@dataclass(slots=True, kw_only=True)
class Verification:
    """The account: how many of each, and every gap.

    ``doubts``: studies that a person must look at, ``what`` being the code of :class:`triage.domain.doubt.Doubt`; nothing is
    lost there, so that they are no gaps. ``doubts_read``: how many more a person has read since.
    """

    acknowledged: int = 0
    on_disk: int = 0
    indexed: int = 0
    assessed: int = 0
    excused: int = 0
    waiting: int = 0
    quarantined: int = 0
    receiving: int = 0
    doubts_read: int = 0
    doubts: list[Gap] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything adds up."""
        return not self.gaps

    def as_dict(self) -> dict[str, Any]:
        """For ``triage verify --json``."""
        return {**asdict(self), "ok": self.ok}


def verify(
    archive: Archive, database: Database, progress: Callable[[int, int], None] = lambda done, total: None
) -> Verification:
    """Read every byte again and compare with every row. ``progress`` hears (done, total) objects.

    A study still waiting for its job is no gap; one that is pending without a job is.
    """
    account = Verification(receiving=len(archive.leftovers()))
    kept = set(archive.digests())
    with database.read() as transaction:
        instances = list(transaction.all_instances())
        studies = transaction.worklist(include_read=True)
        jobs = {study.study_instance_uid: transaction.jobs.state_of(study.study_instance_uid) for study in studies}
        latest = {study.study_instance_uid: transaction.outcomes(study.study_instance_uid)[-1:] for study in studies}
        quarantined = transaction.quarantined()
    set_aside = {one.digest for one in quarantined}
    named = {one.study_instance_uid for one in quarantined if one.marks}
    account.acknowledged = account.indexed = len(instances)
    account.quarantined = len(set_aside)
    for done, instance in enumerate(instances, start=1):
        if not archive.holds(instance.digest):
            account.gaps.append(Gap(what="indexed_not_on_disk", subject=instance.sop_instance_uid))
        elif not archive.is_intact(instance.digest):
            account.gaps.append(Gap(what="digest_differs", subject=instance.sop_instance_uid))
        else:
            account.on_disk += 1
        progress(done, len(instances))
    aside = set(archive.digests_aside())
    unexplained = kept - {instance.digest for instance in instances}
    unaccounted = aside - set_aside
    if unexplained or unaccounted:  # arrived meanwhile? a second look tells an object on its way from a lost one
        with database.read() as transaction:
            unexplained -= {instance.digest for instance in transaction.all_instances()}
            unaccounted -= {one.digest for one in transaction.quarantined()}
        unexplained = {digest for digest in unexplained if archive.holds(digest)}
    account.gaps += [Gap(what="on_disk_not_indexed", subject=digest) for digest in sorted(unexplained)]
    account.gaps += [Gap(what="set_aside_not_accounted", subject=digest) for digest in sorted(unaccounted)]
    if set_aside - aside:  # its row comes before it is moved
        aside |= set(archive.digests_aside())
    account.gaps += [Gap(what="quarantined_not_on_disk", subject=digest) for digest in sorted(set_aside - aside)]
    images: dict[str, set[str]] = {study.study_instance_uid: set() for study in studies}
    for instance in instances:
        images[instance.study_instance_uid].add(instance.digest)
    for study in studies:
        uid = study.study_instance_uid
        if jobs[uid] in (JobState.WAITING, JobState.RUNNING):
            account.waiting += 1
        elif study.probability is not None:
            account.assessed += 1
        elif study.network_level is Level.PENDING or study.reason is None:
            account.gaps.append(Gap(what="neither_assessed_nor_waiting", subject=uid))
        else:
            account.excused += 1
        if jobs[uid] is JobState.DONE and any(outcome.considered != images[uid] for outcome in latest[uid]):
            account.gaps.append(Gap(what="outcome_not_of_present_images", subject=uid))
        if study.images != len(images[uid]):
            account.gaps.append(Gap(what="image_count_differs", subject=uid))
        if study.doubt is not None and study.reading.state is ReadingState.READ:
            account.doubts_read += 1
        elif study.doubt is not None:
            account.doubts.append(Gap(what=study.doubt.code, subject=uid))
        if uid in named and (study.doubt is None or study.doubt.reason is None):
            account.gaps.append(Gap(what="set_aside_not_on_its_study", subject=uid))
    return account
