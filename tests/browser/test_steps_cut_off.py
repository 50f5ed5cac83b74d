"""The steps of reading while the service does not answer: nothing hangs, nothing is said that is not known."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DEADLINE_MS, Site
from tests.browser.readers import Named, act, dialog, opened, posts, status, study_of, wait_for
from tests.unit.web.pictures import Room
from triage.domain.audit import Action
from triage.web.identity import name_of

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
HANGING = """() => { // a service that takes every step and never answers
  window.held = [];
  const before = window.fetch;
  window.fetch = (path, options = {}) => (options.method === "POST" && window.cutOff
    ? before(path, options).then(() => new Promise((_, failed) => {
        window.held.push(() => failed(new TypeError("cut off")));
        options.signal?.addEventListener("abort", () => failed(options.signal.reason));
      }))
    : before(path, options));
}"""


def test_a_verdict_whose_answer_is_lost(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    page = opened(browse(), serve(room.database, authenticator=Named(), who=name_of, films=room.films), "1.2.1")
    sent = posts(page)
    page.evaluate(HANGING)
    page.evaluate("window.cutOff = true")
    page.keyboard.press("m")
    page.keyboard.press("1")
    expect(page.locator("#verdict .sending")).to_have_text("Sending…")
    page.keyboard.press("2")
    expect(page.locator("#verdict .sending")).to_have_text("Still sending; this press was not taken.")
    wait_for(lambda: study_of(room.database, "1.2.1").reading.state == "read")
    wait_for(lambda: page.evaluate("window.held.length") == 1)
    page.evaluate("window.held.pop()()")
    expect(page.locator("#verdict .wrong")).to_have_text(
        "The service does not answer. It is not known whether it was changed; look at the study."
    )
    expect(page.locator("#verdict .sending")).to_have_text("")
    page.evaluate("window.cutOff = false")
    page.keyboard.press("2")  # it has been read, by oneself: nothing is wrong
    dialog(page, "verdict").to_be_hidden()
    expect(page.locator("#undo")).to_contain_text("Doe, Jane: read, agree")
    expect(page.locator("#told")).to_be_hidden()
    assert sent == ["read", "read"]
    page.keyboard.press("z")
    status(page).to_have_text("Unread")


@pytest.mark.soak
def test_a_step_that_hangs_ends_by_itself(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    page = opened(browse(), serve(room.database, authenticator=Named(), who=name_of, films=room.films), "1.2.1")
    page.evaluate(HANGING)
    page.evaluate("window.cutOff = true")
    page.keyboard.press("c")
    expect(page.locator("#told")).to_have_text("Doe, Jane: sending…")
    page.keyboard.press("c")
    expect(page.locator("#told")).to_have_text("Doe, Jane: still sending; this press was not taken.")
    expect(page.locator("#told")).to_contain_text("It is not known whether it was changed", timeout=DEADLINE_MS)
    page.evaluate("window.cutOff = false")
    page.keyboard.press("r")
    status(page).to_have_text("Unread")


def test_what_went_wrong_with_one_study_is_not_told_in_the_dialog_of_another(
    serve: Serve, browse: Callable[..., Page], room: Room
) -> None:
    page = opened(browse(), serve(room.database, authenticator=Named(), who=name_of, films=room.films), "1.2.1")
    page.evaluate(HANGING)
    page.evaluate(
        """async () => {
          const { ReadingDesk } = await import("/static/reading.js");
          const desk = new ReadingDesk({ say() {}, changed() {} });
          const row = (uid, name) => ({ dataset: { uid, name, network: "flagged", state: "unread" } });
          window.ask = (uid, name) => { desk.read(row(uid, name)); };
          window.cutOff = true;
          window.ask("1.2.1", "Alpha, Anna");
        }"""
    )
    page.keyboard.press("1")
    wait_for(lambda: page.evaluate("window.held.length") == 1)
    page.keyboard.press("Escape")
    dialog(page, "verdict").to_be_hidden()
    page.evaluate("window.ask('1.2.2', 'Beta, Ben')")
    expect(page.locator("#verdict-heading")).to_have_text("Mark read: Beta, Ben")
    page.evaluate("window.held.pop()()")
    expect(page.locator("#told")).to_contain_text("Alpha, Anna: The service does not answer.")
    expect(page.locator("#verdict .wrong")).to_have_text("")
    dialog(page, "verdict").to_be_visible()


def test_a_page_that_is_cut_off_says_since_when(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    site = serve(room.database, authenticator=Named(), who=name_of, films=room.films)
    page = opened(browse(), site, "1.2.1")
    page.keyboard.press("c")
    status(page).to_contain_text("Yours since")
    site.stop()
    status(page).to_have_text(re.compile(r"^Disconnected – yours as of \d\d:\d\d$"))
    expect(page.locator("#reading .status .cut-off .square")).to_be_visible()
    expect(page.locator("#reading-said")).to_contain_text("Disconnected – yours as of")
    site.start()
    status(page).to_contain_text("Yours since", timeout=2 * DEADLINE_MS)
    expect(page.locator("#reading .cut-off")).to_have_count(0)


def test_a_page_whose_question_fails_says_so(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    page = opened(browse(), serve(room.database, authenticator=Named(), who=name_of, films=room.films), "1.2.1")
    page.route("**/fragments/study?*", lambda route: route.fulfill(status=503))
    act(room.database, "1.2.1", Action.CLAIM, "okafor")
    status(page).to_have_text(re.compile(r"^Disconnected – unread as of \d\d:\d\d$"))
    page.unroute("**/fragments/study?*")
    act(room.database, "1.2.1", Action.STAT, "okafor")
    status(page).to_contain_text("Reading – okafor")
