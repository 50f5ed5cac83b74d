"""The worklist as a radiologist has it in front of the eyes, in a real browser."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Watched
from tests.unit.web import scene
from triage.database.memory import MemoryDatabase

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
FIRST_ROW = "tbody tr:first-child"


def test_a_new_study_appears_without_reload(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    page.goto(serve(database).url)
    expect(page.locator("#live-words")).to_contain_text("Live")
    expect(page.locator("tbody tr")).to_have_count(6)
    page.evaluate("window.stillTheSamePage = true")

    committed = time.monotonic()
    scene.arrive(database, "1.2.7", datetime.now(UTC))
    expect(page.locator('[id="study-1.2.7"]')).to_contain_text("Analysing", timeout=2_000)
    assert time.monotonic() - committed < 2

    scene.decide(database, scene.scored("1.2.7", 0.97, datetime.now(UTC)))
    expect(page.locator('[id="study-1.2.7"]')).to_contain_text("Flagged")
    expect(page.locator(".total")).to_have_text("7 studies waiting")
    assert page.evaluate("window.stillTheSamePage") is True


def test_the_focus_stays_on_its_study(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    open_and_settle(page, serve(database).url)
    focused = "document.activeElement.id"
    page.locator(FIRST_ROW).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "study-1.2.1"

    scene.make_stat(database, "1.2.1")  # it belongs to the top; it says so where it stands, and moves when the reader says so
    expect(page.locator('[id="study-1.2.1"]')).to_contain_text("STAT")
    expect(page.locator("#bar")).to_contain_text("places changed")
    assert page.evaluate(focused) == "study-1.2.1"
    assert place_of(page, "1.2.1") == 2
    page.keyboard.press("u")
    expect(page.locator("#bar")).to_be_hidden()
    assert place_of(page, "1.2.1") == 1
    assert page.evaluate(focused) == "study-1.2.1"

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "mrn-1.2.1"
    place = place_of(page, "1.2.1")
    scene.finish_reading(database, "1.2.1", datetime.now(UTC))
    expect(page.locator("#bar")).to_contain_text("1 no longer here")
    expect(page.locator('[id="study-1.2.1"]')).to_have_class(re.compile("gone"))
    page.keyboard.press("u")
    expect(page.locator('[id="study-1.2.1"]')).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('tr').rowIndex - 1") == place


def place_of(page: Page, uid: str) -> int:
    """Where a row stands, 0 first."""
    place: int = page.locator("#rows tr").evaluate_all(f"rows => rows.findIndex(row => row.id == 'study-{uid}')")
    return place


def open_and_settle(page: Page, url: str) -> None:
    """Open the list and wait until it is live and has been asked for once, as every page does once it is connected."""
    with page.expect_response(lambda response: "/fragments/worklist" in response.url):
        page.goto(url)
    expect(page.locator("#live-words")).to_contain_text("Live")


def test_a_click_copies_a_number(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    open_and_settle(page, serve(database).url)
    page.locator('[id="accession-1.2.1"]').click()
    expect(page.locator(".copy.done")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == "ACC2026-0815"


def test_no_request_leaves_the_host_and_the_console_is_empty(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    site = serve(database, demo=True)
    page = watched.page
    page.goto(site.url)
    expect(page.locator("#live-words")).to_contain_text("Live")
    scene.arrive(database, "1.2.7", datetime.now(UTC))
    expect(page.locator("tbody tr")).to_have_count(7)
    page.goto(f"{site.url}/api/docs")
    expect(page.locator("article")).to_contain_text("/api/v1/worklist")
    assert {url.split("/")[2] for url in watched.requests} == {f"127.0.0.1:{site.port}"}
    assert watched.console == []


def test_a_lost_connection_is_said_and_mended(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    site = serve(database)
    page = watched.page
    page.goto(site.url)
    expect(page.locator("#live-words")).to_contain_text("Live")
    site.stop()
    expect(page.locator("#stale")).to_contain_text("the list may be stale since")
    expect(page.locator("tbody tr")).to_have_count(6)  # old, but there
    scene.arrive(database, "1.2.7", datetime.now(UTC))
    site.start()
    expect(page.locator('[id="study-1.2.7"]')).to_be_visible(timeout=15_000)
    expect(page.locator("#stale")).to_be_hidden()
    expect(page.locator("#live-words")).to_contain_text("Live")


def test_a_banner_comes_and_goes_by_itself(serve: Serve, watched: Watched) -> None:
    database, _ = scene.afternoon()
    room = [10**9]
    page = watched.page
    site = serve(database, free_bytes=lambda: room[0], heartbeat_limit=timedelta(hours=1))
    with page.expect_response("**/fragments/worklist*"):  # the one that every page asks for once it is connected
        page.goto(site.url)
    expect(page.locator("main .notice:visible")).to_have_count(0)
    room[0] = 0
    expect(page.locator("main .notice:visible")).to_contain_text("Storage is full")
    room[0] = 1
    expect(page.locator("main .notice:visible")).to_have_count(0)
    scene.put_roles(database, scene.roles(datetime.now(UTC), worker={"model": None, "trouble": "weights.npz: digest differs"}))
    expect(page.locator("main .notice:visible")).to_contain_text("No usable model")
    expect(page.locator("#model")).to_have_text("Model: none active")


def test_waiting_ticks(serve: Serve, watched: Watched) -> None:
    database = MemoryDatabase()
    scene.arrive(database, "1.2.1", datetime.now(UTC) - timedelta(minutes=59, seconds=57))
    page = watched.page
    page.goto(serve(database).url)
    expect(page.locator("time.wait")).to_have_text("1 h")


@pytest.mark.parametrize("width", [1280, 1920])
def test_everything_fits_and_can_be_hit(serve: Serve, watched: Watched, width: int) -> None:
    database, _ = scene.afternoon()
    page = watched.page
    page.set_viewport_size({"width": width, "height": 900})
    open_and_settle(page, serve(database).url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.getBoundingClientRect().height)")
    assert min(heights) >= 36
    buttons = page.locator("button.copy").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(buttons) >= 24
    clipped = page.locator("td, th").evaluate_all(
        "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).length"
    )
    assert clipped == 0


def test_a_reader_far_down_the_list_keeps_the_place(serve: Serve, watched: Watched) -> None:
    database = MemoryDatabase()
    now = datetime.now(UTC)
    for place in range(1, 41):
        scene.arrive(database, f"1.2.{place}", now - timedelta(minutes=100 - place))
    page = watched.page
    page.goto(serve(database).url)
    scene.arrive(database, "1.4", now)
    expect(page.locator('[id="study-1.4"]')).to_be_visible()  # the swap that follows the page's first connection is over
    row = "document.getElementById('study-1.2.25')"
    page.evaluate(f"{row}.scrollIntoView({{block: 'center'}})")
    before = page.evaluate(f"{row}.getBoundingClientRect().top")
    scene.arrive(database, "1.3", now)
    scene.make_stat(database, "1.3")  # goes to the top; neither pointer nor focus is on the rows
    expect(page.locator(FIRST_ROW)).to_have_attribute("id", "study-1.3")
    assert abs(page.evaluate(f"{row}.getBoundingClientRect().top") - before) < 1
