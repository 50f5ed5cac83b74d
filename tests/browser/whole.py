"""Every page of the service in a browser: which there are for a role, and when one has come to rest."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.size import size
from tests.unit.web.every_page import addresses, is_page
from tests.unit.web.furnished import House
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import Role

READERS_AND_KEEPERS = (Role.RADIOLOGIST, Role.PACS_ADMIN, Role.ML_ADMIN, Role.AUDITOR)
"""Between them they see every page."""
QUIET_MS = 350
FILM = "#film .readout:not(:empty), #film .problem:not([hidden])"
AT_REST = f"""() => new Promise((resolve) => {{
  let timer = 0;
  const watch = new MutationObserver(again);
  function again() {{
    clearTimeout(timer);
    timer = setTimeout(() => {{ watch.disconnect(); resolve(true); }}, {QUIET_MS});
  }}
  watch.observe(document, {{ subtree: true, childList: true, attributes: true }});
  again();
}})"""


@dataclass(frozen=True)
class Shown:
    """A page of the service as a role meets it. ``site``: its address without the path."""

    role: Role
    route: str
    site: str
    path: str

    @property
    def url(self) -> str:
        return self.site + self.path


def bare(path: str) -> str:
    """Without the query: what it adds is seen without a browser."""
    return path.partition("?")[0]


def every_page(serve: Callable[..., Site], house: House) -> list[Shown]:
    """Each address that answers with a whole page, once, with the first role that sees it; and what a refusal looks like."""
    found: list[Shown] = []
    for role in READERS_AND_KEEPERS:
        site = serve(house.database, authenticator=SignedIn(role=role, csrf="c"), **house.options)
        with httpx.Client(base_url=site.url, headers={"accept": "text/html"}) as client:
            for one in addresses(house):
                if (
                    not one.open_to(role)
                    or one.route.startswith("/api/v1/")
                    or bare(one.path) in {bare(page.path) for page in found}
                ):
                    continue
                answer = client.get(one.path)
                if answer.headers.get("content-type", "").startswith("text/html") and is_page(answer.text):
                    found.append(Shown(role, one.route, site.url, one.path))
        if role is Role.AUDITOR:
            found.append(Shown(role, "no permission", site.url, "/"))
    return found


def in_turn(shown: list[Shown], every: int) -> list[Shown]:
    """One of ``every`` pages, and list and study whatever their turn; all of them with ``make soak``."""
    return [one for number, one in enumerate(shown) if number % size(every, 1) == 0 or one.route in ("/", "/study/{uid}")]


def opened(page: Page, url: str) -> None:
    """Until its scripts have run and, on a study, the film is there or is said not to be."""
    page.goto(url)
    if page.locator("#film").count():
        page.locator(FILM).first.wait_for(state="attached")


def come_to_rest(page: Page, url: str) -> None:
    """Open an address and wait until it has stopped changing by itself."""
    opened(page, url)
    page.evaluate(AT_REST)
