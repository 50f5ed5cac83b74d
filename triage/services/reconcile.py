"""Put right at start what a stop or a crash left half-way, and account for whatever else lies in the archive.

By names and rows: bytes are read only of what has no row, so that a large archive starts as soon as a small one. Where file and
row disagree on what was decided, the row says what is to be done: every step that moves an object can be taken again.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from os import SEEK_END
from typing import Any

from triage.domain.doubt import Doubt
from triage.domain.errors import ArchiveAway, TriageError
from triage.domain.fault import Fault
from triage.domain.identifiers import DIGEST_PREFIXES
from triage.domain.instance import RETIRED, SECOND_COPY, Decision, Instance, QuarantinedObject
from triage.domain.level import HeadStarts
from triage.domain.study import with_doubt
from triage.imaging.header import read_header
from triage.services.condition import note_condition
from triage.services.ports import Archive, Clock, Database
from triage.services.receive import adopt
from triage.services.results import place
from triage.services.set_aside import record_conflict

ADOPTED = "ADOPTED"
"""Stands where the calling AE title is unknown: an object found on disk without a row."""
FOUND = "found in the archive without a row"
MARKED = 1000
"""So many missing films are seen on their studies at once. More at one time is a disk that is not there: nothing is marked, and
the intake says so."""


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """What reconciliation at start found and did, by digest or, of strays, place; every object is in exactly one of the lists.

    ``settled``: strays that were given the place that their content asks for, and accounted for there.
    ``strays``: what is no file, or cannot be read, and was left alone, for a person. ``discarded``: as a person had decided.
    ``taken_back``: an indexed film that lay set aside. ``missing``: indexed, and not in the archive.
    """

    leftovers_removed: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """What each list holds; a log line takes the counts."""
        return asdict(self)


QUIET = timedelta(minutes=10)
"""What was written so long ago nobody receives any more: the listener's and the database's patience ended long before."""


def reconcile(
    archive: Archive, database: Database, head_starts: HeadStarts, clock: Clock, quiet: timedelta = timedelta(0)
) -> Reconciliation:
    """Account for every file and row after a stop or a crash. Idempotent, and itself safe to kill.

    Unfinished receipts were never acknowledged and go; a kept file without a row is indexed, or set aside when it cannot be; a
    row without its file is reported and seen on its study. Only while nothing is being received; where other nodes may receive,
    with ``quiet`` = :data:`QUIET`: what was written since then is left to whoever is receiving it, for a later look.
    """
    steps = _Steps(archive, database, head_starts, clock, quiet)
    with archive.settling():
        steps.report.leftovers_removed = archive.sweep(quiet)
        steps.settle_strays()
        for prefix in DIGEST_PREFIXES:
            steps.look_at_kept(prefix)
        steps.look_at_set_aside()
    steps.look_for_missing()
    return steps.report


class _Steps:
    def __init__(self, archive: Archive, database: Database, head_starts: HeadStarts, clock: Clock, quiet: timedelta) -> None:
        self._quiet = quiet
        self._archive = archive
        self._database = database
        self._head_starts = head_starts
        self._clock = clock
        self._absent: set[str] = set()
        self.report = Reconciliation()

    def settle_strays(self) -> None:
        for stray in self._archive.strays():
            moved = self._archive.settle(stray) is not None
            (self.report.settled if moved else self.report.strays).append(stray.place)

    def look_at_kept(self, prefix: str) -> None:
        with self._database.read() as transaction:
            indexed = transaction.digests(prefix)
        kept = set(self._archive.digests(prefix))
        self._absent |= indexed - kept
        for digest in self._left(kept - indexed):
            with self._database.read() as transaction:
                row = transaction.quarantined_object(digest)
            if row is not None and (row.decision is None or row.cause == RETIRED):  # a crash between the row and the move
                self._archive.set_aside(digest)
                self.report.quarantined.append(digest)
            else:
                self._adopt(digest)

    def look_at_set_aside(self) -> None:
        with self._database.read() as transaction:
            accounted = {one.digest for one in transaction.quarantined()}
        for digest in self._left(set(self._archive.digests_aside()) - accounted):
            with self._database.read() as transaction:
                row, indexed = transaction.quarantined_object(digest), digest in transaction.digests(digest)
            if row is not None and row.decision is Decision.DISCARDED:
                self._archive.drop_aside(digest)
                self.report.discarded.append(digest)
            elif indexed and self._archive.fault(digest) is not None and self._archive.is_intact_aside(digest):
                self._take_back(digest)
            else:
                self._account(digest, SECOND_COPY if indexed else FOUND)

    def _left(self, digests: set[str]) -> list[str]:
        return [digest for digest in sorted(digests) if self._archive.is_quiet(digest, self._quiet)]

    def look_for_missing(self) -> None:
        self.report.missing = sorted(digest for digest in self._absent if not self._archive.holds(digest))
        if not 0 < len(self.report.missing) <= MARKED:
            return
        lost = set(self.report.missing)
        for instance in self._instances(lost):
            with self._database.write() as transaction:
                note_condition(transaction, self._archive, instance, Fault.MISSING, self._head_starts, self._clock())

    def _instances(self, digests: set[str]) -> Iterator[Instance]:
        with self._database.read() as transaction:
            found = [one for one in transaction.all_instances() if one.digest in digests]
        yield from found

    def _adopt(self, digest: str) -> None:
        try:
            if self._archive.fault(digest) is not None:
                self._account(self._archive.displace(digest), FOUND)
                return
            with self._archive.open(digest) as stream:
                header = read_header(stream)
                size = stream.seek(0, SEEK_END)
            adopt(
                header,
                digest=digest,
                size_bytes=size,
                calling_ae_title=ADOPTED,
                archive=self._archive,
                database=self._database,
                head_starts=self._head_starts,
                clock=self._clock,
            )
        except ArchiveAway:  # one file that cannot be read must not keep the others out
            self.report.strays.append(digest)
        except TriageError as error:
            if error.retry:
                raise
            self._account(digest, str(error))
            self._archive.set_aside(digest)
        else:
            self.report.adopted.append(digest)

    def _take_back(self, digest: str) -> None:
        if self._archive.holds(digest):
            self._account(self._archive.displace(digest), FOUND)
        self._archive.take_back(digest)
        self.report.taken_back.append(digest)

    def _account(self, digest: str, cause: str) -> None:
        """A row for what lies set aside without one, and the mark of the study that its header names, if it can be read."""
        self.report.quarantined.append(digest)
        with self._database.write() as transaction:
            one = self._described(digest, cause, self._clock())
            if not transaction.add_quarantined(one):
                return
            study = transaction.study(one.study_instance_uid) if one.study_instance_uid and one.marks else None
            marks = {study.study_instance_uid: Doubt.FILM_SET_ASIDE} if study else {}
            if study is not None:
                place(transaction, with_doubt(study, Doubt.FILM_SET_ASIDE, self._head_starts), self._clock())
            record_conflict(transaction, one, marks)

    def _described(self, digest: str, cause: str, now: datetime) -> QuarantinedObject:
        try:
            with self._archive.open_aside(digest) as stream:
                header = read_header(stream)
        except (TriageError, OSError):
            header = None
        return QuarantinedObject(
            digest=digest,
            sop_instance_uid=header.sop_instance_uid if header else None,
            study_instance_uid=header.study_instance_uid if header else None,
            cause=cause,
            calling_ae_title=ADOPTED,
            received_at=now,
        )
