"""The API for scripts: the worklist and one study, as JSON."""

from dataclasses import replace
from threading import BoundedSemaphore
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request

from triage.domain.account import Permission
from triage.domain.errors import CannotUnderstand
from triage.domain.identifiers import check_uid
from triage.domain.selection import Status
from triage.domain.worklist import WorklistItem, as_json
from triage.services.reading import next_to_read
from triage.services.records import study_record
from triage.web.answers import Json
from triage.web.asked import Asked, Search, filters
from triage.web.html import present, sees_numbers
from triage.web.site import Site

MOST_ROWS = 1_000_000
MANY_ROWS, LARGE_AT_A_TIME = 5_000, 2
"""What counts as a long list, and how many of those are written at the same time."""
Limit = Annotated[int | None, Query(ge=1, le=MOST_ROWS, description="At most so many rows, from the top")]


def router(site: Site) -> APIRouter:
    """The routes under ``/api/v1``."""
    routes = APIRouter(prefix="/api/v1", tags=["worklist"])

    large = BoundedSemaphore(LARGE_AT_A_TIME)

    def answer(wanted: Asked, text: str, limit: int | None) -> Json:
        """The rows; a list of patients that leaves the service is an export, noted once in a quarter of an hour a person."""
        site.note_list()
        if limit is not None and limit <= MANY_ROWS:
            return Json(_rows(site, wanted, text, limit))
        who = present.get()
        with site.database.read() as tx:
            many = tx.count_listed(wanted.selection(text), who.name if who else None, site.clock()) > MANY_ROWS
        if not many:
            return Json(_rows(site, wanted, text, limit))
        if not large.acquire(blocking=False):  # each holds a thread and some hundred bytes a row
            busy = {"detail": "other long lists are being written; try again, or give a limit"}
            return Json(busy, status_code=503, headers={"Retry-After": "5"})
        try:
            return Json(_rows(site, wanted, text, limit))
        finally:
            large.release()

    @routes.get("/worklist", summary="The list in reading order, or filtered and sorted for the moment")
    def worklist(
        wanted: Annotated[Asked, Depends(filters)],
        limit: Limit = None,
        include_read: Annotated[bool, Query(alias="all", description="Studies already read, too")] = False,
    ) -> Json:
        return answer(replace(wanted, status=Status.ALL) if include_read else wanted, "", limit)

    @routes.post("/worklist/search", summary="The same, searched; the words go into the body: they may name a patient")
    def search(wanted: Annotated[Asked, Depends(filters)], words: Annotated[Search, Body()], limit: Limit = None) -> Json:
        return answer(wanted, words.q, limit)

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


def _rows(site: Site, wanted: Asked, text: str, limit: int | None) -> list[dict[str, Any]]:
    """Rows as JSON; ``rank`` is the place in the whole list, ``null`` once read."""
    now, numbers, who = site.clock(), sees_numbers(), present.get()
    selection = wanted.selection(text)
    with site.database.read() as tx:
        studies = tx.listed(selection, who.name if who else None, now, limit or MOST_ROWS)
        if selection.is_whole and selection.is_reading_order:
            ranks = {study.study_instance_uid: rank for rank, study in enumerate(studies, 1)}
        else:
            ranks = tx.places(studies)
    items = [WorklistItem(rank=ranks.get(study.study_instance_uid, 0), study=study) for study in studies]
    return [as_json(item, now, numbers=numbers) for item in items]
