"""The steps of reading under the fingers: every key, races, leases, and a session that ends in the middle of it."""

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from playwright.sync_api import Browser, Error, Page, expect
from starlette.datastructures import Headers

from tests.browser.conftest import ARGUMENTS, DEADLINE_MS, Site, chromium
from tests.browser.readers import Named, act, dialog, opened, posts, status, study_of, wait_for
from tests.films import film
from tests.size import size
from tests.unit.database.stores import opened as opened_store
from tests.unit.domain import make
from tests.unit.web.pictures import Room
from tests.unit.web.scene import POLICY
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import Identity, Role
from triage.domain.audit import Action
from triage.domain.reading import Step
from triage.services.ports import Database
from triage.services.reading import take
from triage.web.identity import name_of

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
MINUTE = timedelta(minutes=1)
ROUNDS = size(100, 500)


def test_every_step_has_its_key(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    site = serve(room.database, authenticator=Named(), who=name_of, films=room.films)
    page = opened(browse(), site, "1.2.1")
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text))
    film_stands = page.locator("#film canvas").bounding_box()
    names_stand = page.locator(".facts .name").bounding_box()

    page.keyboard.press("c")
    status(page).to_contain_text("Yours since")
    assert study_of(room.database, "1.2.1").reading.reader == "anna"
    page.keyboard.press("r")
    status(page).to_have_text("Unread")

    page.keyboard.press("s")
    expect(page.locator("#marks")).to_contain_text("STAT")
    page.keyboard.press("s")
    dialog(page, "sure").to_contain_text("flagged (probability 0.90)")
    page.keyboard.press("Escape")
    dialog(page, "sure").to_be_hidden()
    assert study_of(room.database, "1.2.1").stat
    page.keyboard.press("s")
    page.keyboard.press("y")
    expect(page.locator("#marks")).not_to_contain_text("STAT")

    act(room.database, "1.2.1", Action.CLAIM, "okafor")
    status(page).to_contain_text("Reading – okafor")
    assert console == []
    for key in ("c", "m", "t"):
        page.keyboard.press(key)
        dialog(page, "sure").to_contain_text(re.compile(r"okafor has been reading it since \d\d:\d\d\."))
        page.keyboard.press("Escape")
        dialog(page, "sure").to_be_hidden()
    page.keyboard.press("t")
    page.keyboard.press("y")
    status(page).to_contain_text("Yours since")

    page.locator("#reading-finish").focus()
    page.keyboard.press("Enter")
    dialog(page, "verdict").to_contain_text("flagged (probability 0.90)")
    page.keyboard.press("Escape")
    dialog(page, "verdict").to_be_hidden()
    expect(page.locator("#reading-finish")).to_be_focused()

    page.keyboard.press("m")
    page.keyboard.press("t")
    page.keyboard.type("12 mm, level 3")
    page.keyboard.press("Escape")  # what was typed is not lost
    dialog(page, "verdict").to_be_hidden()
    page.keyboard.press("m")
    expect(page.locator("#verdict-note")).to_have_value("12 mm, level 3")
    page.keyboard.press("2")
    status(page).to_contain_text("Read by anna at")
    expect(page.locator("#reading-next")).to_be_focused()
    expect(page.locator("#reading-next")).to_have_text(re.compile("Next to read"))
    expect(page.locator("#undo")).to_contain_text("Doe, Jane: read, disagree")
    expect(page.locator("#readings tbody tr")).to_contain_text("12 mm, level 3")
    assert study_of(room.database, "1.2.1").reading.verdict == "disagree"
    assert page.locator("#film canvas").bounding_box() == film_stands
    assert page.locator(".facts .name").bounding_box() == names_stand

    page.keyboard.press("z")
    status(page).to_have_text("Unread")
    with room.database.read() as tx:
        assert [one.entry.details["reason"] for one in tx.audit() if one.entry.action is Action.UNREAD] == ["marked by mistake"]

    page.keyboard.press("m")
    page.keyboard.press("1")
    dialog(page, "verdict").to_be_hidden()
    status(page).to_contain_text("Read by anna at")
    page.keyboard.press("n")
    expect(page).to_have_url(f"{site.url}/study/1.2.3")
    expect(page.locator("#undo")).to_contain_text("The study before: read, agree")
    page.keyboard.press("z")
    expect(page.locator("#told")).to_contain_text("unread again")
    assert study_of(room.database, "1.2.1").reading.verdict is None
    expect(page.locator("#undo")).to_be_hidden()
    page.keyboard.press("n")
    expect(page).to_have_url(f"{site.url}/study/1.2.2")
    expect(page.locator("#film .readout")).to_contain_text("100 %")
    for uid in ("1.2.1", "1.2.3"):
        act(room.database, uid, Action.CLAIM, "okafor")
    page.keyboard.press("n")
    expect(page.locator("#told")).to_have_text("No other study is free.")

    page.keyboard.press("?")
    for key in "crtmzsn":
        expect(page.locator("#keys dt").filter(has=page.locator("kbd", has_text=re.compile(f"^{key}$")))).to_have_count(1)


def test_each_verdict_in_one_key_and_only_where_there_is_something_to_judge(
    serve: Serve, browse: Callable[..., Page], room: Room
) -> None:
    site = serve(room.database, authenticator=Named(), who=name_of, films=room.films)
    page = opened(browse(), site, "1.2.1")
    sent = posts(page)
    verdicts = {"1": "agree", "2": "disagree", "3": "not_assessable", "0": None, "Enter": None}
    for key, verdict in verdicts.items():
        page.keyboard.press("m")
        dialog(page, "verdict").to_be_visible()
        page.keyboard.press(key)
        status(page).to_contain_text("Read by anna")
        assert study_of(room.database, "1.2.1").reading.verdict == verdict, key
        page.keyboard.press("z")
        status(page).to_have_text("Unread")
    assert sent == ["read", "unread"] * len(verdicts)

    opened(page, site, "1.2.3")
    page.keyboard.press("m")
    dialog(page, "verdict").to_contain_text("still analysing this study: there is nothing to agree with yet")
    expect(page.locator("#verdict .choices button:visible")).to_have_text([re.compile("Not assessable"), re.compile("Without")])
    page.keyboard.press("1")
    page.keyboard.press("2")
    dialog(page, "verdict").to_be_visible()
    assert len(sent) == 2 * len(verdicts)
    with room.database.read() as tx:
        (image,) = tx.instances("1.2.3")
    room.decide(image, probability=0.8)  # the network answers while the question stands open
    page.keyboard.press("3")
    expect(page.locator("#told")).to_contain_text("The network says something else now")
    expect(page.locator("#marks")).to_contain_text("Flagged")
    page.keyboard.press("m")
    expect(page.locator("#verdict .choices button:visible").first).to_contain_text("Agree: abnormal")
    page.keyboard.press("1")
    status(page).to_contain_text("Read by anna")

    page.locator("#reading-hold").click()
    page.keyboard.press("Enter")  # no reason, no step
    dialog(page, "reason").to_be_visible()
    page.keyboard.type("second opinion")
    page.keyboard.press("Enter")
    status(page).to_have_text("Unread")

    room.store(film("1.2.3", "1.2.3.2", rows=16, columns=16), datetime.now(UTC))
    expect(page.locator("#changed")).to_contain_text("+1 image")
    page.keyboard.press("m")
    expect(page.locator("#told")).to_contain_text("load it first: u")


@pytest.mark.parametrize(("uid", "probability"), [("1.2.1", None), ("1.2.2", 0.1), ("1.2.3", None)])
def test_no_verdict_on_an_image_that_nobody_saw(
    serve: Serve, browse: Callable[..., Page], room: Room, uid: str, probability: float | None
) -> None:
    page = opened(browse(), serve(room.database, authenticator=Named(), who=name_of, films=room.films), uid)
    page.keyboard.press("m")
    dialog(page, "verdict").to_be_visible()
    before = study_of(room.database, uid)
    image = room.store(film(uid, f"{uid}.9", rows=16, columns=16), datetime.now(UTC))
    if probability is not None:
        room.decide(image, probability=probability)
    assert study_of(room.database, uid).network_level is before.network_level
    page.keyboard.press("3")
    expect(page.locator("#told")).to_contain_text("+1 image arrived; look at it first.")
    assert study_of(room.database, uid).reading.state == "unread"
    with room.database.read() as tx:
        assert tx.readings(uid) == []


def test_a_double_click_is_one_press(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    page = opened(browse(), serve(room.database, authenticator=Named(), who=name_of, films=room.films), "1.2.1")
    sent = posts(page)
    page.locator("#reading-hold").click()
    status(page).to_contain_text("Yours")
    page.locator("#reading-hold").dispatch_event("click", {"detail": 2})
    page.locator("#reading-stat").click()
    expect(page.locator("#marks")).to_contain_text("STAT")
    assert sent == ["claim", "stat"]


def test_a_double_press_and_a_key_held_down_send_once(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    page = opened(browse(), serve(room.database, authenticator=Named(), who=name_of, films=room.films), "1.2.1")
    sent = posts(page)
    press = """([node, key, held]) => {
      for (const repeat of [held, held, true]) {
        document.querySelector(node).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, repeat }));
      }
    }"""
    page.evaluate(press, ["body", "c", True])
    page.evaluate(press, ["body", "c", False])
    status(page).to_contain_text("Yours")
    page.evaluate(press, ["body", "m", False])
    page.evaluate(press, ["#verdict", "1", True])
    page.evaluate(press, ["#verdict", "1", False])
    status(page).to_contain_text("Read by anna")
    assert sent == ["claim", "read"]
    through = page.evaluate(
        """async () => { // on a page that does not look at repeats itself
          const { ReadingDesk } = await import("/static/reading.js");
          const desk = new ReadingDesk({ say() {}, changed() {} });
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "x", bubbles: true, repeat: true }));
          return desk.claim(document.getElementById("reading"));
        }"""
    )
    assert through is False
    assert sent == ["claim", "read"]


def test_after_a_verdict_the_focus_is_at_the_next_step(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    page = opened(browse(), serve(room.database, authenticator=Named(), who=name_of, films=room.films), "1.2.1")
    page.keyboard.press("m")  # while nothing has the focus
    page.keyboard.press("1")
    status(page).to_contain_text("Read by anna")
    expect(page.locator("#reading-next")).to_be_focused()
    page.keyboard.press("z")
    status(page).to_have_text("Unread")
    page.locator("#film canvas").focus()
    page.keyboard.press("m")
    page.keyboard.press("1")
    status(page).to_contain_text("Read by anna")
    expect(page.locator("#film canvas")).to_be_focused()


def test_a_viewer_has_no_steps(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    page = opened(browse(), serve(room.database, authenticator=SignedIn(role=Role.VIEWER), films=room.films), "1.2.1")
    sent = posts(page)
    for key in "crtmszn":
        page.keyboard.press(key)
    assert page.locator("[data-step], #verdict").count() == 0
    status(page).to_have_text("Unread")
    assert sent == []


class Meeting(Named):
    """Lets two readers of a round through at the same moment."""

    def __init__(self) -> None:
        super().__init__()
        self._both = [threading.Barrier(2) for _ in range(ROUNDS)]

    def identify(self, headers: Headers, *, renew: bool) -> Identity | None:
        if "x-round" in headers:
            self._both[int(headers["x-round"])].wait(DEADLINE_MS / 1000)
        return super().identify(headers, renew=renew)


def test_of_two_browsers_exactly_one_claims(serve: Serve, browse: Callable[..., Page], tmp_path: Path) -> None:
    with opened_store("sql", tmp_path) as database:
        with database.write() as tx:
            for place in range(ROUNDS):
                tx.put_study(make.study(f"1.2.{place}", datetime.now(UTC)))
        site = serve(database, authenticator=Meeting(), who=name_of)
        pages = [browse(user) for user in ("anna", "okafor")]
        begun = monotonic()
        for page in pages:
            page.goto(f"{site.url}/static/icon.svg")
        for page in pages:
            page.evaluate(
                """(rounds) => {
                  const claim = async (round) => {
                    const headers = { "x-round": String(round) };
                    const answer = await fetch(`/api/v1/studies/1.2.${round}/claim`, { method: "POST", headers });
                    const told = await answer.json();
                    return [answer.status, answer.ok ? told.reading.reader : told.holder];
                  };
                  window.race = Promise.all([...Array(rounds).keys()].map(claim));
                }""",
                ROUNDS,
            )
        answers = [page.evaluate("window.race") for page in pages]
        rounds = list(zip(*answers, strict=True))
        assert [sorted(status for status, _ in one) for one in rounds] == [[200, 409]] * ROUNDS
        assert all(one[0][1] == one[1][1] for one in rounds), "the loser is told who won"
        won = sum(first[0] == 200 for first, _ in rounds)
        assert 0 < won < ROUNDS
        print(f"{ROUNDS} rounds in {monotonic() - begun:.1f} s: anna won {won}, okafor {ROUNDS - won}, both or nobody 0")
        site.stop()
        site.start()  # the fixture stops it; the database is closed before


@pytest.mark.soak
def test_a_claim_lasts_while_the_page_is_open_and_comes_back_when_the_browser_is_killed(
    serve: Serve, browse: Callable[..., Page], browser: Browser, room: Room
) -> None:
    clock = make.Clock(datetime.now(UTC))
    lease = timedelta(seconds=3)
    site = serve(room.database, authenticator=Named(), who=name_of, films=room.films, clock=clock, lease=lease)
    order = list_of(room.database)
    doomed = browser.browser_type.launch(executable_path=chromium(), args=ARGUMENTS)
    page = opened(doomed.new_page(extra_http_headers={"x-user": "doomed"}), site, "1.2.1")
    page.keyboard.press("c")
    status(page).to_contain_text("Yours")
    for _ in range(3):
        until = clock.forward(seconds=2) + lease
        with page.expect_response(lambda answer: answer.url.endswith("/renew"), timeout=DEADLINE_MS):
            pass
        wait_for(lambda until=until: study_of(room.database, "1.2.1").reading.lease_until == until)  # type: ignore[misc]
    with suppress(Error):
        doomed.new_browser_cdp_session().send("Browser.crash")

    other = opened(browse("okafor"), site, "1.2.3")
    assert free_for(other) == "1.2.3"
    clock.forward(seconds=3)
    assert list_of(room.database) == order
    assert free_for(other) == "1.2.1"
    other.keyboard.press("n")
    expect(other).to_have_url(re.compile("/study/1.2.2"))
    opened(other, site, "1.2.1")
    status(other).to_have_text("Unread")
    other.keyboard.press("c")
    status(other).to_contain_text("Yours")
    take(room.database, "1.2.1", Step(action=Action.TAKEOVER, actor="anna"), POLICY, clock)
    expect(other.locator("#told")).to_contain_text("anna has taken this study over from you.")
    with suppress(Error):
        doomed.close()


def list_of(database: Database) -> list[str]:
    with database.read() as tx:
        return [study.study_instance_uid for study in tx.worklist()]


def free_for(page: Page) -> str:
    found: str = page.evaluate("fetch('/api/v1/next').then((answer) => answer.json()).then((told) => told.study_instance_uid)")
    return found
