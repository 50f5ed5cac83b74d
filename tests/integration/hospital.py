"""The pages behind a port, an identity provider beside them, and browsers that follow redirects."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx

from tests.browser.conftest import Site
from tests.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.unit.web import scene
from triage.database.passwords import Argon2
from triage.domain.account import Role
from triage.domain.external import Rules
from triage.oidc.fetch import Fetcher
from triage.oidc.provider import Provider
from triage.services.accounts import Accounts
from triage.services.external_sign_in import ExternalSignIn
from triage.web.app import create_app
from triage.web.external import External
from triage.web.identity import name_of

PASSWORD = "four quiet herons wade"
ROLES = {"chiefs": Role.PACS_ADMIN, "readers": Role.RADIOLOGIST}
LABEL = "Sign in with the hospital account"


class Hospital:
    """Everything running. ``later`` moves the clock of the pages and of the provider; ``stopped`` at a time it stands still."""

    def __init__(self, *, passwords: bool = True, deadline: float = 5.0, public_url: str = "", **rules: Any) -> None:
        self.later = timedelta(0)
        self.stopped: datetime | None = None
        self.idp = IdentityProvider(now=self.clock).start()
        self.database, _ = scene.afternoon()
        numbers = count(1)
        self.accounts = Accounts(
            database=self.database,
            passwords=Argon2(time_cost=1, memory_cost=8),
            clock=self.clock,
            secret=lambda: f"secret-{next(numbers)}",
        )
        self.provider = Provider(
            issuer=self.idp.issuer,
            client_id=CLIENT,
            client_secret=SECRET,
            clock=self.clock,
            fetcher=Fetcher(deadline),
        )
        steps = ExternalSignIn(accounts=self.accounts, rules=Rules(**{"issuer": self.idp.issuer, "roles": ROLES, **rules}))
        self.external = External(provider=self.provider, steps=steps, label=LABEL, passwords=passwords)
        self.site = Site(
            lambda: create_app(
                self.database,
                clock=self.clock,
                free_bytes=lambda: 10**9,
                accounts=self.accounts,
                external=self.external,
                public_url=public_url,
                who=name_of,
            )
        )
        self.site.start()
        self.idp.redirect_uris.append(f"{self.site.url}/oidc/callback")
        self.browsers: list[httpx.Client] = []

    def clock(self) -> datetime:
        return (self.stopped or datetime.now(UTC)) + self.later

    def browser(self) -> httpx.Client:
        """A fresh profile, as a person's."""
        client = httpx.Client(base_url=self.site.url, headers={"accept": "text/html"}, timeout=20, trust_env=False)
        self.browsers.append(client)
        return client

    def sign_in(self, browser: httpx.Client, asked: str = "/") -> httpx.Response:
        """Press the button and follow wherever it leads."""
        return browser.get("/oidc/start", params={"next": asked}, follow_redirects=True)

    def until_code(self, browser: httpx.Client) -> str:
        """The way to the provider and back, up to the address that carries the code."""
        there = browser.get("/oidc/start").headers["location"]
        return browser.get(there).headers["location"]

    def audit(self) -> list[tuple[str, str, dict[str, str]]]:
        """(action, subject, details) of everything audited."""
        with self.database.read() as tx:
            entries = [record.entry for record in tx.audit()]
        return [(one.action.value, one.subject, dict(one.details)) for one in entries]

    def close(self) -> None:
        for browser in self.browsers:
            browser.close()
        self.site.stop()
        self.idp.stop()


@contextmanager
def hospital(**options: Any) -> Iterator[Hospital]:
    """A hospital for the length of a test."""
    world = Hospital(**options)
    try:
        yield world
    finally:
        world.close()
