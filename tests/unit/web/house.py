"""The application with real accounts, entered as any role; what the tests of the administrator's pages share."""

import asyncio
from datetime import datetime
from itertools import count
from typing import Any

import httpx

from tests.unit.web import scene
from triage.database.passwords import Argon2
from triage.domain.account import Role
from triage.services.accounts import Accounts
from triage.services.ports import Database
from triage.services.sessions import csrf_of
from triage.web.admin.installation import Installation
from triage.web.app import create_app
from triage.web.identity import name_of
from triage.web.sign_in import COOKIE

SECRET = "four quiet herons wade"
HERE = "http://127.0.0.1:8080"


class House:
    """Everybody's session is kept by role; ``get`` and ``post`` ask as that role does in a browser."""

    def __init__(
        self,
        now: datetime,
        installation: Installation | None = None,
        database: Database | None = None,
        destinations: tuple[str, ...] = (),
    ) -> None:
        self.now = now
        self.database = database or scene.afternoon(now)[0]
        numbers = count(1)
        self.accounts = Accounts(
            database=self.database,
            passwords=Argon2(time_cost=1, memory_cost=8),
            clock=lambda: self.now,
            secret=lambda: f"secret-{next(numbers)}-long-enough",
        )
        self.installation = installation or Installation()
        self.app = create_app(
            self.database,
            clock=lambda: self.now,
            free_bytes=lambda: 10**9,
            accounts=self.accounts,
            who=name_of,
            installation=self.installation,
            destinations=destinations,
        )
        self._sessions: dict[Role, str] = {}

    def close(self) -> None:
        self.app.state.previews.close()
        self.app.state.opened.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=HERE) as client:
                return await client.request(method, path, **options)

        return asyncio.run(answer())

    def secret(self, role: Role) -> str:
        """The session of the role's account, whose name is the role's with a dash; made when it is needed."""
        if role not in self._sessions:
            name = role.value.replace("_", "-")
            self.accounts.add(name, role, "test", SECRET)
            self._sessions[role] = self.accounts.sign_in(name, SECRET, "")
        return self._sessions[role]

    def cookie(self, role: Role = Role.PACS_ADMIN) -> str:
        """What the role's browser sends by itself."""
        return f"{COOKIE}={self.secret(role)}"

    def get(self, path: str, role: Role = Role.PACS_ADMIN, **options: Any) -> httpx.Response:
        return self.ask("GET", path, headers={"cookie": f"{COOKIE}={self.secret(role)}"}, **options)

    def post(self, path: str, data: dict[str, str] | None = None, role: Role = Role.PACS_ADMIN) -> httpx.Response:
        """A form as the page sends it."""
        secret = self.secret(role)
        headers = {"cookie": f"{COOKIE}={secret}", "origin": HERE}
        return self.ask("POST", path, data={"csrf": csrf_of(secret), **(data or {})}, headers=headers)

    def send(self, path: str, body: Any = None, role: Role = Role.PACS_ADMIN) -> httpx.Response:
        """A call as a script makes it."""
        secret = self.secret(role)
        headers = {"cookie": f"{COOKIE}={secret}", "origin": HERE, "x-csrf-token": csrf_of(secret)}
        return self.ask("POST", path, json=body, headers=headers)

    def audited(self, action: str) -> list[tuple[str, str, dict[str, str]]]:
        """(actor, subject, details) of every record of an action, oldest first."""
        with self.database.read() as tx:
            records = [record for record in tx.audit() if record.action == action]
        return [(one.actor, one.subject, dict(one.entry.details)) for one in records]
