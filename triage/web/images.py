"""The API's routes for images: what a study holds, and the preview of each, for the viewer and for scripts."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from triage.domain.coverage import Coverage, coverage
from triage.domain.errors import CannotUnderstand, PixelError
from triage.domain.identifiers import check_uid
from triage.domain.instance import Instance
from triage.web.answers import Json
from triage.web.darkroom import Print
from triage.web.html import sees_numbers
from triage.web.previews import Previews
from triage.web.shelf import Busy
from triage.web.site import Site

T = TypeVar("T")
MOST_IMAGES = 12
"""Images of a study whose previews are offered; a longer one is read in the hospital's viewer."""
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "Not known"}}
NO_PREVIEW: dict[int | str, dict[str, Any]] = {
    **UNKNOWN,
    304: {"description": "As the caller has it"},
    422: {"description": "This image cannot be shown; says why"},
    503: {"description": "Too many previews are being made; try again"},
}


def router(site: Site, previews: Previews) -> APIRouter:
    """The routes under ``/api/v1``."""
    routes = APIRouter(prefix="/api/v1", tags=["images"])

    @routes.get("/studies/{uid}/images", summary="The images of a study, with the facts of their previews", responses=UNKNOWN)
    def images(uid: str, request: Request) -> Json:
        try:
            check_uid(uid, "StudyInstanceUID")
        except CannotUnderstand:
            return unknown("study")
        with site.database.read() as tx:
            study = tx.study(uid)
            found = coverage(study, tx.instances(uid), tx.outcomes(uid)) if study else []
        if study is None:
            return unknown("study")
        site.note_image(request, uid)
        told = [_image(one, previews if place < MOST_IMAGES else None) for place, one in enumerate(found)]
        return Json({"study_instance_uid": uid, "level": study.level.value, "images": told})

    @routes.get("/instances/{uid}/preview.png", summary="A grey picture of an image, not for diagnosis", responses=NO_PREVIEW)
    def picture(uid: str, request: Request) -> Response:
        return preview(uid, request, "image/png")

    @routes.get(
        "/instances/{uid}/preview.raw", summary="The values of an image's preview, 16 bit little endian", responses=NO_PREVIEW
    )
    def values(uid: str, request: Request) -> Response:
        return preview(uid, request, "application/octet-stream")

    def preview(uid: str, request: Request, kind: str) -> Response:
        instance = image_of(site, uid)
        if instance is None:
            return unknown("image")
        if held := as_held(request, instance.digest):
            site.note_image(request, instance.study_instance_uid)
            return held
        made = attempt(lambda: previews.of(instance.digest))
        if isinstance(made, Json):
            return made
        site.note_image(request, instance.study_instance_uid)
        return Response(
            made.png if kind == "image/png" else made.raw, media_type=kind, headers=kept_by_browsers(instance.digest)
        )

    return routes


def image_of(site: Site, uid: str) -> Instance | None:
    """The image of a SOP Instance UID; ``None``: not known, or no UID."""
    try:
        check_uid(uid, "SOPInstanceUID")
    except CannotUnderstand:
        return None
    with site.database.read() as tx:
        return tx.instance(uid)


def kept_by_browsers(digest: str) -> dict[str, str]:
    """Headers of what belongs to a film's bytes. ``private``: a patient's; ``no-cache``: kept by the browser only to be asked
    for again, so that leave is checked each time.
    """
    return {"ETag": f'"{digest}"', "Cache-Control": "private, no-cache"}


def as_held(request: Request, digest: str) -> Response | None:
    """304, when the caller has it already."""
    headers = kept_by_browsers(digest)
    told = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers=headers) if headers["ETag"] in told else None


def attempt(make: Callable[[], T]) -> T | Json:
    """What ``make`` gives, or the answer that says why there is nothing: 422 or, to try again, 503."""
    try:
        return make()
    except PixelError as error:
        return Json({"detail": sentence(error)}, status_code=422)
    except Busy:
        return Json({"detail": "too many films are being worked on; try again"}, 503, {"Retry-After": "1"})


def sentence(error: PixelError) -> str:
    """Why an image is not shown, for the page."""
    return f"This image cannot be shown: {error.reason.sentence}."


def _image(one: Coverage, previews: Previews | None) -> dict[str, Any]:
    facts: dict[str, Any] | None = None
    problem = None
    try:
        if previews is None:
            problem = f"Only the first {MOST_IMAGES} images are shown here."
        else:
            facts = facts_of(previews.of(one.instance.digest))
    except PixelError as error:
        problem = sentence(error)
    except Busy:
        problem = "Too many previews are being made; try again."
    return {
        "sop_instance_uid": one.instance.sop_instance_uid,
        "received_at": one.instance.received_at.isoformat(),
        "covered": one.covered,
        "probability": one.probability if sees_numbers() else None,
        "reason": one.reason.code if one.reason else None,
        "detail": one.detail,
        "preview": facts,
        "problem": problem,
    }


def facts_of(made: Print) -> dict[str, Any]:
    """What a viewer needs to know of the values; ``window``: where the default one is black and white."""
    facts = asdict(made.facts)
    window = {"low": facts.pop("low"), "high": facts.pop("high")}
    return {**facts, "window": window}


def unknown(what: str) -> Json:
    """404."""
    return Json({"detail": f"no {what} has this UID"}, status_code=404)
