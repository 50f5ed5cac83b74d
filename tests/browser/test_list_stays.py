"""What could make a key or a press act on another study than the one that was meant, in a real browser: none of it does."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from tests.browser.conftest import Site, Watched
from tests.browser.test_list_under_the_fingers import FOCUSED, reader, study
from tests.browser.test_worklist_page import open_and_settle
from tests.unit.web import scene
from triage.database.memory import MemoryDatabase
from triage.domain.study import ReadingState

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
AWAY = "document.hasFocus = () => false; window.dispatchEvent(new Event('blur'))"
"""The reader works in another window; headless Chromium itself always has the focus."""


def state(database: MemoryDatabase, uid: str) -> ReadingState:
    return study(database, uid).reading.state


def test_a_row_that_goes_while_its_reader_is_in_another_window_keeps_the_focus(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    open_and_settle(page, reader(serve, database).url)
    page.locator('[id="study-1.2.1"]').focus()
    page.evaluate(AWAY)
    scene.finish_reading(database, "1.2.1", datetime.now(UTC))  # a colleague was quicker
    expect(page.locator('[id="study-1.2.1"]')).to_contain_class("gone")
    scene.arrive(database, "1.3.1", datetime.now(UTC))  # the list itself goes on
    expect(page.locator('[id="study-1.3.1"]')).to_be_visible()
    assert page.evaluate(FOCUSED) == "study-1.2.1"
    page.keyboard.press("s")
    expect(page.locator("#told")).to_contain_text("read it already")
    with database.read() as tx:
        assert [one.study_instance_uid for one in tx.worklist() if one.stat] == ["1.2.3"]


def test_a_double_click_claims_and_does_not_release(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    open_and_settle(page, reader(serve, database).url)
    page.locator('[id="study-1.2.1"] [data-act=claim]').dblclick(delay=120)
    expect(page.locator('[id="study-1.2.1"]')).to_contain_class("mine")
    page.mouse.move(640, 62)
    expect(page.locator('[id="study-1.2.1"] .status')).to_contain_text("Reading – you")
    assert state(database, "1.2.1") is ReadingState.CLAIMED


def test_a_banner_does_not_push_another_row_under_the_press(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    room = [10**9]
    page = watched.page
    open_and_settle(page, reader(serve, database, free_bytes=lambda: room[0], heartbeat_limit=timedelta(hours=1)).url)
    button = page.locator('[id="study-1.2.1"] [data-act=claim]')
    button.hover()
    where = button.bounding_box()
    assert where is not None
    page.evaluate(
        """([x, y]) => new MutationObserver((_, observer) => {
          if (!document.querySelector("#notices .notice")) return;
          observer.disconnect();
          const press = {bubbles: true, cancelable: true, detail: 1, clientX: x, clientY: y};
          document.elementFromPoint(x, y).dispatchEvent(new MouseEvent("click", press));
          window.pressed = true;
        }).observe(document.getElementById("worklist"), {childList: true, subtree: true})""",
        [where["x"] + 5, where["y"] + 5],
    )
    room[0] = 0
    expect(page.locator("main .notice:visible")).to_contain_text("Storage is full")
    page.wait_for_function("window.pressed")
    with database.read() as tx:
        claimed = {one.study_instance_uid for one in tx.worklist() if one.reading.state is ReadingState.CLAIMED}
    assert claimed <= {"1.2.1"}


def test_a_stat_is_said_at_once_wherever_it_stands(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    open_and_settle(page, reader(serve, database).url)
    said = page.locator("#announce")
    scene.arrive(database, "1.3.1", datetime.now(UTC))
    scene.make_stat(database, "1.3.1")  # nobody is at the list
    expect(said).to_have_text("STAT: Okafor, Adaeze N")
    page.evaluate("document.getElementById('announce').textContent = ''")
    page.locator("#level-not_flagged").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#everything").click()  # what was STAT before is no news in another view
    expect(page.locator("#rows tr")).to_have_count(7)
    expect(said).not_to_contain_text("STAT: ")
    page.locator("#rows tr").nth(2).focus()
    scene.make_stat(database, "1.2.2")  # one that is listed already, while the list is held
    expect(said).to_have_text("STAT: Okafor, Adaeze N")
    expect(page.locator("#bar")).to_have_class("urgent")
    expect(page.locator("#bar")).to_contain_text("1 STAT")


def test_after_a_verdict_the_next_row_has_the_focus(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    open_and_settle(page, reader(serve, database).url)
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert page.evaluate(FOCUSED) == "study-1.2.5"
    page.keyboard.press("m")
    page.locator("#verdict[open]").wait_for()
    page.keyboard.press("0")
    expect(page.locator('[id="study-1.2.5"]')).to_have_count(0)
    expect(page.locator('[id="study-1.2.1"]')).to_be_focused()
    page.keyboard.press("m")
    expect(page.locator("#verdict")).to_be_visible()


def test_a_stream_that_falls_silent_is_opened_anew(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    site = reader(serve, database)
    silence = """
      window.streams = 0;
      delete window.SharedWorker;
      window.EventSource = class extends EventTarget {
        static OPEN = 1; static CLOSED = 2;
        readyState = 1;
        constructor() { super(); window.streams++; setTimeout(() => this.dispatchEvent(new Event("open"))); }
        close() { this.readyState = 2; }
      };"""
    page.add_init_script(silence)  # says that it is open, and then never a word
    page.clock.install()
    page.goto(site.url)
    expect(page.locator("#live-words")).to_contain_text("Live")
    assert page.evaluate("window.streams") == 1
    page.clock.run_for(38_000)
    assert page.evaluate("window.streams") == 2
    scene.arrive(database, "1.3.1", datetime.now(UTC))
    row = page.locator('[id="study-1.3.1"]')
    for _ in range(5):  # an answer that is under way may be older than the arrival, and on this clock no time passes by itself
        tick(page, 14_000)  # meanwhile the list is asked for every ten seconds
        with suppress(TimeoutError):
            row.wait_for(timeout=2_000)
            break
    expect(row).to_be_visible()


def tick(page: Page, milliseconds: int) -> None:
    """Let time pass, second by second: what waits for an answer gets it."""
    for _ in range(milliseconds // 1000):
        page.clock.run_for(1000)


@pytest.mark.soak
def test_the_way_back_and_a_filter_that_waits_for_its_answer(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    open_and_settle(page, reader(serve, database).url)
    page.route("**/fragments/worklist?level=stat", lambda route: route.abort())
    page.locator("#level-stat").click()
    expect(page.locator("#worklist")).to_have_attribute("aria-busy", "true")  # greyed: it is not what the address says
    page.unroute("**/fragments/worklist?level=stat")
    expect(page.locator("#rows tr")).to_have_count(1, timeout=15_000)
    assert page.locator("#worklist").get_attribute("aria-busy") is None
