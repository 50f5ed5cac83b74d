"""Take one object in: durable first, then indexed and listed in one transaction; only then is it acknowledged."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from triage.domain.doubt import Doubt
from triage.domain.errors import ArchiveAway, DataSetMismatch, NoFilm, StorageFull, TriageError
from triage.domain.identity import PATIENT, Likeness, completed, likeness
from triage.domain.instance import SAME_PICTURE, Instance, QuarantinedObject
from triage.domain.level import HeadStarts
from triage.domain.ours import RESULT_CLASSES
from triage.domain.study import Study, begin, with_doubt, with_image
from triage.imaging.header import Header, picture_of, read_header
from triage.services.condition import account_for_damaged, note_condition
from triage.services.orders import ordered
from triage.services.ports import Archive, Clock, Database, Incoming, Transaction
from triage.services.results import place
from triage.services.set_aside import set_aside
from triage.services.standing import OTHER_PATIENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the sender claims of an object in its command set, before the first byte of it, and what is written before it."""

    sop_class_uid: str
    sop_instance_uid: str
    calling_ae_title: str
    file_meta: bytes


class Reception:
    """One object on its way in, fragment by fragment. Leave it by :meth:`finish` or :meth:`abandon`: nothing else stays.

    ``listed`` is called when a study waits for a worker, ``came_back`` with the sender's AE title when a result of ours does.

    Raises:
        StorageFull: no room above the floor.
    """

    def __init__(
        self,
        claim: Claim,
        *,
        archive: Archive,
        database: Database,
        head_starts: HeadStarts,
        max_object_bytes: int,
        clock: Clock,
        listed: Callable[[], None] = lambda: None,
        came_back: Callable[[str], None] = lambda calling_ae_title: None,
    ) -> None:
        self._claim = claim
        self._archive = archive
        self._database = database
        self._head_starts = head_starts
        self._max_object_bytes = max_object_bytes
        self._clock = clock
        self._listed = listed
        self._came_back = came_back
        self._size = len(claim.file_meta)
        self._incoming = archive.receive(claim.file_meta, self._size)

    def write(self, fragment: bytes | memoryview) -> None:
        """Append a fragment of the data set.

        Raises:
            StorageFull: no room, or the object is larger than allowed; :meth:`abandon` it.
        """
        self._size += len(fragment)
        if self._size > self._max_object_bytes:
            raise StorageFull(f"the object has more than {self._max_object_bytes} bytes")
        self._incoming.write(fragment)

    def finish(self) -> Instance | None:
        """Make it durable, index and list it; returning means that it may be acknowledged. The same object again: fine.

        ``None``: a result of ours that a PACS sends back; nothing of it is kept.

        Raises:
            StorageFull: the disk failed; nothing is kept.
            CannotUnderstand, MissingIdentifier: unreadable or without valid UIDs; nothing is kept.
            DataSetMismatch: set aside, listed among the quarantined objects.
            NoFilm: of a class that holds none, and not ours; nothing is kept.
            IndexUnavailable: the bytes are kept, the row is not: not acknowledged; found again by reconciliation.
        """
        try:
            digest = self._incoming.sync()
            header = _header(self._incoming)
            self._compare(header, digest)
            if header.ours:
                self._came_back(self._claim.calling_ae_title)
                return None
            if header.sop_class_uid in RESULT_CLASSES:
                raise NoFilm("a report or presentation state that is not ours")
            displaced = self._incoming.keep()
        finally:
            self._incoming.discard()
        instance = adopt(
            header,
            digest=digest,
            size_bytes=self._size,
            calling_ae_title=self._claim.calling_ae_title,
            displaced=displaced,
            archive=self._archive,
            database=self._database,
            head_starts=self._head_starts,
            clock=self._clock,
        )
        self._listed()
        return instance

    def abandon(self) -> None:
        """Leave nothing behind. Safe to call at any time; does nothing once finished."""
        self._incoming.discard()

    def _compare(self, header: Header, digest: str) -> None:
        if (self._claim.sop_class_uid, self._claim.sop_instance_uid) == (header.sop_class_uid, header.sop_instance_uid):
            return
        cause = "the UIDs of command set and data set differ"
        self._incoming.quarantine()
        with self._database.write() as transaction:
            quarantined = _quarantined(header, digest, cause, self._claim.calling_ae_title, self._clock())
            marks = {header.study_instance_uid: Doubt.FILM_SET_ASIDE}
            stays = set_aside(transaction, quarantined, marks, self._head_starts)
        if not stays:
            self._archive.drop_aside(digest)
        raise DataSetMismatch(cause)


def adopt(
    header: Header,
    *,
    digest: str,
    size_bytes: int,
    calling_ae_title: str,
    archive: Archive,
    database: Database,
    head_starts: HeadStarts,
    clock: Clock,
    displaced: str | None = None,
) -> Instance:
    """Index and list a kept object; one that contradicts what is indexed is set aside, the first stays untouched.

    ``displaced``: the name under which damaged bytes lie set aside that it took the place of (:meth:`Incoming.keep`).

    The row and the mark come before the move: a crash between them leaves a kept file without instance, which reconciliation
    sets aside as its row says. What is one too many of its UID goes last.

    Raises:
        DataSetMismatch: set aside; the study it came under, if any, says so (:class:`triage.domain.doubt.Doubt`), unless
            the picture is the one that is stored already.
        IndexUnavailable: not indexed.
    """
    with database.write() as transaction:
        if not archive.holds(digest):  # retention took an older copy away since it was found in its place
            raise StorageFull("the film went while it was indexed; it has to be sent again")
        now = clock()
        instance = Instance(
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            series_instance_uid=header.series_instance_uid,
            study_instance_uid=header.study_instance_uid,
            transfer_syntax_uid=header.transfer_syntax_uid,
            digest=digest,
            size_bytes=size_bytes,
            calling_ae_title=calling_ae_title,
            received_at=now,
        )
        if displaced is not None:
            account_for_damaged(transaction, displaced, instance, now)
        known = transaction.instance(instance.sop_instance_uid)
        if known is not None and known.digest == digest:
            if transaction.faulty(known.study_instance_uid):
                note_condition(transaction, archive, known, None, head_starts, now)
            return known
        study = transaction.study(instance.study_instance_uid)
        found = _contradiction(transaction, archive, known, study, header)
        if found is None:
            index(transaction, instance, study, header, head_starts, now)
            return instance
        marks, cause = found
        if (
            known is not None
            and set(marks.values()) == {Doubt.FILM_SET_ASIDE}
            and _same_picture(archive, known, header, digest)
        ):
            marks, cause = {}, SAME_PICTURE
        stays = set_aside(transaction, _quarantined(header, digest, cause, calling_ae_title, now), marks, head_starts)
    archive.set_aside(digest)
    if not stays:
        archive.drop_aside(digest)
    raise DataSetMismatch(cause)


def _contradiction(
    transaction: Transaction, archive: Archive, known: Instance | None, study: Study | None, header: Header
) -> tuple[dict[str, Doubt], str] | None:
    """What an object that must not be indexed makes of which study, and why.

    Where its SOP Instance UID is taken by a film of another study, that study is doubtful too: one of the two headers may be
    the correction of the other.
    """
    uid = header.study_instance_uid
    other = study is not None and other_patient(transaction, archive, study, header)
    if known is None and not other:
        return None
    marks = {uid: Doubt.IDENTITY_CONFLICT if other else Doubt.FILM_SET_ASIDE}
    if known is not None and known.study_instance_uid != uid:
        first = transaction.study(known.study_instance_uid)
        stranger = first is not None and likeness(first.facts, header.facts) is Likeness.OTHER
        marks[known.study_instance_uid] = Doubt.IDENTITY_CONFLICT if stranger else Doubt.FILM_SET_ASIDE
    if other:
        return marks, OTHER_PATIENT
    return marks, "an instance with this SOP Instance UID and other bytes is stored already"


def other_patient(transaction: Transaction, archive: Archive, study: Study, header: Header) -> bool:
    """Whether a film is another patient's than the study; where the study has no number to go by, than any film of it."""
    found = likeness(study.facts, header.facts)
    if found is not Likeness.UNSURE or study.facts.patient_id is not None:
        return found is Likeness.OTHER
    for one in transaction.instances(study.study_instance_uid):
        try:
            with archive.open(one.digest) as stream:
                if likeness(read_header(stream).facts, header.facts) is Likeness.OTHER:
                    return True
        except ArchiveAway:  # nobody knows whose film it is: it has to be sent again
            raise
        except (TriageError, OSError):
            continue
    return False


def _same_picture(archive: Archive, known: Instance, header: Header, digest: str) -> bool:
    """Whether an object under a taken SOP Instance UID shows what the first shows, of the same patient, study and series."""
    series = (header.study_instance_uid, header.series_instance_uid)
    if series != (known.study_instance_uid, known.series_instance_uid):
        return False
    try:
        with archive.open(known.digest) as stream:
            first, picture = read_header(stream).facts, stream.seek(0) or picture_of(stream)
        with archive.open(digest) as stream:
            again = picture_of(stream)
    except (TriageError, OSError):
        return False
    alike = all(getattr(first, name) == getattr(header.facts, name) for name in (*PATIENT, "view"))
    return alike and picture is not None and picture == again


def index(
    transaction: Transaction, instance: Instance, study: Study | None, header: Header, head_starts: HeadStarts, now: datetime
) -> None:
    """Index an instance that contradicts nothing: its study begins or grows, as its orders want it, and has a job."""
    uid = instance.study_instance_uid
    if study is None:
        study = begin(uid, header.facts, instance.received_at, head_starts)
        if any(one.marks for one in transaction.set_aside_of(uid)):
            study = with_doubt(study, Doubt.FILM_SET_ASIDE, head_starts)
    else:
        unsure = likeness(study.facts, header.facts) is Likeness.UNSURE
        study = with_image(replace(study, facts=completed(study.facts, header.facts)), head_starts)
        study = with_doubt(study, Doubt.NAMES_DIFFER, head_starts) if unsure else study
    place(transaction, ordered(transaction, study, head_starts, now), instance.received_at)
    transaction.add_instance(instance, header.attributes)
    transaction.jobs.enqueue(uid, instance.received_at)


def _header(incoming: Incoming) -> Header:
    try:
        with incoming.open() as stream:
            return read_header(stream)
    except OSError as error:
        raise StorageFull("the object cannot be read back") from error


def _quarantined(header: Header, digest: str, cause: str, calling_ae_title: str, now: datetime) -> QuarantinedObject:
    return QuarantinedObject(
        digest=digest,
        sop_instance_uid=header.sop_instance_uid,
        study_instance_uid=header.study_instance_uid,
        cause=cause,
        calling_ae_title=calling_ae_title,
        received_at=now,
    )
