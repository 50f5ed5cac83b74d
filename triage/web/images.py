"""The API's routes for images: what a study holds, and the preview of each, for the viewer and for scripts."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from triage.domain.coverage import Coverage, coverage
from triage.domain.errors import CannotUnderstand, PixelError
from triage.domain.identifiers import check_uid
from triage.web.answers import Json
from triage.web.darkroom import Print
from triage.web.html import sees_numbers
from triage.web.previews import Busy, Previews
from triage.web.site import Site

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
    def images(uid: str) -> Json:
        try:
            check_uid(uid, "StudyInstanceUID")
        except CannotUnderstand:
            return _unknown("study")
        with site.database.read() as tx:
            study = tx.study(uid)
            found = coverage(study, tx.instances(uid), tx.outcomes(uid)) if study else []
        if study is None:
            return _unknown("study")
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
        try:
            check_uid(uid, "SOPInstanceUID")
        except CannotUnderstand:
            return _unknown("image")
        with site.database.read() as tx:
            instance = tx.instance(uid)
        if instance is None:
            return _unknown("image")
        # private: a patient's; no-cache: kept by the browser only to be asked for again, so that leave is checked each time
        headers = {"ETag": f'"{instance.digest}"', "Cache-Control": "private, no-cache"}
        if headers["ETag"] in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        try:
            made = previews.of(instance.digest)
        except PixelError as error:
            return Json({"detail": sentence(error)}, status_code=422)
        except Busy:
            return Json(
                {"detail": "too many previews are being made; try again"}, status_code=503, headers={"Retry-After": "1"}
            )
        return Response(made.png if kind == "image/png" else made.raw, media_type=kind, headers=headers)

    return routes


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
            facts = _facts(previews.of(one.instance.digest))
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
        "preview": facts,
        "problem": problem,
    }


def _facts(made: Print) -> dict[str, Any]:
    facts = asdict(made.facts)
    window = {"low": facts.pop("low"), "high": facts.pop("high")}
    return {**facts, "window": window}


def _unknown(what: str) -> Json:
    return Json({"detail": f"no {what} has this UID"}, status_code=404)
