"""Every page in both themes before axe-core, and under the Tab key alone."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import DEADLINE_MS, Site
from tests.browser.whole import Shown, come_to_rest, every_page, in_turn
from tests.size import size
from tests.unit.web.furnished import House
from tests.unit.web.signed_in import SignedIn
from tests.unit.web.silent import SilentDatabase
from triage.domain.account import Role

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
THEMES = ("dark", "light")
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map((one) =>
  `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(" | ")}`)"""
DIALOGS = "[...document.querySelectorAll('dialog')].map((one, place) => one.id || String(place))"
OPEN = """(place) => { for (const one of document.querySelectorAll("dialog[open]")) one.close();
  document.querySelectorAll("dialog")[place].showModal(); }"""
COVER = "session"
"""The sign-in over a page whose session has ended: it must not be left."""
STOPS = """() => {
  const within = document.querySelector("dialog[open]") ?? document;
  const kinds = "a[href], button, input, select, textarea, summary, iframe, [tabindex], [contenteditable]";
  const groups = new Set();
  const first = (one) => one.type !== "radio" || (!groups.has(one.name) && groups.add(one.name)); // Tab stops once in a group
  const there = (one) => one.tabIndex >= 0 && !one.disabled && one.type !== "hidden" && !one.closest("[inert]")
    && one.checkVisibility({ visibilityProperty: true });
  return [...within.querySelectorAll(kinds)].filter((one) => there(one) && first(one)).map(NAME);
}"""
NAME = """(one) => [one.localName, one.type === "radio" ? one.name : one.id, one.getAttribute("href") ?? "", one.name ?? "",
  one.textContent.replace(/\\s+/g, " ").trim().slice(0, 40)].join("|")"""
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return ["", true];
  const style = getComputedStyle(one);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  return [(NAME)(one), ring || style.boxShadow !== "none"];
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(DEADLINE_MS)
    yield context.new_page()
    context.close()


def all_states(serve: Serve) -> list[Shown]:
    """Every page, and the list while the database does not answer."""
    silent = serve(SilentDatabase())
    return [*every_page(serve, House(datetime.now(UTC))), Shown(Role.RADIOLOGIST, "/ (no database)", silent.url, "/")]


def test_axe_finds_nothing(serve: Serve, page: Page) -> None:
    found: dict[str, list[str]] = {}
    shown, known = in_turn(all_states(serve), 2), set()
    for number, one in enumerate(shown):
        come_to_rest(page, one.url)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.evaluate(AXE)
        for theme in size(THEMES[number % 2 :][:1], THEMES):  # one theme by turns, both with `make soak`
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
            found[f"{one.role.value} {one.route} {one.path} {theme}"] = page.evaluate(RUN)
            for place, dialog in enumerate(page.evaluate(DIALOGS)):
                if (dialog, theme) in known:  # the same on every page that has it
                    continue
                known.add((dialog, theme))
                page.evaluate(OPEN, place)
                found[f"{one.role.value} {one.route} {one.path} {theme}, dialog {dialog}"] = page.evaluate(RUN)
            page.evaluate("document.querySelector('dialog[open]')?.close()")
    wrong = {state: violations for state, violations in found.items() if violations}
    print(
        f"axe-core: {len(shown)} pages, {len(found)} states (two themes, dialogs): {sum(map(len, wrong.values()))} violations"
    )
    assert wrong == {}


def test_axe_finds_what_is_wrong(serve: Serve, page: Page) -> None:
    page.goto(f"{serve(House(datetime.now(UTC), studies=1).database).url}/")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    page.evaluate(AXE)
    assert [line.partition(":")[0] for line in page.evaluate(RUN)] == ["button-name"]


def test_the_tab_key_reaches_everything_and_shows_where_it_is(serve: Serve, page: Page) -> None:
    reached, wrong, shown, known = 0, [], in_turn(all_states(serve), 3), set()
    for one in shown:
        come_to_rest(page, one.url)
        dialogs = {place: dialog for place, dialog in enumerate(page.evaluate(DIALOGS)) if dialog not in known}
        known.update(dialogs.values())
        places: list[int | None] = [None, *dialogs]
        for place in places:
            if place is not None:
                page.evaluate(OPEN, place)
            elif page.evaluate("!!document.querySelector('dialog[open]')"):
                page.evaluate("document.querySelector('dialog[open]').close()")
            stops = set(page.evaluate(named(STOPS)))
            seen, dark = tabbed(page, len(stops), whole=place is None)
            where = one.path if place is None else f"{one.path}, dialog {place}"
            wrong += [(where, "not reached", stop) for stop in sorted(stops - set(seen))]
            wrong += [(where, "focus not visible", stop) for stop in sorted(dark)]
            reached += len(stops & set(seen))
            if place is not None:
                page.keyboard.press("Escape")
                stays = page.evaluate("!!document.querySelector('dialog[open]')")
                if stays != (dialogs[place] == COVER):
                    wrong.append((where, "Escape does not close it" if stays else "Escape uncovers the page", ""))
    print(f"Tab: {len(shown)} pages, {reached} stops reached and seen, {len(wrong)} wrong")
    assert wrong == []


def test_the_arrows_reach_every_row_of_the_list(serve: Serve, page: Page) -> None:
    house = House(datetime.now(UTC))
    come_to_rest(page, serve(house.database, authenticator=SignedIn(role=Role.RADIOLOGIST, csrf="c"), **house.options).url)
    rows: list[str] = page.locator("tbody tr").evaluate_all("rows => rows.map((row) => row.id)")
    page.locator("tbody tr").first.focus()
    seen = []
    for _ in rows:
        seen.append(page.evaluate("document.activeElement.id"))
        page.keyboard.press("ArrowDown")
    assert seen == rows


def tabbed(page: Page, stops: int, *, whole: bool) -> tuple[list[str], set[str]]:
    """What Tab reaches until it comes round, and where its place could not be seen. A trap never comes round."""
    if whole:
        page.evaluate("document.activeElement?.blur()")
    seen: list[str] = []
    dark: set[str] = set()
    for _ in range(2 * stops + 10):
        page.keyboard.press("Tab")
        stop, visible = page.evaluate(named(FOCUSED))
        if stop and seen and stop == seen[0] and len(set(seen)) >= stops:
            break
        if stop:
            seen.append(stop)
            dark |= set() if visible else {stop}
    else:
        dark.add("Tab never comes round: a trap")
    return seen, dark


def named(script: str) -> str:
    return script.replace("NAME", NAME)
