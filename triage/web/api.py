"""The API for scripts: the worklist and one study, as JSON."""

from fastapi import APIRouter, Query, Request

from triage.domain.account import Permission
from triage.domain.errors import CannotUnderstand
from triage.domain.identifiers import check_uid
from triage.domain.worklist import as_json, ranked
from triage.services.reading import next_to_read
from triage.services.records import study_record
from triage.web.answers import Json
from triage.web.html import present, sees_numbers
from triage.web.site import Site


def router(site: Site) -> APIRouter:
    """The routes under ``/api/v1``."""
    routes = APIRouter(prefix="/api/v1", tags=["worklist"])

    @routes.get("/worklist", summary="The unread list in reading order")
    def worklist(
        limit: int | None = Query(None, ge=1, le=1_000_000, description="At most so many rows, from the top"),
        include_read: bool = Query(False, alias="all", description="Studies already read, too"),
    ) -> Json:
        now = site.clock()
        with site.database.read() as tx:
            studies = tx.worklist(limit=limit, include_read=include_read)
        return Json([as_json(item, now, numbers=sees_numbers()) for item in ranked(studies)])

    @routes.get("/studies/{uid}", summary="One study: row, images, history", responses={404: {"description": "Not known"}})
    def study(request: Request, uid: str) -> Json:
        now = site.clock()
        try:
            check_uid(uid, "StudyInstanceUID")
            with site.database.read() as tx:
                record = study_record(tx, uid, now, numbers=sees_numbers())
        except CannotUnderstand:
            record = None
        if record:
            site.note_view(request, uid)
        return Json(record) if record else Json({"detail": "no study has this UID"}, status_code=404)

    @routes.get("/next", summary="The next study to read: the first that nobody else holds")
    def next_study(
        after: str | None = Query(None, max_length=64, description="The study in hand: unread, the search goes on behind it"),
    ) -> Json:
        who = present.get()
        assert who is not None  # behind the gate
        return Json({"study_instance_uid": next_to_read(site.database, who.name, site.clock(), after)})

    @routes.get("/me", summary="Who asks, and what the role grants", tags=["account"])
    def me() -> Json:
        who = present.get()
        assert who is not None  # behind the gate
        granted = sorted(permission.value for permission in Permission if who.may(permission))
        return Json({"name": who.name, "role": who.role.value, "permissions": granted, "csrf": who.csrf})

    return routes
