"""The frame of the administrator's pages: navigation within them, who asks, and what a form brought."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from triage.web.html import Html, present
from triage.web.identity import form_of
from triage.web.navigation import administration_for

Show = Callable[..., HTMLResponse]


def framed(html: Html, path: str) -> Show:
    """``show(template, values, status_code=200)`` gives a page at ``path`` or below it."""

    def show(template: str, values: Mapping[str, Any], status_code: int = 200) -> HTMLResponse:
        pages = administration_for(present.get())
        here = pages[0].path if pages else ""
        return html(f"admin/{template}", {"here": here, "pages": pages, "page_here": path, **values}, status_code)

    return show


def asker() -> str:
    """The name of who asks; only behind the gate."""
    who = present.get()
    assert who is not None
    return who.name


async def with_form(request: Request, step: Callable[[dict[str, str]], Response]) -> Response:
    """Run a step that may take a while with the fields of the form that was sent."""
    form = form_of(request.headers, await request.body())
    return await run_in_threadpool(step, form)
