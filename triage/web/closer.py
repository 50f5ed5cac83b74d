"""A closer look at an image: its full frame, and its heat map. Each asks for a setting and a role."""

import json
import threading
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from triage.web.answers import Json
from triage.web.html import sees_numbers
from triage.web.images import as_held, attempt, facts_of, image_of, kept_by_browsers, unknown
from triage.web.lightbox import CAUTION, LEVELS, HeatMap, Lightbox
from triage.web.parcel import Parcel
from triage.web.previews import Previews
from triage.web.site import Site

FACTS_HEADER = "Film-Facts"
"""Carries what the list of images tells of a preview, of the frame: JSON in ASCII, numbers only."""
SENDING = 4
"""Frames on their way at the same time, of up to 80 MB each; a reader beyond it tries again in a second."""
_OFF: dict[int | str, dict[str, Any]] = {404: {"description": "Not known, or switched off by the settings"}}
_BUSY: dict[int | str, dict[str, Any]] = {
    422: {"description": "There is none of this image; says why"},
    503: {"description": "Too many are being made; try again"},
}


def router(site: Site, frames: Previews | None, lightbox: Lightbox | None) -> APIRouter:
    """The routes under ``/api/v1/instances/{uid}``; what is switched off is not found, and says so."""
    routes = APIRouter(prefix="/api/v1/instances/{uid}", tags=["images"])
    places = threading.BoundedSemaphore(SENDING)

    @routes.get(
        "/frame.raw",
        summary="The values of a whole image, 16 bit little endian, not for diagnosis",
        description=f"The header {FACTS_HEADER} says what the values mean: the object that /images gives of a preview.",
        responses={**_OFF, **_BUSY, 304: {"description": "As the caller has it"}},
    )
    def frame(uid: str, request: Request) -> Response:
        if frames is None:
            return _off("full frames", "full_frames")
        instance = image_of(site, uid)
        if instance is None:
            return unknown("image")
        if held := as_held(request, instance.digest):
            site.note_image(request, instance.study_instance_uid, "full frame")
            return held
        made = attempt(lambda: frames.of(instance.digest))
        if isinstance(made, Json):
            return made
        site.note_image(request, instance.study_instance_uid, "full frame")
        if not places.acquire(blocking=False):
            return Json({"detail": "too many frames are on their way; try again"}, 503, {"Retry-After": "1"})
        headers = {**kept_by_browsers(instance.digest), FACTS_HEADER: json.dumps(facts_of(made), separators=(",", ":"))}
        return Parcel(made.raw, places, headers, "application/octet-stream")

    @routes.get(
        "/heat_map",
        summary="Where the network's score depended on the film: not a finding, not a place to look",
        description=(
            "A grid over the whole image, rows downwards: by how much the log odds of the score fall when that square is "
            "covered. Negative: they rise. Of the model that serves now, which need not be the one that assessed the study."
        ),
        responses={**_OFF, **_BUSY},
    )
    def heat_map(uid: str, request: Request) -> Json:
        if lightbox is None:
            return _off("heat maps", "heat_map")
        instance = image_of(site, uid)
        if instance is None:
            return unknown("image")
        made = attempt(lambda: lightbox.of(instance.digest, instance.received_at.date()))
        if isinstance(made, Json):
            return made
        site.note_image(request, instance.study_instance_uid, "heat map")
        return Json({"sop_instance_uid": uid, **_told(made)})

    return routes


def _told(made: HeatMap) -> dict[str, Any]:
    return {
        "caution": CAUTION,
        "model": made.model,
        "bundle_id": made.bundle_id,
        "probability": made.probability if sees_numbers() else None,
        "grid": {"rows": len(made.values), "columns": len(made.values[0])},
        "unit": "log odds",
        "levels": LEVELS,
        "values": made.values,
    }


def _off(what: str, setting: str) -> Json:
    return Json({"detail": f"{what} are switched off: viewer.{setting}"}, status_code=404)
