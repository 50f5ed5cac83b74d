"""A session that ends in the middle of reading: the page stays, covered, until the same person is back."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.readers import act, dialog, status, study_of
from tests.unit.web.pictures import Room
from triage.database.passwords import Argon2
from triage.domain.account import Role
from triage.domain.audit import Action
from triage.services.accounts import Accounts
from triage.services.ports import Database
from triage.web.identity import name_of

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
SECRET = "four quiet herons wade"


class House:
    """Real accounts: Anna and Okafor."""

    def __init__(self, database: Database) -> None:
        numbers = count(1)
        self.accounts = Accounts(
            database=database,
            passwords=Argon2(time_cost=1, memory_cost=8),
            clock=lambda: datetime.now(UTC),
            secret=lambda: f"secret-{next(numbers)}",
        )
        for name in ("anna", "okafor"):
            self.accounts.add(name, Role.RADIOLOGIST, "test", SECRET)


def sign_in(page: Page, name: str, password: str = SECRET) -> None:
    page.locator("input[name=name]:visible").fill(name)
    page.locator("input[name=password]:visible").fill(password)
    page.keyboard.press("Enter")


def test_a_session_that_ends_covers_the_page_and_the_step_goes_through_after_it(
    serve: Serve, browse: Callable[..., Page], room: Room
) -> None:
    house = House(room.database)
    site = serve(room.database, accounts=house.accounts, who=name_of, films=room.films)
    page = browse()
    page.goto(f"{site.url}/study/1.2.1")
    sign_in(page, "anna")
    expect(page.locator("#film .readout")).to_contain_text("100 %")
    page.evaluate("window.mark = 'the same page'")
    page.keyboard.press("i")

    house.accounts.end_sessions("anna", "test")
    page.keyboard.press("c")
    dialog(page, "session").to_be_visible()
    for hidden in (".facts .name", "#film canvas", "#reading"):
        expect(page.locator(hidden)).to_be_hidden()
    for _ in range(3):
        page.keyboard.press("Escape")
    dialog(page, "session").to_be_visible()
    sign_in(page, "anna", "not the password")
    expect(page.locator("#session-error")).to_have_text("Name or password is wrong.")
    expect(page.locator("#session-password")).to_be_focused()
    assert study_of(room.database, "1.2.1").reading.reader is None
    sign_in(page, "anna")
    status(page).to_contain_text("Yours")
    dialog(page, "session").to_be_hidden()
    expect(page.locator("#film .readout")).to_contain_text("inverted")
    assert page.evaluate("window.mark") == "the same page"

    page.keyboard.press("m")
    page.keyboard.press("t")
    page.keyboard.type("kept")
    page.keyboard.press("Tab")
    house.accounts.end_sessions("anna", "test")  # only now: the page notices by itself, too, and what is typed then is lost
    page.keyboard.press("1")
    dialog(page, "session").to_be_visible()
    expect(page.locator("#verdict")).to_be_hidden()
    sign_in(page, "anna")
    status(page).to_contain_text("Read by anna")
    with room.database.read() as tx:
        assert [one.note for one in tx.readings("1.2.1")] == ["kept"]
    act(room.database, "1.2.1", Action.UNREAD, "okafor", reason="the feed lives again")
    status(page).to_have_text("Unread")

    house.accounts.end_sessions("anna", "test")
    page.keyboard.press("s")
    dialog(page, "session").to_be_visible()
    sign_in(page, "okafor")
    expect(page.locator(".who a")).to_have_text("okafor")
    assert page.evaluate("window.mark") is None
    assert not study_of(room.database, "1.2.1").stat, "what one began another does not finish"


def test_signed_out_in_one_window_is_signed_out_in_the_other(serve: Serve, browse: Callable[..., Page], room: Room) -> None:
    house = House(room.database)
    site = serve(room.database, accounts=house.accounts, who=name_of, films=room.films)
    page = browse()
    page.goto(f"{site.url}/study/1.2.1")
    sign_in(page, "anna")
    expect(page.locator("#film .readout")).to_contain_text("100 %")
    other = page.context.new_page()
    other.goto(site.url)
    other.get_by_role("button", name="Sign out").click()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as when one comes back to this window
    dialog(page, "session").to_be_visible()
    sign_in(other, "anna")
    expect(other.locator(".who a")).to_have_text("anna")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    dialog(page, "session").to_be_hidden()
    page.bring_to_front()  # keys go to the window that one has come back to
    page.keyboard.press("c")
    status(page).to_contain_text("Yours")
