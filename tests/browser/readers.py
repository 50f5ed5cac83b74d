"""What the tests of the reading steps share: readers by name, and what stands on a study page."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from playwright.sync_api import Page, expect
from starlette.datastructures import Headers

from tests.browser.conftest import DEADLINE_MS, Site
from tests.unit.web.scene import POLICY
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import Identity, Role
from triage.domain.audit import Action
from triage.domain.reading import Step
from triage.domain.study import Study
from triage.services.ports import Database
from triage.services.reading import take


class Named(SignedIn):
    """Everybody is the radiologist that the browser says."""

    def identify(self, headers: Headers, *, renew: bool) -> Identity | None:
        return Identity(name=headers.get("x-user", "anna"), role=Role.RADIOLOGIST)


def study_of(database: Database, uid: str) -> Study:
    with database.read() as tx:
        study = tx.study(uid)
    assert study is not None
    return study


def act(database: Database, uid: str, action: Action, actor: str, **more: Any) -> None:
    take(database, uid, Step(action=action, actor=actor, **more), POLICY, lambda: datetime.now(UTC))


def opened(page: Page, site: Site, uid: str) -> Page:
    page.goto(f"{site.url}/study/{uid}")
    expect(page.locator("#film .readout")).to_contain_text("100 %")
    return page


def status(page: Page) -> Any:
    return expect(page.locator("#reading .status"))


def dialog(page: Page, name: str) -> Any:
    return expect(page.locator(f"#{name}"))


def posts(page: Page) -> list[str]:
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url.rsplit("/", 1)[1]) if one.method == "POST" else None)
    return sent


def wait_for(condition: Callable[[], bool]) -> None:
    until = monotonic() + DEADLINE_MS / 1000
    pause = threading.Event()
    while not condition():
        assert monotonic() < until
        pause.wait(0.02)
