"""Store Instances (PS3.18 10.5): films in, by the same reception as C-STORE; each is answered for itself.

A body is written to a file without a name first, as it comes; only then is it received, object by object. A caller who is slow,
or never ends, holds no place in the archive, and what is wrong with an object is known before a byte of it is received.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO

import structlog
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from triage.domain.errors import ArchiveAway, CannotUnderstand, DataSetMismatch, StorageFull, TriageError
from triage.domain.instance import Instance
from triage.imaging.file_meta import FileMeta, read_file_meta
from triage.imaging.header import Header, read_header
from triage.services.receive import Claim, Reception
from triage.web.dicomweb import multipart
from triage.web.dicomweb.accept import MULTIPART, Offer, content_type
from triage.web.dicomweb.addresses import ROOT
from triage.web.dicomweb.json_model import MEDIA_TYPE, DicomJson, Model, element
from triage.web.dicomweb.multipart import Malformed
from triage.web.dicomweb.refused import Refused, uid
from triage.web.dicomweb.resources import Resources, form
from triage.web.dicomweb.spool import DICOM, Spool, Spooled, TooLarge, WrongType
from triage.web.html import present

PIECE = 1 << 18
PIECE_SECONDS = 10.0
SECONDS = 600.0
AT_ONCE = 2
MOST_TITLE = 16
"""Characters of the account's name that stand where a modality's AE title does (PS3.5 6.2)."""
NO_SUCH_CLASS = 0x0122
NO_SUCH_SYNTAX = 0xC122
"""PS3.18 Table 10.5.3-2 knows it by this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storing:
    """How films come in.

    ``begin``: of the intake's reception; ``receiving``: a place in the archive while it receives, raises ArchiveAway where the
    intake puts it right at this moment; ``classes``, ``syntaxes``: what the intake accepts; ``file_meta``: what is written
    before a data set; ``spool``: where a body waits, raises StorageFull; ``answered``: as of the intake's Store.
    """

    begin: Callable[[Claim], Reception]
    receiving: Callable[[], AbstractContextManager[None]]
    classes: frozenset[str]
    syntaxes: frozenset[str]
    file_meta: Callable[[str, str, str], bytes]
    spool: Callable[[], Spool]
    answered: Callable[[str, int, int, float], None] = lambda sender, status, size_bytes, seconds: None
    places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))


class Unstorable(TriageError):
    """The object is none that is stored here; ``status`` says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.failure = status


def router(resources: Resources, storing: Storing | None) -> APIRouter:
    """The two routes."""
    routes = APIRouter(prefix=ROOT, include_in_schema=False)

    @routes.post("/studies")
    async def anywhere(request: Request) -> Response:
        return await store(request, None)

    @routes.post("/studies/{study}")
    async def of_study(study: str, request: Request) -> Response:
        return await store(request, uid(study, "StudyInstanceUID"))

    async def store(request: Request, study: str | None) -> Response:
        if storing is None:
            raise Refused(404, "storing by DICOMweb is switched off: web.stow")
        form(request, [Offer(media_type=MEDIA_TYPE), Offer(media_type="application/json")])
        boundary = _boundary_of(request)
        if not storing.places.acquire(blocking=False):
            raise Refused(503, "too many films are coming in; try again", {"Retry-After": "1"})
        try:
            with storing.spool() as spool:
                objects = await _spooled(request, spool, boundary)
                return await run_in_threadpool(answer, storing, spool, objects, study)
        finally:
            storing.places.release()

    def answer(storing: Storing, spool: Spool, objects: list[Spooled], study: str | None) -> Response:
        stored: list[Instance] = []
        failed: list[Model] = []
        for one in objects:
            begun = time.monotonic()
            try:
                stored.append(_received(storing, spool, one, study))
                storing.answered(_sender(), 0, stored[-1].size_bytes, time.monotonic() - begun)
            except ArchiveAway as error:
                if not stored:
                    raise Refused(503, str(error), {"Retry-After": "60"}) from None
                failed.append(_failure(spool, one, error))
            except TriageError as error:
                storing.answered(_sender(), _status(error), 0, time.monotonic() - begun)
                failed.append(_failure(spool, one, error))
        return DicomJson(_told(resources, stored, failed, study), 409 if not stored else 202 if failed else 200)

    return routes


def _boundary_of(request: Request) -> str | None:
    """The boundary; ``None``: the body is one object.

    Raises:
        Refused: 415, or 400 where there is no boundary.
    """
    media_type, parameters = content_type(request.headers.get("content-type", ""))
    if media_type == DICOM:
        return None
    if media_type != MULTIPART or parameters.get("type", DICOM).lower() != DICOM:
        raise Refused(415, f'send {MULTIPART}; type="{DICOM}"; boundary=…')
    boundary = parameters.get("boundary", "")
    if not multipart.is_boundary(boundary):
        raise Refused(400, "the boundary is missing, or none")
    return boundary


async def _spooled(request: Request, spool: Spool, boundary: str | None) -> list[Spooled]:
    """Everything that comes, in the spool.

    Raises:
        Refused: 400, 408, 413, 415, 503.
    """
    take = spool.taking(multipart.Reader(boundary) if boundary is not None else None)
    pieces = request.stream().__aiter__()
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                async with asyncio.timeout(PIECE_SECONDS):
                    piece = await anext(pieces, None)
                if piece is None:
                    break
                if piece:
                    await run_in_threadpool(take.feed, piece)
        return await run_in_threadpool(take.close)
    except TimeoutError:
        raise Refused(408, "the body came too slowly", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refused(400, "the body broke off") from None
    except TooLarge as error:
        raise Refused(413, str(error), {"Connection": "close"}) from None
    except WrongType as error:
        raise Refused(415, str(error), {"Connection": "close"}) from None
    except Malformed as error:
        raise Refused(400, f"the body is not what its header says: {error}", {"Connection": "close"}) from None
    except StorageFull as error:
        raise Refused(503, str(error), {"Retry-After": "60", "Connection": "close"}) from None


def _received(storing: Storing, spool: Spool, one: Spooled, study: str | None) -> Instance:
    """The object, durable and on the list.

    Raises:
        TriageError: it is not; says why.
    """
    with spool.open(one) as stream:
        meta, header = read_file_meta(stream), read_header(stream)
        _check(storing, meta, header, study)
        claim = Claim(
            sop_class_uid=meta.sop_class_uid,
            sop_instance_uid=meta.sop_instance_uid,
            calling_ae_title=_sender(),
            file_meta=storing.file_meta(meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid),
        )
        stream.seek(meta.data_set_offset)
        with storing.receiving():
            return _copied(storing.begin(claim), stream)


def _sender() -> str:
    who = present.get()
    return (who.name if who else "STOW-RS")[:MOST_TITLE]


def _copied(reception: Reception, stream: BinaryIO) -> Instance:
    try:
        while piece := stream.read(PIECE):
            reception.write(piece)
        instance = reception.finish()
    finally:
        reception.abandon()
    if instance is None:
        raise Unstorable(NO_SUCH_CLASS, "a result of this service that comes back is not stored")
    structlog.get_logger().info("stored", sop_instance_uid=instance.sop_instance_uid, digest=instance.digest, by="STOW-RS")
    return instance


def _check(storing: Storing, meta: FileMeta, header: Header, study: str | None) -> None:
    """What C-STORE settles when the association is negotiated, and that it is the study of the address."""
    if meta.sop_class_uid not in storing.classes:
        raise Unstorable(NO_SUCH_CLASS, "the SOP class is not stored here")
    if meta.transfer_syntax_uid not in storing.syntaxes:
        raise Unstorable(NO_SUCH_SYNTAX, "the transfer syntax is not stored here")
    if study not in (None, header.study_instance_uid):
        raise DataSetMismatch("the object is of another study than the address")


def _failure(spool: Spool, one: Spooled, error: TriageError) -> Model:
    """An item of the Failed SOP Sequence, with as much of its identity as can be told (PS3.18 Table 10.5.3-1)."""
    status = _status(error)
    report = structlog.get_logger().error if error.alarm else structlog.get_logger().warning
    report("refused", status=f"{status:04X}", cause=str(error), by="STOW-RS")
    names: Model = {}
    try:
        with spool.open(one) as stream:
            header = read_header(stream)
        names = _named(header.sop_class_uid, header.sop_instance_uid)
    except (CannotUnderstand, StorageFull):
        pass
    return {**names, "00081197": element("US", status)}


def _status(error: TriageError) -> int:
    return error.failure if isinstance(error, Unstorable) else type(error).status


def _told(resources: Resources, stored: list[Instance], failed: list[Model], study: str | None) -> Model:
    """The response (PS3.18 Table 10.5.3-1)."""
    addresses = resources.addresses
    items = [
        {**_named(one.sop_class_uid, one.sop_instance_uid), "00081190": element("UR", addresses.instance(one))}
        for one in stored
    ]
    told: Model = {}
    studies = {study} if study is not None else {one.study_instance_uid for one in stored}
    if len(studies) == 1:
        told["00081190"] = element("UR", addresses.study(studies.pop() or ""))
    if failed:
        told["00081198"] = element("SQ", *failed)
    if items:
        told["00081199"] = element("SQ", *items)
    return told


def _named(sop_class_uid: str, sop_instance_uid: str) -> Model:
    return {"00081150": element("UI", sop_class_uid), "00081155": element("UI", sop_instance_uid)}
