"""The gate judges what the router serves, whatever a request says of itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from tests.unit.web import scene
from tests.unit.web.conftest import NOW
from tests.unit.web.house import House
from triage.domain.account import Identity, Role
from triage.web.app import create_app
from triage.web.guard import Guard
from triage.web.identity import Door, Gate, while_signed_in

HOSTILE = [
    "localhost:80/static/x?",
    "localhost/static/x?",
    "localhost:80/static/x#",
    "localhost:80?x=/static/",
    "localhost#",
    "localhost:80@127.0.0.1",
    "localhost@127.0.0.1",
    "x@localhost",
    "localhost:x",
    "localhost:80:80",
    "localhost: 80",
    "localhost:",
    "localhost\\static",
    "[::1]/static/x?",
    "[::1]x",
    "[::1",
    "[::1]:80/",
]


class Nobody:
    """Knows nobody."""

    def identify(self, *_: Any, **__: Any) -> Identity | None:
        return None

    def refused(self, *_: Any) -> None:
        raise AssertionError("there is nobody")


def scope_of(host: str, path: str = "/api/v1/worklist", method: str = "GET", client: str = "127.0.0.1") -> Scope:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", host.encode())],
        "client": (client, 5000),
        "server": ("127.0.0.1", 80),
    }


def status_of(app: Any, scope: Scope) -> int:
    found: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(app(scope, receive, send))
    return found[0]


def body_of(app: Any, scope: Scope) -> bytes:
    found = bytearray()

    async def send(message: Message) -> None:
        found.extend(message.get("body", b""))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(app(scope, receive, send))
    return bytes(found)


async def behind(scope: Scope, _: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("host", HOSTILE)
def test_a_host_that_is_more_than_a_name_and_a_port_is_refused(host: str) -> None:
    assert status_of(Guard(behind), scope_of(host)) == 421


@pytest.mark.parametrize("host", HOSTILE)
def test_the_gate_alone_is_not_led_astray_by_the_host(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def joined(request: Request) -> Any:  # some releases parse the header and the path as one
        raise AssertionError("the gate must not ask for the URL: the header Host is part of it")

    monkeypatch.setattr(Request, "url", property(joined))
    gate = Gate(behind, Door(authenticator=Nobody(), forbidden=lambda: None))  # type: ignore[arg-type, return-value]
    assert status_of(gate, scope_of(host)) == 401
    assert status_of(gate, scope_of(host, "/livez")) == 200


def test_the_whole_application_keeps_its_door_shut() -> None:
    house = House(NOW)
    for host in HOSTILE:
        assert status_of(house.app, scope_of(host)) == 421
    assert status_of(house.app, scope_of("localhost:80")) == 401
    house.close()


def test_whoever_sends_slowly_or_goes_away_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.web.identity.BODY_SECONDS", 0.05)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def dawdle() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def leave() -> Message:
        return {"type": "http.disconnect"}

    house = House(NOW)
    asyncio.run(asyncio.wait_for(house.app(scope_of("localhost", "/sign-in", "POST"), dawdle, send), 5))
    assert sent[0]["status"] == 408
    sent.clear()
    asyncio.run(house.app(scope_of("localhost", "/sign-in", "POST"), leave, send))
    assert sent == []
    house.close()


def test_who_asks_again_and_again_for_what_is_refused_leaves_a_record_a_minute() -> None:
    house = House(NOW)
    for second in range(0, 180, 10):
        house.now = NOW + timedelta(seconds=second)
        assert house.get("/api/v1/users", Role.VIEWER).status_code == 403
    assert house.get("/api/v1/audit", Role.VIEWER).status_code == 403
    assert [details["what"] for _, _, details in house.audited("refused")] == ["GET /api/v1/users"] * 3 + ["GET /api/v1/audit"]
    house.close()


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {"host": "[::1]:80"}, 200),
        ("10.0.0.7", {}, 401),
        ("127.0.0.1", {"host": "triage.example"}, 401),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.7"}, 401),
        ("127.0.0.1", {"forwarded": "for=10.0.0.7"}, 401),
    ],
)
def test_what_is_open_to_this_machine_is_not_open_to_whom_a_proxy_hands_on(
    client: str, headers: dict[str, str], status: int
) -> None:
    database, now = scene.afternoon(NOW)
    options = {"public_url": "https://triage.example", "metrics_open": True, "authenticator": Nobody()}
    app = create_app(database, clock=lambda: now, free_bytes=lambda: 10**9, **options)  # type: ignore[arg-type]
    asked = {"host": "localhost:80"} | headers
    scope = scope_of("", "/metrics", client=client)
    scope["headers"] = [(name.encode(), value.encode()) for name, value in asked.items()]
    assert status_of(app, scope) == status
    assert (b'"pid"' in body_of(app, {**scope, "path": "/readyz"})) is (status == 200)
    app.state.previews.close()
    app.state.opened.close()


@pytest.mark.parametrize(("public_url", "said"), [("https://triage.example", "max-age=31536000"), ("", None)])
def test_behind_tls_a_browser_is_told_to_stay_there(public_url: str, said: str | None) -> None:
    database, now = scene.afternoon(NOW)
    app = create_app(database, clock=lambda: now, free_bytes=lambda: 10**9, authenticator=Nobody(), public_url=public_url)
    scope, found = scope_of("localhost", "/livez"), Headers(raw=[])

    async def send(message: Message) -> None:
        nonlocal found
        found = Headers(raw=message["headers"]) if message["type"] == "http.response.start" else found

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(app(scope, receive, send))
    assert found.get("strict-transport-security") == said
    app.state.previews.close()
    app.state.opened.close()


def test_a_stream_ends_with_the_permission_for_it() -> None:
    class Changing:
        role = Role.VIEWER

        def identify(self, *_: Any, **__: Any) -> Identity:
            return Identity(name="anna", role=self.role)

        def refused(self, *_: Any) -> None: ...

    door, told = Changing(), []

    async def pieces() -> AsyncIterator[str]:
        for number in range(3):
            yield str(number)

    async def behind_the_gate(scope: Scope, receive: Receive, _: Send) -> None:
        async for piece in while_signed_in(Request(scope, receive), pieces()):
            told.append(piece)
            door.role = Role.AUDITOR

    gate = Gate(behind_the_gate, Door(authenticator=door, forbidden=lambda: None))  # type: ignore[arg-type, return-value]
    nothing: Any = None
    asyncio.run(gate(scope_of("localhost", "/events"), nothing, nothing))
    assert told == ["0"]
