"""The pages: the worklist, the piece of it that is swapped in place, and the list of API routes."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends
from markupsafe import Markup
from starlette.responses import HTMLResponse

from triage.domain.account import Permission
from triage.domain.errors import IndexUnavailable
from triage.domain.level import Level
from triage.domain.selection import Sort, Status
from triage.domain.worklist import WorklistItem
from triage.web.asked import Asked, Search, Within, asked
from triage.web.html import pages_of, present, sees_numbers
from triage.web.notices import notices
from triage.web.rows import row, word
from triage.web.shared import Shared
from triage.web.site import Site
from triage.web.text import full_time
from triage.web.viewer_link import viewer_link
from triage.web.vitals import look

ROWS_PER_PAGE = 100
COLUMNS: tuple[tuple[str, str, Sort], ...] = (
    ("Priority", "", Sort.PRIORITY),
    ("Waiting", "received", Sort.ARRIVED),
    ("Patient", "age, sex", Sort.PATIENT),
    ("MRN", "accession", Sort.MRN),
    ("Exam", "modality, view, priors", Sort.EXAM),
    ("Status", "images scored", Sort.STATUS),
)
"""Heading, what stands beneath, and by what a press on it sorts."""
STATUS_WORDS: dict[Status, str] = {
    Status.WAITING: "Waiting to be read",
    Status.FREE: "Unread, nobody on it",
    Status.CLAIMED: "Being read",
    Status.MINE: "Being read by me",
    Status.READ: "Read",
    Status.ALL: "Waiting and read",
}
WITHIN_WORDS: dict[Within, str] = {
    Within.HOUR: "the last hour",
    Within.SHIFT: "the last 8 hours",
    Within.DAY: "the last 24 hours",
    Within.WEEK: "the last 7 days",
}
SORT_WORDS: dict[Sort, str] = {
    Sort.PLACE: "place",
    Sort.PRIORITY: "priority",
    Sort.ARRIVED: "time of arrival",
    Sort.PATIENT: "patient",
    Sort.MRN: "MRN",
    Sort.EXAM: "exam",
    Sort.STATUS: "status",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows of how many: 1-based, always within the list."""

    number: int
    total: int

    @classmethod
    def within(cls, asked: int, total: int) -> "Page":
        """The page asked for, or the last one when the list is shorter."""
        last = max(1, -(-total // ROWS_PER_PAGE))
        return cls(number=min(asked, last), total=total)

    @property
    def first(self) -> int:
        """Number of the first row."""
        return (self.number - 1) * ROWS_PER_PAGE + 1

    @property
    def last(self) -> int:
        """Number of the last row."""
        return min(self.number * ROWS_PER_PAGE, self.total)


def worklist(site: Site, wanted: Asked, text: str = "") -> dict[str, Any]:
    """What the list's template shows.

    Raises:
        IndexUnavailable: the database does not answer.
    """
    vitals, selection, who = look(site), wanted.selection(text), present.get()
    reader = who.name if who else None
    with site.database.read() as tx:
        counts = tx.counts_by_level()
        whole = selection.is_whole
        page = Page.within(wanted.page, sum(counts.values()) if whole else tx.count_listed(selection, reader, vitals.now))
        studies = tx.listed(selection, reader, vitals.now, ROWS_PER_PAGE, page.first - 1)
        if whole and selection.is_reading_order:
            ranks = {study.study_instance_uid: rank for rank, study in enumerate(studies, page.first)}
        else:
            ranks = tx.places(studies)
        beside = tx.row_facts(studies)
    numbers = sees_numbers()
    items = [WorklistItem(rank=ranks.get(study.study_instance_uid, 0), study=study) for study in studies]
    return {
        "now": vitals.now,
        "as_of": full_time(vitals.now),
        "model": vitals.model,
        "notices": notices(vitals),
        "waiting": sum(counts.values()),
        "counts": [(level, word(level), counts.get(level.value, 0)) for level in Level],
        "asked": wanted.at(page.number),
        "searched": bool(selection.words),
        "filtered": not whole,
        "in_reading_order": selection.is_reading_order and selection.status is not Status.READ,
        "sorted_by": "" if wanted == replace(wanted.as_usual(), page=wanted.page) else SORT_WORDS[selection.sort],
        "page": page,
        "rows": [row(item, vitals.now, numbers=numbers, beside=beside[item.study.study_instance_uid]) for item in items],
        "viewers": {study.study_instance_uid: viewer_link(site.viewer_url, study) for study in studies},
        "columns": COLUMNS,
        "may_read": may_read(site),
    }


def may_read(site: Site) -> bool:
    """Whether the one who asks may claim and finish studies here."""
    who = present.get()
    return bool(who and site.who is not None and who.may(Permission.READ))


def router(site: Site, openapi: Callable[[], dict[str, Any]], told: Callable[[], Hashable]) -> APIRouter:
    """The pages' routes; ``openapi`` gives the API's description, ``told`` what open pages were told of last."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    html, shared = pages_of(site.demo), Shared()
    choices = {"statuses": list(STATUS_WORDS.items()), "spans": list(WITHIN_WORDS.items()), "here": "/"}

    def made(wanted: Asked) -> str:
        return bytes(html("fragments/worklist.html", worklist(site, wanted)).body).decode()

    def state() -> Hashable:
        with site.database.read() as tx:
            return tx.revision(), told()

    def fragment(wanted: Asked) -> str:
        who = present.get()
        person = who.name if who and wanted.status is Status.MINE else None
        return shared.get((wanted, sees_numbers(), may_read(site), person), state, site.clock, lambda: made(wanted))

    @routes.get("/")
    def page(wanted: Annotated[Asked, Depends(asked)]) -> HTMLResponse:
        values = {**choices, "asked": wanted, "may_read": may_read(site)}
        try:
            return html("worklist.html", {**values, "model": look(site).model, "list": Markup(fragment(wanted))})  # noqa: S704 - escaped when it was made
        except IndexUnavailable:
            # The page still opens: its script keeps asking for the list and shows it once there is one.
            return html("unavailable.html", {**values, "model": None}, 503)

    @routes.get("/fragments/worklist")
    def rows(wanted: Annotated[Asked, Depends(asked)]) -> HTMLResponse:
        return HTMLResponse(fragment(wanted))

    @routes.post("/fragments/worklist")
    def found(wanted: Annotated[Asked, Depends(asked)], search: Annotated[Search, Body()]) -> HTMLResponse:
        return html("fragments/worklist.html", worklist(site, wanted.at(1), search.q))

    @routes.get("/api/docs")
    def api_docs() -> HTMLResponse:
        description = openapi()
        operations = [
            {"method": method.upper(), "path": path, **operation}
            for path, methods in description["paths"].items()
            for method, operation in methods.items()
        ]
        return html("api.html", {"info": description["info"], "operations": operations})

    return routes
