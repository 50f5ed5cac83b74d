"""How pages are written: strict templates, every value escaped."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from triage.domain.account import Identity, Permission
from triage.web.navigation import links_for

present: ContextVar[Identity | None] = ContextVar("present", default=None)
"""Who asks for the page that is being made; ``None``: nobody is signed in. Set by :mod:`triage.web.identity`."""


def may(permission: Permission) -> bool:
    """Whether the one who asks may do that."""
    who = present.get()
    return who is not None and who.may(permission)


def sees_numbers() -> bool:
    """Whether the one who asks may see probabilities."""
    return may(Permission.PROBABILITY)


Html = Callable[..., HTMLResponse]


@cache
def pages_of(demo: bool) -> Html:
    """``html(template, values, status_code=200)`` gives a page; ``demo``: each says that its patients are invented.

    One for the whole process, so that a template is compiled once, whoever writes pages by it.
    """
    templates = Environment(
        loader=PackageLoader("triage.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.globals["demo"] = demo
    templates.globals["whoami"] = present.get
    templates.globals["links"] = lambda: links_for(present.get())

    def html(template: str, values: Mapping[str, Any], status_code: int = 200) -> HTMLResponse:
        return HTMLResponse(templates.get_template(template).render(values), status_code)

    return html
