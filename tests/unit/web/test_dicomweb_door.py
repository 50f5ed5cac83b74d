"""The door of DICOMweb: which origins may read, which bodies are taken in, and that storing is off unless it is switched on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.unit.web.conftest import NOW
from tests.unit.web.pictures import Room
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import Role
from triage.web.app import create_app

VIEWER, FOREIGN = "https://viewer.example", "https://evil.example"
HERE = "http://127.0.0.1:8080"
PREFLIGHT = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}


class Site:
    """The application for somebody of a role, who may have come with a session (``csrf``)."""

    def __init__(self, role: Role = Role.SERVICE, csrf: str | None = None, **options: Any) -> None:
        self.door = SignedIn(role=role, csrf=csrf)
        room = Room()
        self.app = create_app(
            room.database, clock=lambda: NOW, free_bytes=lambda: 10**9, films=room.films, authenticator=self.door, **options
        )

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=HERE) as client:
                return await client.request(method, path, **options)

        return asyncio.run(answer())


@pytest.fixture
def site() -> Site:
    return Site(viewer_origins=[VIEWER])


def allowed(answer: httpx.Response) -> str | None:
    return answer.headers.get("access-control-allow-origin")


def test_a_named_origin_may_read_and_no_other(site: Site) -> None:
    answer = site.ask("GET", "/dicomweb/studies", headers={"origin": VIEWER})
    assert (answer.status_code, allowed(answer)) == (200, VIEWER)
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"
    for origin in (
        FOREIGN,
        "null",
        VIEWER.upper(),
        f"{VIEWER}.evil.example",
        f"{VIEWER}:444",
        "http://viewer.example",
        "*",
        "",
    ):
        answer = site.ask("GET", "/dicomweb/studies", headers={"origin": origin})
        assert allowed(answer) is None, origin
        assert answer.headers["vary"] == "Origin", "a cache must not give one origin's answer to another"
    assert allowed(site.ask("GET", "/api/v1/worklist", headers={"origin": VIEWER})) is None, "only DICOMweb"
    assert allowed(Site().ask("GET", "/dicomweb/studies", headers={"origin": VIEWER})) is None, "off unless it is named"


def test_a_preflight_is_answered_before_anybody_is_known_and_tells_nothing(site: Site) -> None:
    answer = site.ask("OPTIONS", "/dicomweb/studies", headers={"origin": VIEWER, **PREFLIGHT})
    assert (answer.status_code, allowed(answer), answer.content) == (204, VIEWER, b"")
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    for headers in ({"origin": FOREIGN, **PREFLIGHT}, {"origin": VIEWER}):
        assert site.ask("OPTIONS", "/dicomweb/studies", headers=headers).status_code == 405
    assert site.ask("OPTIONS", "/api/v1/worklist", headers={"origin": VIEWER, **PREFLIGHT}).status_code == 405


def test_refusals_are_readable_too(site: Site) -> None:
    answer = site.ask("GET", "/dicomweb/studies?limit=x", headers={"origin": VIEWER})
    assert (answer.status_code, allowed(answer)) == (400, VIEWER)


def test_a_session_stores_nothing_from_another_page() -> None:
    site = Site(csrf="c", viewer_origins=[VIEWER])
    for origin in (VIEWER, FOREIGN, HERE):
        headers = {"origin": origin, "content-type": "application/dicom"} | ({"x-csrf-token": "c"} if origin != HERE else {})
        assert site.ask("POST", "/dicomweb/studies", headers=headers, content=b"x").status_code == 403, origin


@pytest.mark.parametrize("role", Role)
def test_storing_is_off_and_for_service_accounts_only(role: Role) -> None:
    answer = Site(role).ask("POST", "/dicomweb/studies", headers={"content-type": "application/dicom"}, content=b"x")
    assert answer.status_code == (404 if role is Role.SERVICE else 403)
    if role is Role.SERVICE:
        assert "web.stow" in answer.json()["detail"]


def test_a_body_is_not_read_before_its_sender_was_let_in() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(1 << 16)

    answer = Site(Role.VIEWER).ask(
        "POST", "/dicomweb/studies", headers={"content-type": "application/dicom"}, content=endless()
    )
    assert answer.status_code == 403
    assert read <= 1
