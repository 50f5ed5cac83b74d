"""Take one object in: durable first, then indexed and listed in one transaction; only then is it acknowledged."""

from dataclasses import dataclass, replace
from datetime import datetime

from triage.domain.errors import DataSetMismatch, StorageFull
from triage.domain.instance import Instance, QuarantinedObject
from triage.domain.level import HeadStarts
from triage.domain.study import begin, with_image
from triage.imaging.header import Header, read_header
from triage.services.ports import Archive, Clock, Database, Incoming, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What the sender claims of an object (command set), and the bytes."""

    sop_class_uid: str
    sop_instance_uid: str
    calling_ae_title: str
    file_meta: bytes
    data_set: bytes | memoryview


def receive(
    received: Received, *, archive: Archive, database: Database, head_starts: HeadStarts, max_object_bytes: int, clock: Clock
) -> Instance:
    """Store, index and list one object; returning means that it may be acknowledged. The same object again: fine.

    Raises:
        StorageFull: no room, or larger than ``max_object_bytes``; nothing is kept.
        CannotUnderstand, MissingIdentifier: unreadable or without valid UIDs; nothing is kept.
        DataSetMismatch: set aside, listed among the quarantined objects.
        IndexUnavailable: the bytes are kept, the row is not: not acknowledged; found again by reconciliation.
    """
    size = len(received.file_meta) + len(received.data_set)
    if size > max_object_bytes:
        raise StorageFull(f"the object has more than {max_object_bytes} bytes")
    incoming = archive.receive(received.file_meta, size)
    try:
        incoming.write(received.data_set)
        digest = incoming.sync()
        header = _header(incoming)
        _compare(received, header, digest, incoming, database, clock)
        incoming.keep()
    finally:
        incoming.discard()
    return adopt(
        header,
        digest=digest,
        size_bytes=size,
        calling_ae_title=received.calling_ae_title,
        archive=archive,
        database=database,
        head_starts=head_starts,
        clock=clock,
    )


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
) -> Instance:
    """Index and list a kept object; one that contradicts what is indexed is set aside, the first stays untouched.

    Raises:
        DataSetMismatch: set aside.
        IndexUnavailable: not indexed.
    """
    try:
        with database.write() as transaction:
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
            return _index(transaction, instance, header, head_starts, now)
    except DataSetMismatch as mismatch:
        archive.set_aside(digest)
        _account(database, header, digest, str(mismatch), calling_ae_title, clock())
        raise


def _index(transaction: Transaction, instance: Instance, header: Header, head_starts: HeadStarts, now: datetime) -> Instance:
    known = transaction.instance(instance.sop_instance_uid)
    if known is not None:
        if known.digest == instance.digest:
            return known
        raise DataSetMismatch("an instance with this SOP Instance UID and other bytes is stored already")
    study = transaction.study(instance.study_instance_uid)
    if study is None:
        study = begin(instance.study_instance_uid, header.facts, now, head_starts)
    elif study.facts.contradicts(header.facts):
        raise DataSetMismatch("the study belongs to another patient")
    else:
        study = with_image(replace(study, facts=study.facts.completed_by(header.facts)), head_starts)
    transaction.put_study(study)
    transaction.add_instance(instance)
    transaction.jobs.enqueue(instance.study_instance_uid, now)
    return instance


def _header(incoming: Incoming) -> Header:
    try:
        with incoming.open() as stream:
            return read_header(stream)
    except OSError as error:
        raise StorageFull("the object cannot be read back") from error


def _compare(received: Received, header: Header, digest: str, incoming: Incoming, database: Database, clock: Clock) -> None:
    claimed = (received.sop_class_uid, received.sop_instance_uid)
    if claimed == (header.sop_class_uid, header.sop_instance_uid):
        return
    cause = "the UIDs of command set and data set differ"
    incoming.quarantine()
    _account(database, header, digest, cause, received.calling_ae_title, clock())
    raise DataSetMismatch(cause)


def _account(database: Database, header: Header, digest: str, cause: str, calling_ae_title: str, now: datetime) -> None:
    with database.write() as transaction:
        transaction.add_quarantined(
            QuarantinedObject(
                digest=digest,
                sop_instance_uid=header.sop_instance_uid,
                study_instance_uid=header.study_instance_uid,
                cause=cause,
                calling_ae_title=calling_ae_title,
                received_at=now,
            )
        )
