"""A whole session without a mouse, as a radiologist has it: sign in, read ten studies from the top, take one back, sign out."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Watched
from tests.unit.web import scene
from triage.database.memory import MemoryDatabase
from triage.database.passwords import Argon2
from triage.domain.account import Role
from triage.domain.study import ReadingState
from triage.services.accounts import Accounts
from triage.web.identity import name_of

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
SECRET = "four quiet herons wade"
STUDIES = 12


def hospital() -> tuple[MemoryDatabase, Accounts]:
    """Twelve studies, flagged and not, and a reader with a password."""
    database, now = MemoryDatabase(), datetime.now(UTC)
    for number in range(1, STUDIES + 1):
        scene.arrive(database, f"1.2.{number}", now - timedelta(minutes=200 - number))
        scene.decide(database, scene.scored(f"1.2.{number}", 0.9 if number % 3 else 0.1, now))
    scene.put_roles(database, scene.roles(now))
    accounts = Accounts(
        database=database,
        passwords=Argon2(time_cost=1, memory_cost=8),
        clock=lambda: datetime.now(UTC),
        secret=iter([f"secret-{number}" for number in range(20)]).__next__,
    )
    accounts.add("anna", Role.RADIOLOGIST, "test", SECRET)
    return database, accounts


def read(page: Page, key: str) -> None:
    """Claim the study at hand, say a verdict in one key."""
    page.keyboard.press("c")
    expect(page.locator("#reading")).to_contain_text("Yours")
    page.keyboard.press("m")
    page.locator("#verdict[open]").wait_for()
    page.keyboard.press(key)
    expect(page.locator("#verdict[open]")).to_have_count(0)  # the stream may tell it first
    expect(page.locator("#reading")).to_contain_text("Read by")


def test_ten_studies_by_keyboard_alone(serve: Serve, watched: Watched) -> None:
    database, accounts = hospital()
    page, began = watched.page, time.monotonic()
    page.goto(serve(database, accounts=accounts, who=name_of).url)
    page.keyboard.type("anna")
    page.keyboard.press("Tab")
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    page.locator("#live[data-state=live]").wait_for()
    order = [row.removeprefix("study-") for row in page.locator("#rows tr").evaluate_all("all => all.map(row => row.id)")]
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/*", wait_until="load")
    seen = []
    for number in range(10):
        seen.append(page.url.rpartition("/")[2].partition("?")[0])
        read(page, "12"[number % 2])
        if number < 9:
            before = page.url
            page.keyboard.press("n")
            page.wait_for_function("before => location.href !== before", arg=before)
            page.wait_for_load_state("load")  # the keys work from then on
    assert seen == order[:10], "from the top, none left out"
    page.keyboard.press("z")
    expect(page.locator("#reading")).to_contain_text("Unread")
    page.keyboard.press("Escape")
    page.locator("#live[data-state=live]").wait_for()
    expect(page.locator("#rows tr")).to_have_count(STUDIES - 9)
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.textContent") == "Sign out":
            break
    assert watched.console == []  # afterwards the list may ask once more before it is left, and be told 401
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")
    print(f"\nten studies by keyboard alone: {time.monotonic() - began:.1f} s")
    with database.read() as tx:
        assert sum(one.reading.state is ReadingState.READ for one in tx.worklist(include_read=True)) == 9
        assert [len(tx.readings(uid)) for uid in order[:10]] == [1] * 10
        assert tx.claims_of("anna") == []
