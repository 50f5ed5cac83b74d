"""Tests of pages come in without a password: everybody is who the test says."""

from dataclasses import dataclass, field

from starlette.datastructures import Headers

from triage.domain.account import Identity, Role


@dataclass
class SignedIn:
    """An authenticator that believes; keeps what it was told of refusals."""

    role: Role = Role.PACS_ADMIN
    csrf: str | None = None
    refusals: list[str] = field(default_factory=list)

    def identify(self, headers: Headers, *, renew: bool) -> Identity | None:
        return Identity(name="tester", role=self.role, csrf=self.csrf)

    def refused(self, who: Identity, what: str) -> None:
        self.refusals.append(what)
