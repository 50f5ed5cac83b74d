"""Hostile text in every field of every page, in a real browser: it is shown, and that is all that happens."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site, Watched
from tests.browser.whole import come_to_rest, every_page, in_turn, opened
from tests.hostile import PAYLOADS
from tests.size import size
from tests.unit.web.furnished import House
from triage.domain.account import Role

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
WATCH = """
  window.owned = 0;
  addEventListener("securitypolicyviolation", (event) => report(`${event.violatedDirective} ${event.blockedURI}`));
"""
SHAPE = "[...new Set([...document.querySelectorAll('*')].map((one) => [one.localName, ...one.getAttributeNames()].join(' ')))]"
ADDRESSES = """[...document.querySelectorAll("[href], [src], [action]")].map((one) =>
  String(one.getAttribute("href") ?? one.getAttribute("src") ?? one.getAttribute("action")))"""
OURS = ("/", "#", "?", "https://pacs.example/")
PASSING = frozenset(
    {"open", "hidden", "checked", "disabled", "class", "style", "aria-pressed", "aria-selected", "aria-current", "tabindex"}
)
"""Attributes that come and go with what a page does by itself."""


@dataclass
class Planted:
    """What was called, and what the policy refused."""

    executed: list[Any] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)


def planted(page: Page) -> Planted:
    """The function that every payload calls, in every frame of the page."""
    found = Planted()
    page.context.expose_function("own", lambda given: found.executed.append(given))
    page.context.expose_function("report", lambda words: found.reports.append(words))
    page.context.add_init_script(WATCH)
    return found


def shape(page: Page) -> set[tuple[str, ...]]:
    """Elements by name and attributes."""
    parts = (one.split() for one in page.evaluate(SHAPE))
    return {(name, *sorted({*attributes} - PASSING)) for name, *attributes in parts}


def test_nothing_executes_and_nothing_is_asked_elsewhere(serve: Serve, watched: Watched) -> None:
    page = watched.page
    tame: dict[str, set[tuple[str, ...]]] = {}
    for words in (lambda field, number: f"{field} {number}", lambda *_: ""):
        for shown in in_turn(every_page(serve, House(datetime.now(UTC), words, len(PAYLOADS))), 5):
            come_to_rest(page, shown.url)
            tame.setdefault(shown.route, set()).update(shape(page))
    for lines in (watched.console, watched.requests):
        lines.clear()
    traps, fields = planted(page), set()

    def tell(field: str, number: int) -> str:
        fields.add(field)
        return PAYLOADS[number % len(PAYLOADS)]

    full, loads, wrong = House(datetime.now(UTC), tell, len(PAYLOADS)), 0, []
    pages = in_turn(every_page(serve, full), 5)
    for shown in pages:
        urls = [shown.url]
        if shown.role is Role.RADIOLOGIST and shown.path == f"/study/{full.uids[0]}":
            urls = [f"{shown.site}/study/{uid}" for uid in full.uids[:: size(8, 1)]]
        for number, url in enumerate(urls):
            full.beat(number)
            opened(page, url)
            loads += 1
            wrong += [(shown.route, *one) for one in shape(page) - tame[shown.route]]
            wrong += [
                (shown.route, one) for one in page.evaluate(ADDRESSES) if not one.startswith(OURS) or one.startswith("//")
            ]
            assert page.evaluate("window.owned") == 0
    banners = House(datetime.now(UTC), tell, 1)
    site = serve(banners.database)
    for number in range(0, len(PAYLOADS), size(10, 2)):  # two banners: the intake's trouble and the worker's
        banners.beat(number)
        opened(page, site.url)
        loads += 1
        wrong += [("/", *one) for one in shape(page) - tame["/"]]
    own = {site.url.rpartition("/")[2]} | {shown.site.rpartition("/")[2] for shown in pages}
    elsewhere = [url for url in watched.requests if url.split("/")[2] not in own]
    quiet = [line for line in watched.console if not line.startswith("verbose") and "status of 40" not in line]
    print(
        f"{len(PAYLOADS)} payloads × {len(fields)} fields, {len(pages)} pages, {loads} loads: executions "
        f"{len(traps.executed) + len(watched.dialogs)}, CSP reports {len(traps.reports)}, requests elsewhere {len(elsewhere)}, "
        f"lines in the console {len(quiet)}"
    )
    assert sorted(set(wrong)) == []
    assert (traps.executed, watched.dialogs, traps.reports, elsewhere, quiet) == ([], [], [], [], [])


def test_the_traps_catch(serve: Serve, watched: Watched) -> None:
    traps, page = planted(watched.page), watched.page
    page.goto(f"{serve(House(datetime.now(UTC), studies=1).database).url}/livez")
    page.evaluate("own(1)")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=own(2)>')")
    for _ in range(100):
        if traps.reports:
            break
        page.evaluate("new Promise((done) => setTimeout(done, 20))")
    assert traps.executed == [1]
    assert traps.reports, "an inline handler is refused by the policy, and the refusal is seen"
