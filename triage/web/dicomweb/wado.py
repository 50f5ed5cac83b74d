"""Retrieve Study, Series and Instance (PS3.18 10.4): whole objects, byte for byte as they were stored, piece by piece.

Where the caller names no transfer syntax it is the stored one, too: PS3.18 8.7.3 has Explicit VR Little Endian there, but a
film is never encoded anew here, and every viewer reads what its modality sent.
"""

import secrets
import threading
from collections.abc import Iterator
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from triage.archive.content import data_set_digest
from triage.domain.instance import Instance
from triage.web.dicomweb import multipart
from triage.web.dicomweb.accept import Offer
from triage.web.dicomweb.addresses import INSTANCE, ROOT, SERIES, STUDY
from triage.web.dicomweb.pieces import Pieces
from triage.web.dicomweb.refused import Refused
from triage.web.dicomweb.resources import WHOLE, Resources, form
from triage.web.previews import Films

DICOM = "application/dicom"
PIECE = 1 << 18


def router(resources: Resources) -> APIRouter:
    """The three routes."""
    routes = APIRouter(prefix=ROOT, include_in_schema=False)

    @routes.get(STUDY)
    def of_study(study: str, request: Request) -> Response:
        return answer(request, resources.instances(study))

    @routes.get(SERIES)
    def of_series(study: str, series: str, request: Request) -> Response:
        return answer(request, resources.instances(study, series))

    @routes.get(INSTANCE)
    def of_one(study: str, series: str, instance: str, request: Request) -> Response:
        return answer(request, resources.instances(study, series, instance))

    def answer(request: Request, found: list[Instance]) -> Response:
        offer = form(request, offers(found))
        there = [one for one in found if _is_intact(resources.films, one)]
        if not there:
            raise Refused(404, "the film is missing in the archive, or damaged; the administrator runs: triage verify")
        resources.site.note_image(request, found[0].study_instance_uid, WHOLE)
        if not resources.places.acquire(blocking=False):
            raise Refused(503, "too many films are on their way; try again", {"Retry-After": "1"})
        headers = (
            {}
            if len(there) == len(found)
            else {"Warning": f'299 triage "{len(found) - len(there)} films are missing or damaged"'}
        )
        status = 200 if len(there) == len(found) else 206
        return sent(resources.films, there, offer, resources.places, headers, status)

    return routes


def offers(found: list[Instance]) -> list[Offer]:
    """As stored: in parts; one film alone without them, too. Of several transfer syntaxes none can be asked for by its name."""
    syntaxes = {one.transfer_syntax_uid for one in found}
    syntax = syntaxes.pop() if len(syntaxes) == 1 else "*"
    parts = Offer(media_type=DICOM, multipart=True, transfer_syntax=syntax)
    return [parts, Offer(media_type=DICOM, transfer_syntax=syntax)] if len(found) == 1 else [parts]


def sent(
    films: Films,
    found: list[Instance],
    offer: Offer,
    place: threading.BoundedSemaphore,
    headers: dict[str, str],
    status: int = 200,
) -> Pieces:
    """The answer; nothing of it is held in memory but the piece that leaves."""
    if not offer.multipart:
        (one,) = found
        return Pieces(_bytes_of(films, one), place, _kind(one), headers, status)
    boundary = secrets.token_hex(16)
    body = multipart.written(boundary, ((_kind(one), _bytes_of(films, one)) for one in found))
    return Pieces(body, place, f'multipart/related; type="{DICOM}"; boundary={boundary}', headers, status)


def _kind(one: Instance) -> str:
    return f"{DICOM}; transfer-syntax={one.transfer_syntax_uid}"


def _bytes_of(films: Films, one: Instance) -> Iterator[bytes]:
    with films(one.digest) as stream:
        yield from iter(partial(stream.read, PIECE), b"")


def _is_intact(films: Films, one: Instance) -> bool:
    """Whether it is there, as it was received: whoever fetches it may keep it, and hand it on as what the modality sent."""
    try:
        with films(one.digest) as stream:
            return data_set_digest(stream) == one.digest
    except OSError:
        return False
