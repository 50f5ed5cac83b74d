"""Retrieve Frames and Bulkdata (PS3.18 10.4.1.6, 10.4.1.5): pixel cells or codestreams for a viewer that renders by itself."""

import re
import secrets
from collections.abc import Iterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from triage.domain.errors import PixelError
from triage.domain.instance import Instance
from triage.imaging.stored_frame import NATIVE
from triage.web.dicomweb import multipart
from triage.web.dicomweb.accept import EXPLICIT_LITTLE, Offer
from triage.web.dicomweb.addresses import INSTANCE, ROOT
from triage.web.dicomweb.pieces import Pieces
from triage.web.dicomweb.refused import Refused, busy, unseen
from triage.web.dicomweb.resources import WHOLE, Resources, form
from triage.web.shelf import Busy

OCTETS = "application/octet-stream"
PIECE = 1 << 18
_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_JPH = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
MEDIA_TYPES: dict[str, str] = {
    **dict.fromkeys(_JPEG, "image/jpeg"),
    **dict.fromkeys(("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"), "image/jls"),
    **dict.fromkeys(("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"), "image/jp2"),
    **dict.fromkeys(_JPH, "image/jphc"),
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
"""Of a codestream, by transfer syntax (PS3.18 8.7.3.3)."""
_FRAMES = re.compile(r"[1-9][0-9]{0,4}(,[1-9][0-9]{0,4}){0,99}", re.ASCII)
_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)


def router(resources: Resources) -> APIRouter:
    """The two routes."""
    routes = APIRouter(prefix=ROOT, include_in_schema=False)

    @routes.get(f"{INSTANCE}/frames/{{frames}}")
    def frames_of(study: str, series: str, instance: str, frames: str, request: Request) -> Response:
        numbers = frame_numbers(frames)
        (one,) = resources.instances(study, series, instance)
        offer = form(request, offers(one, len(numbers)))
        decode = offer.transfer_syntax == EXPLICIT_LITTLE
        return answer(request, one, offer, (frame(one, number, decode=decode) for number in numbers))

    @routes.get(f"{INSTANCE}/bulkdata/{{tag}}")
    def bulkdata(study: str, series: str, instance: str, tag: str, request: Request) -> Response:
        if not _TAG.fullmatch(tag):
            raise Refused(400, "a tag has eight hexadecimal digits")
        (one,) = resources.instances(study, series, instance)
        offer = form(request, [Offer(media_type=OCTETS, multipart=True), Offer(media_type=OCTETS)])
        return answer(request, one, offer, iter([bulk(one, tag)]))

    def answer(request: Request, one: Instance, offer: Offer, values: Iterator[bytes]) -> Response:
        if not resources.places.acquire(blocking=False):
            raise Refused(503, "too many films are on their way; try again", {"Retry-After": "1"})
        try:
            first = next(values)  # whatever can be wrong with it is said before anything is sent
            resources.site.note_image(request, one.study_instance_uid, WHOLE)
        except BaseException:
            resources.places.release()
            raise
        kind = f"{offer.media_type}; transfer-syntax={offer.transfer_syntax}" if offer.transfer_syntax else offer.media_type
        if not offer.multipart:
            return Pieces(_cut(first), resources.places, kind, {})
        boundary = secrets.token_hex(16)
        body = multipart.written(boundary, ((kind, _cut(value)) for value in _chained(first, values)))
        return Pieces(body, resources.places, f'multipart/related; type="{offer.media_type}"; boundary={boundary}', {})

    def frame(one: Instance, number: int, *, decode: bool) -> bytes:
        try:
            found = resources.opened.frame(one.digest, number, decode=decode)
        except PixelError as error:
            raise unseen(error) from None
        except Busy as error:
            raise busy(error) from None
        if found is None:
            raise Refused(404, "the film has no frame of this number")
        return found

    def bulk(one: Instance, tag: str) -> bytes:
        try:
            found = resources.opened.bulk(one.digest, tag)
        except PixelError as error:
            raise unseen(error, 404) from None
        except Busy as error:
            raise busy(error) from None
        if found is None:
            raise Refused(404, "the film has no such value")
        return found

    return routes


def frame_numbers(text: str) -> list[int]:
    """``1`` or ``1,2``.

    Raises:
        Refused: 400: these are none, or one stands there twice.
    """
    numbers = [int(number) for number in text.split(",")] if _FRAMES.fullmatch(text) else []
    if not numbers or len(set(numbers)) < len(numbers):
        raise Refused(400, "frames are numbered from 1, with commas between them, each once, a hundred at most")
    return numbers


def offers(one: Instance, count: int) -> list[Offer]:
    """Pixel cells unless something else is asked for (PS3.18 8.7.3.4); by ``transfer-syntax=*`` as stored."""
    stored = one.transfer_syntax_uid
    cells = Offer(media_type=OCTETS, multipart=True, transfer_syntax=EXPLICIT_LITTLE)
    found = [cells]
    if stored not in NATIVE:
        found.insert(0, Offer(media_type=OCTETS, multipart=True, transfer_syntax=stored, default=False))
        if stored in MEDIA_TYPES:
            found.append(Offer(media_type=MEDIA_TYPES[stored], multipart=True, transfer_syntax=stored))
    if count == 1:
        found += [Offer(media_type=one.media_type, transfer_syntax=one.transfer_syntax, default=one.default) for one in found]
    return found


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _cut(value: bytes) -> Iterator[bytes]:
    view = memoryview(value)
    return (bytes(view[start : start + PIECE]) for start in range(0, len(view), PIECE))
