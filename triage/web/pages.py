"""The pages: the worklist, the piece of it that is swapped in place, and the list of API routes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse

from triage.domain.errors import IndexUnavailable
from triage.domain.level import Level
from triage.domain.worklist import WorklistItem
from triage.web.html import pages_of, sees_numbers
from triage.web.notices import notices
from triage.web.rows import row, word
from triage.web.site import Site
from triage.web.text import full_time
from triage.web.vitals import look

ROWS_PER_PAGE = 100
LAST_PAGE = 10_000
"""Beyond a million rows nobody pages; the limit keeps a number in an address from becoming a huge query."""


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
        """Rank of the first row."""
        return (self.number - 1) * ROWS_PER_PAGE + 1

    @property
    def last(self) -> int:
        """Rank of the last row."""
        return min(self.number * ROWS_PER_PAGE, self.total)


def worklist(site: Site, asked: int) -> dict[str, Any]:
    """What the worklist's template shows.

    Raises:
        IndexUnavailable: the database does not answer.
    """
    vitals = look(site)
    with site.database.read() as tx:
        counts = tx.counts_by_level()
        page = Page.within(asked, sum(counts.values()))
        studies = tx.worklist(limit=page.last)[page.first - 1 :]
    numbers = sees_numbers()
    return {
        "now": vitals.now,
        "as_of": full_time(vitals.now),
        "model": vitals.model,
        "notices": notices(vitals),
        "counts": [(level.value, word(level), counts.get(level.value, 0)) for level in Level],
        "page": page,
        "rows": [
            row(WorklistItem(rank=rank, study=study), vitals.now, numbers=numbers)
            for rank, study in enumerate(studies, page.first)
        ],
    }


def router(site: Site, openapi: Callable[[], dict[str, Any]]) -> APIRouter:
    """The pages' routes; ``openapi`` gives the API's description."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    html = pages_of(site.demo)

    @routes.get("/")
    def page(page: int = Query(1, ge=1, le=LAST_PAGE)) -> HTMLResponse:
        try:
            return html("worklist.html", {"asked": page, **worklist(site, page)})
        except IndexUnavailable:
            # The page still opens: its script keeps asking for the list and shows it once there is one.
            return html("unavailable.html", {"asked": page, "model": None}, 503)

    @routes.get("/fragments/worklist")
    def fragment(page: int = Query(1, ge=1, le=LAST_PAGE)) -> HTMLResponse:
        return html("fragments/worklist.html", {"asked": page, "swapped": True, **worklist(site, page)})

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
