"""Retrieve Rendered and Thumbnail (PS3.18 10.4.1.1.3, 10.4.1.1.5): the study page's preview as a picture, not for diagnosis.

A picture leaves the page that says so; the words go along, on a strip below the film. A thumbnail only shows which film it is.
"""

import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from starlette.requests import Request
from starlette.responses import Response

from triage.domain.errors import PixelError
from triage.domain.instance import Instance
from triage.web.darkroom import Print
from triage.web.dicomweb.accept import Offer
from triage.web.dicomweb.addresses import INSTANCE, ROOT, SERIES, STUDY
from triage.web.dicomweb.refused import Refused, busy, unseen
from triage.web.dicomweb.resources import Resources, form
from triage.web.shelf import Busy

CAUTION = "Not for diagnostic use"
STRIP = 20
"""Pixels below a film that the words take; a narrower picture than ``STRIP_FROM`` has no room for them."""
STRIP_FROM = 160
THUMBNAIL = 200
MOST_SIDE = 4096
QUALITY = 90
OFFERS = [Offer(media_type="image/jpeg"), Offer(media_type="image/png")]
_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?"
_WINDOW = re.compile(rf"({_NUMBER}),({_NUMBER}),(linear|linear-exact|sigmoid)", re.ASCII)
_VIEWPORT = re.compile(r"([0-9]{1,5}),([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the query asks for (PS3.18 8.3.5.1). ``window``: centre, width and function, in the modality's unit."""

    viewport: tuple[int, int] | None = None
    window: tuple[float, float, str] | None = None
    quality: int = QUALITY

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Wanted":
        """From the query.

        Raises:
            Refused: 400.
        """
        return cls(
            viewport=_viewport(query.get("viewport")),
            window=_window(query.get("window")),
            quality=_quality(query.get("quality")),
        )


def router(resources: Resources) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix=ROOT, include_in_schema=False)

    @routes.get(f"{INSTANCE}/rendered")
    def rendered(study: str, series: str, instance: str, request: Request) -> Response:
        return answer(request, resources.instances(study, series, instance), Wanted.of(request.query_params))

    @routes.get(f"{INSTANCE}/frames/{{frames}}/rendered")
    def frame_rendered(study: str, series: str, instance: str, frames: str, request: Request) -> Response:
        if frames != "1":
            raise Refused(404, "pictures are made of films with one frame")
        return answer(request, resources.instances(study, series, instance), Wanted.of(request.query_params))

    @routes.get(f"{STUDY}/thumbnail")
    def of_study(study: str, request: Request) -> Response:
        return thumbnail(request, resources.instances(study))

    @routes.get(f"{SERIES}/thumbnail")
    def of_series(study: str, series: str, request: Request) -> Response:
        return thumbnail(request, resources.instances(study, series))

    @routes.get(f"{INSTANCE}/thumbnail")
    def of_one(study: str, series: str, instance: str, request: Request) -> Response:
        return thumbnail(request, resources.instances(study, series, instance))

    def thumbnail(request: Request, found: list[Instance]) -> Response:
        given = Wanted.of(request.query_params)
        return answer(request, found, Wanted(viewport=given.viewport or (THUMBNAIL, THUMBNAIL)), words=False)

    def answer(request: Request, found: list[Instance], wanted: Wanted, *, words: bool = True) -> Response:
        offer = form(request, OFFERS)
        try:
            made = resources.previews.of(found[0].digest)
        except PixelError as error:
            raise unseen(error) from None
        except Busy as error:
            raise busy(error) from None
        resources.site.note_image(request, found[0].study_instance_uid)
        return Response(picture(made, wanted, offer.media_type, words=words), media_type=offer.media_type)

    return routes


def picture(made: Print, wanted: Wanted, media_type: str, *, words: bool) -> bytes:
    """The encoded picture, no larger than the viewport and never enlarged."""
    image = Image.fromarray(shades(made, wanted.window))
    strip = STRIP if words and min(wanted.viewport or image.size) >= STRIP_FROM and image.width >= STRIP_FROM else 0
    if wanted.viewport is not None:
        image.thumbnail((wanted.viewport[0], max(1, wanted.viewport[1] - strip)), Image.Resampling.BOX)
    if strip and image.width >= STRIP_FROM:
        image = _with_words(image)
    written = io.BytesIO()
    if media_type == "image/png":
        image.save(written, "PNG", compress_level=3)
    else:
        image.save(written, "JPEG", quality=wanted.quality)
    return written.getvalue()


def shades(made: Print, window: tuple[float, float, str] | None) -> NDArray[np.uint8]:
    """(height, width), 0 black to 255 white, under ``window`` or the one that the study page opens with; hidden is black."""
    facts = made.facts
    value = facts.intercept + facts.slope * np.arange(0x10000, dtype=np.float64)
    grey = _default(value, facts.low, facts.high) if window is None else _windowed(value, *window)
    table = np.rint(255 * (1 - grey if facts.inverted else grey)).astype(np.uint8)
    table[0] = 0
    shown: NDArray[np.uint8] = table[np.frombuffer(made.raw, "<u2").reshape(facts.height, facts.width)]
    return shown


def _default(value: NDArray[np.floating], low: float, high: float) -> NDArray[np.floating]:
    return np.clip((value - low) / (high - low), 0.0, 1.0) if high > low else (value > low).astype(np.float64)


def _windowed(value: NDArray[np.floating], center: float, width: float, function: str) -> NDArray[np.floating]:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "sigmoid":
        with np.errstate(over="ignore"):
            curve: NDArray[np.floating] = 1 / (1 + np.exp(-4 * (value - center) / width))
            return curve
    if function == "linear":
        center, width = center - 0.5, width - 1
    low = center - width / 2
    return _default(value, low, low + width)


def _with_words(image: Image.Image) -> Image.Image:
    below = Image.new("L", (image.width, image.height + STRIP))
    below.paste(image)
    ImageDraw.Draw(below).text((4, image.height + 3), CAUTION, fill=255, font=ImageFont.load_default(12))
    return below


def _viewport(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = _VIEWPORT.fullmatch(text)
    if found is None or not all(1 <= int(side) <= MOST_SIDE for side in found.groups()):
        raise Refused(400, f"viewport: give width,height in pixels, each up to {MOST_SIDE}")
    return int(found[1]), int(found[2])


def _window(text: str | None) -> tuple[float, float, str] | None:
    if text is None:
        return None
    found = _WINDOW.fullmatch(text)
    width = float(found[2]) if found else 0.0
    if found is None or not math.isfinite(width) or width < 1:
        raise Refused(400, "window: give centre,width,function; the width at least 1; linear, linear-exact or sigmoid")
    return float(found[1]), width, found[3]


def _quality(text: str | None) -> int:
    if text is None:
        return QUALITY
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or not 1 <= int(text) <= 100:
        raise Refused(400, "quality: give a whole number from 1 to 100")
    return int(text)
