"""The administrator's pages with the keyboard alone: an account is added, a bundle is activated; no script is needed."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Watched
from tests.unit.web import scene
from tests.unit.web.signed_in import SignedIn
from tests.unit.web.test_admin_pages import FIRST, SECOND, card
from triage.database.memory import MemoryDatabase
from triage.database.passwords import Argon2
from triage.domain.account import Role
from triage.inference.memory import MemoryBundles
from triage.services.accounts import Accounts
from triage.web.admin.installation import Installation
from triage.web.identity import name_of

pytestmark = pytest.mark.browser


def reach(page: Page, role: str, name: str) -> None:
    """Press Tab until the focus is on it."""
    wanted = page.get_by_role(role, name=name)  # type: ignore[arg-type]
    expect(wanted).to_have_count(1)
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach the {role} {name}")


def accounts_on(database: MemoryDatabase) -> Accounts:
    numbers = count(1)
    return Accounts(
        database=database,
        passwords=Argon2(time_cost=1, memory_cost=8),
        clock=lambda: datetime.now(UTC),
        secret=lambda: f"one-time-secret-{next(numbers)}",
    )


def test_adding_an_account_with_the_keyboard(serve: Callable[..., Site], watched: Watched) -> None:
    database, _ = scene.afternoon()
    accounts = accounts_on(database)
    site = serve(database, authenticator=SignedIn(), accounts=accounts, who=name_of)
    page = watched.page
    page.goto(f"{site.url}/admin/system")
    reach(page, "link", "Users")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Users")
    reach(page, "textbox", "Name")
    page.keyboard.type("anna.grey")
    page.keyboard.press("Tab")
    page.keyboard.type("auditor")
    reach(page, "button", "Add")
    page.keyboard.press("Enter")
    expect(page.locator("#secret")).to_contain_text("one-time-secret-")
    reach(page, "link", "Back to anna.grey")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("User anna.grey")
    with database.read() as tx:
        account = tx.accounts.account("anna.grey")
    assert account is not None
    assert (account.role, account.must_change) == (Role.AUDITOR, True)
    assert watched.console == []
    assert all(address.startswith(site.url) for address in watched.requests)


def test_activating_a_bundle_with_the_keyboard(serve: Callable[..., Site], watched: Watched) -> None:
    database, _ = scene.afternoon()
    bundles = MemoryBundles([card(FIRST, active=True), card(SECOND, name="gap7")])
    installation = Installation(bundles=bundles)
    site = serve(database, authenticator=SignedIn(role=Role.ML_ADMIN), installation=installation, who=name_of)
    page = watched.page
    page.goto(f"{site.url}/admin/models")
    reach(page, "link", "Activate … gap7 1")
    page.keyboard.press("Enter")
    reach(page, "button", "Activate gap7 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox")).to_be_focused()  # the browser itself asks for the reason
    page.keyboard.type("the first one fails on AP films")
    reach(page, "button", "Activate gap7 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("serves now")
    assert [one.active for one in bundles.entries()] == [False, True]
    expect(page.get_by_role("table", name="When it began to serve")).to_contain_text("the first one fails on AP films")
    assert watched.console == []
