"""Prove that acknowledged = on disk = indexed = assessed or excused; beside everything, changing nothing."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from triage.domain.assessment import image_set
from triage.domain.fault import Fault
from triage.domain.instance import Instance
from triage.domain.jobs import JobState
from triage.domain.level import Level
from triage.domain.stray import Kind
from triage.domain.study import ReadingState
from triage.services import verify_results
from triage.services.ports import Archive, Database, Transaction
from triage.services.verify_results import Awaited

FAULTS = {Fault.DAMAGED: "digest_differs", Fault.MISSING: "indexed_not_on_disk"}
_RESTART = "restart the intake: it accounts for it"
_RESTORE = "send the film again, or put its file back from a backup"
_REPORT = "report it: a step of the service left it so"
REMEDIES = {
    "digest_differs": _RESTORE,
    "indexed_not_on_disk": _RESTORE,
    "on_disk_not_indexed": _RESTART,
    "set_aside_not_accounted": _RESTART,
    "quarantined_not_on_disk": "put the file back, or: triage quarantine discard",
    "neither_assessed_nor_waiting": _REPORT,
    "outcome_not_of_present_images": _REPORT,
    "image_count_differs": _REPORT,
    "set_aside_not_on_its_study": _REPORT,
    "fault_not_on_its_study": _REPORT,
    **verify_results.REMEDIES,
    **{f"stray_{kind.code}": kind.remedy or _RESTART for kind in Kind},
}
"""What a person does about a gap, by its code."""


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
    archive: Archive,
    database: Database,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    reading: bool = True,
    found: Callable[[Instance, Fault], None] = lambda instance, fault: None,
    awaited: Awaited | None = None,
) -> Verification:
    """Compare every file with every row; with ``reading`` by every byte, else by names and by what the scrub found.

    ``progress`` hears (done, total) objects, ``found`` what is damaged or missing. A study still waiting for its job is no gap;
    one that is pending without a job is. Whatever seems amiss is looked at twice: an object may be on its way.
    ``awaited``: where results should have arrived by now; ``None``: that is not looked at.

    Raises:
        ArchiveAway: the disk does not answer as a disk does.
    """
    account = Verification(receiving=len(archive.leftovers()))
    kept, aside = set(archive.digests()), set(archive.digests_aside())
    with database.read() as transaction:
        rows = _Rows(transaction)
        said = list(verify_results.compare_results(transaction, rows.studies, awaited))
    account.acknowledged = account.indexed = len(rows.instances)
    account.quarantined = len(rows.set_aside)
    _compare_films(account, archive, database, rows, progress, found, reading)
    _compare_files(account, archive, database, rows, kept, aside)
    _compare_studies(account, rows)
    account.gaps += [Gap(what=what, subject=subject) for what, subject in said]
    return account


class _Rows:
    """Everything that the index says, of one moment."""

    def __init__(self, transaction: Transaction) -> None:
        self.instances = list(transaction.all_instances())
        self.faults = {one.instance.digest: one.fault for one in transaction.faulty()}
        self.studies = transaction.worklist(include_read=True)
        self.jobs = transaction.jobs.states()
        self.considered = transaction.image_sets()
        self.decided = {uid for uid, _ in self.considered}
        self.set_aside = transaction.quarantined()
        self.images: dict[str, set[str]] = {study.study_instance_uid: set() for study in self.studies}
        self.faulty: set[str] = set()
        for one in self.instances:
            self.images[one.study_instance_uid].add(one.digest)
            if one.digest in self.faults:
                self.faulty.add(one.study_instance_uid)


def _compare_films(
    account: Verification,
    archive: Archive,
    database: Database,
    rows: _Rows,
    progress: Callable[[int, int], None],
    found: Callable[[Instance, Fault], None],
    reading: bool,
) -> None:
    for done, instance in enumerate(rows.instances, start=1):
        fault = archive.fault(instance.digest) if reading else _by_name(archive, rows, instance)
        if fault is not None and _is_indexed(database, instance):  # else another one took its place meanwhile
            account.gaps.append(Gap(what=FAULTS[fault], subject=instance.sop_instance_uid))
            found(instance, fault)
        account.on_disk += fault is None
        progress(done, len(rows.instances))


def _by_name(archive: Archive, rows: _Rows, instance: Instance) -> Fault | None:
    return rows.faults.get(instance.digest) if archive.holds(instance.digest) else Fault.MISSING


def _is_indexed(database: Database, instance: Instance) -> bool:
    with database.read() as transaction:
        present = transaction.instance(instance.sop_instance_uid)
    return present is not None and present.digest == instance.digest


def _compare_files(
    account: Verification, archive: Archive, database: Database, rows: _Rows, kept: set[str], aside: set[str]
) -> None:
    set_aside = {one.digest for one in rows.set_aside}
    unexplained, unaccounted = kept - {one.digest for one in rows.instances}, aside - set_aside
    if unexplained or unaccounted:  # arrived or decided meanwhile? a second look tells an object on its way from a lost one
        with database.read() as transaction:
            unexplained -= {one.digest for one in transaction.all_instances()}
            unaccounted -= {one.digest for one in transaction.quarantined()}
        unexplained = {digest for digest in unexplained if archive.holds(digest)}
        unaccounted &= set(archive.digests_aside())
    lost = set_aside - aside
    if lost:  # its row comes before it is moved, and goes before it does
        with database.read() as transaction:
            lost &= {one.digest for one in transaction.quarantined()}
        lost -= set(archive.digests_aside())
    account.gaps += [Gap(what="on_disk_not_indexed", subject=digest) for digest in sorted(unexplained)]
    account.gaps += [Gap(what="set_aside_not_accounted", subject=digest) for digest in sorted(unaccounted)]
    account.gaps += [Gap(what="quarantined_not_on_disk", subject=digest) for digest in sorted(lost)]
    account.gaps += [Gap(what=f"stray_{stray.kind.code}", subject=shown(stray.place)) for stray in archive.strays()]


def _compare_studies(account: Verification, rows: _Rows) -> None:
    named = {one.study_instance_uid for one in rows.set_aside if one.marks}
    for study in rows.studies:
        uid = study.study_instance_uid
        job, doubt, images = rows.jobs.get(uid), study.doubt, rows.images[uid]
        if job in (JobState.WAITING, JobState.RUNNING):
            account.waiting += 1
        elif study.probability is not None:
            account.assessed += 1
        elif study.network_level is Level.PENDING or study.reason is None:
            account.gaps.append(Gap(what="neither_assessed_nor_waiting", subject=uid))
        else:
            account.excused += 1
        if job is JobState.DONE and uid in rows.decided and (uid, image_set(images)) not in rows.considered:
            account.gaps.append(Gap(what="outcome_not_of_present_images", subject=uid))
        if study.images != len(images):
            account.gaps.append(Gap(what="image_count_differs", subject=uid))
        if doubt is not None and study.reading.state is ReadingState.READ:
            account.doubts_read += 1
        elif doubt is not None:
            account.doubts.append(Gap(what=doubt.code, subject=uid))
        if doubt is None or doubt.reason is None:
            account.gaps += [Gap(what=what, subject=uid) for what in _unseen(uid, named, rows.faulty)]


def _unseen(uid: str, named: set[str | None], faulty: set[str]) -> Iterator[str]:
    """What a study without a mark should say."""
    if uid in named:
        yield "set_aside_not_on_its_study"
    if uid in faulty:
        yield "fault_not_on_its_study"


def shown(place: str) -> str:
    """A place for people: whatever a file's name may hold."""
    return place.encode("utf-8", "backslashreplace").decode()
