"""Requests as nobody should send them: huge, half, deep, of the wrong type, about others. Refused, never a failure."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from tests.hostile import PAYLOADS
from tests.size import size
from tests.unit.web.conftest import NOW
from tests.unit.web.every_page import PARAMETERS
from tests.unit.web.furnished import House
from triage.domain.account import GRANTS, Role
from triage.domain.study import ReadingState
from triage.services.sessions import csrf_of
from triage.web.app import create_app
from triage.web.permissions import PUBLIC, ROUTES, STREAMED
from triage.web.sign_in import COOKIE

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
HERE = "http://127.0.0.1:8080"
PASSWORD = "four quiet herons wade"
DEEP = 50_000
BODIES: dict[str, tuple[str, bytes]] = {
    "nothing": (JSON, b""),
    "a blank": (JSON, b" "),
    "null": (JSON, b"null"),
    "a number": (JSON, b"1e400"),
    "not a number": (JSON, b'{"note": NaN}'),
    "a huge integer": (JSON, b'{"note": ' + b"9" * 100_000 + b"}"),
    "text": (JSON, b'"read"'),
    "a list": (JSON, b"[[]]"),
    "half": (JSON, b'{"verdict": "agr'),
    "two": (JSON, b"{}{}"),
    "a comma": (JSON, b'{"verdict": "agree",}'),
    "deep list": (JSON, b"[" * DEEP + b"]" * DEEP),
    "deep object": (JSON, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "deep within a field": (JSON, b'{"note":' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "no object's field": (JSON, b'{"__proto__": {"role": "pacs_admin"}, "constructor": 1}'),
    "a field twice": (JSON, b'{"verdict": "agree", "verdict": "disagree"}'),
    "a wrong type": (JSON, b'{"verdict": 7, "note": {"a": 1}, "reason": [true]}'),
    "another verdict": (JSON, b'{"verdict": "normal"}'),
    "too long": (JSON, json.dumps({"note": "n" * 200_000, "reason": "r" * 200_000}).encode()),
    "huge": (JSON, b'{"note": "' + b"n" * (2 << 20) + b'"}'),
    "half a surrogate pair": (JSON, b'{"note": "\\ud800", "reason": "\\udfff"}'),
    "control characters": (JSON, b'{"note": "\\u0000\\u001b[2J", "reason": "\\u202e"}'),
    "bytes that are no UTF-8": (JSON, b'{"note": "\xff\xfe\xc0\xaf"}'),
    "UTF-16": (JSON, '{"note": "x"}'.encode("utf-16")),
    "UTF-7": ("application/json; charset=utf-7", b'{"note": "+ADw-script+AD4-"}'),
    "a byte order mark": (JSON, b"\xef\xbb\xbf{}"),
    "hostile text": (JSON, json.dumps({"note": PAYLOADS[0], "reason": PAYLOADS[27]}).encode()),
    "a form for JSON": (FORM, b"verdict=agree&note=x"),
    "a form without end": (FORM, b"&".join(b"a%d=b" % number for number in range(5_000))),
    "broken escapes": (FORM, b"name=%zz%u1234%&password=%00&csrf=%ff"),
    "parts without a boundary": ("multipart/form-data", b"--x\r\n\r\n--x--"),
    "parts without end": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n"),
    "XML with an entity": ("application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    "no type at all": ("", b"{}"),
    "a type with a newline's escape": ("application/json;\tcharset=\x7f", b"{}"),
    "said to be packed": (JSON, b"\x1f\x8b\x08\x00"),
}
VALUES = (
    "0", "-1", "1e9", "99999999999999999999999", "NaN", "true", "", " ", "%00", "%ff%fe", "%ed%a0%80", "%2e%2e",
    "..%2f..%2fetc%2fpasswd", "1.2.1%20", "1.2.1%0d%0aX:%201", "'%20OR%201=1--", "%3Cscript%3E", "1." * 40, "9" * 5_000,
    "%F0%9F%A9%BB", "*", "{uid}", "1.2.1;x=1", "１.２",
)  # fmt: skip
QUERIES = ("page", "limit", "all", "level", "status", "within", "sort", "q", "uid", "next", "after", "id", "csrf")


class Caller:
    """One event loop and one client for many requests."""

    def __init__(self, house: House) -> None:
        self.app = create_app(house.database, clock=lambda: NOW, free_bytes=lambda: 10**9, **house.options)
        self.loop = asyncio.new_event_loop()
        self.house = house
        self.people: dict[Role, dict[str, str]] = {}
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=HERE)

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> httpx.Response:
        return self.loop.run_until_complete(self.client.request(method, path, headers=headers, content=body))

    def everybody(self) -> dict[Role, dict[str, str]]:
        """A session of each role that is alive, whatever the requests before have ended."""
        for role in Role:
            name = f"bad-{role.value.replace('_', '-')}"
            if role is Role.SERVICE:
                continue
            if role not in self.people:
                self.people[role] = session(self.house, name, role)
            elif self.ask("GET", "/api/v1/me", self.people[role]).status_code != 200:
                self.house.accounts.set_password(name, PASSWORD, "test")
                self.people[role] = signed_in(self.house, name)
        return self.people

    def close(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.close()
        self.app.state.previews.close()
        self.app.state.opened.close()


@pytest.fixture
def house() -> House:
    return House(NOW)


@pytest.fixture
def caller(house: House) -> Iterator[Caller]:
    caller = Caller(house)
    yield caller
    caller.close()


def session(house: House, name: str, role: Role) -> dict[str, str]:
    """A browser's session, and what it sends along with a change."""
    house.accounts.add(name, role, "test", PASSWORD)
    return signed_in(house, name)


def signed_in(house: House, name: str) -> dict[str, str]:
    secret = house.accounts.sign_in(name, PASSWORD, "")
    return {"cookie": f"{COOKIE}={secret}", "x-csrf-token": csrf_of(secret), "origin": HERE}


def filled(route: str, house: House, value: str | None = None) -> str:
    known = sorted((key for key in PARAMETERS if key in route), key=len)
    if not known:
        return route
    start, _, rest = route.partition("{")
    return start + (value or PARAMETERS[known[-1]](house)[0]) + rest.partition("}")[2]


def test_bad_bodies_are_refused(house: House, caller: Caller) -> None:
    answers: Counter[int] = Counter()
    wrong = []
    every = size(3, 1)  # each body is sent to a third of the routes each time, other bodies to the next route
    for place, route in enumerate([*sorted(PUBLIC), *ROUTES]):
        methods = ROUTES.get(route, {"POST": None})
        for method in sorted(set(methods) - {"GET", "HEAD"}):
            people = caller.everybody()
            for name, (kind, body) in [*BODIES.items()][place % every :: every]:
                role = next((role for role in people if methods[method] in (None, *GRANTS[role])), Role.RADIOLOGIST)
                headers = people[role] | ({"content-type": kind} if kind else {})
                status = caller.ask(method, filled(route, house), headers, body).status_code
                answers[status] += 1
                large = name == "huge" and route not in STREAMED
                wrong += [(method, route, name, status)] if status >= 500 or (large and status != 413) else []
    print(f"{len(BODIES)} bad bodies, {answers.total()} requests ({told(answers)}): {len(wrong)} wrong")
    assert wrong == []


def test_bad_addresses_are_refused(house: House, caller: Caller) -> None:
    answers: Counter[int] = Counter()
    wrong, people = [], caller.everybody()
    for place, (route, methods) in enumerate([*((route, {"GET": None}) for route in sorted(PUBLIC)), *ROUTES.items()]):
        if "GET" not in methods or route == "/events":
            continue
        role = next((role for role in people if methods["GET"] in (None, *GRANTS[role])), None)
        headers = people[role] if role else {}
        asked = [filled(route, house, value) for value in VALUES if value] if "{" in route else []
        if not route.startswith("/api/v1/instances"):
            every = size(len(VALUES), 5)  # each time one value of each query, another one at each route
            asked += [
                f"{filled(route, house)}?{query}={value}"
                for number, query in enumerate(QUERIES)
                for value in VALUES[(place + number) % every :: every]
            ]
        for path in asked:
            status = caller.ask("GET", path, headers).status_code
            answers[status] += 1
            wrong += [(path, status)] if status >= 500 and route != "/readyz" else []
    print(f"bad addresses: {answers.total()} requests ({told(answers)}): {len(wrong)} wrong")
    assert wrong == []


def test_a_refusal_repeats_nothing_of_what_was_sent(house: House, caller: Caller) -> None:
    headers = session(house, "mine", Role.RADIOLOGIST) | {"content-type": JSON}
    sent = {"note": "Doe^Jane " * 999, "verdict": "Doe^Jane", "Doe^Jane": {"Doe^Jane": "Doe^Jane"}, "reason": ["Doe^Jane"]}
    answer = caller.ask("POST", f"/api/v1/studies/{house.uids[0]}/read", headers, json.dumps(sent).encode())
    assert answer.status_code == 422
    assert len(answer.json()["detail"]) == 4
    assert "Doe" not in answer.text


@pytest.mark.parametrize("step", ["release", "renew", "read", "unread", "takeover", "claim"])
def test_what_is_of_another_stays_of_another(house: House, caller: Caller, step: str) -> None:
    mine, theirs = session(house, "mine", Role.RADIOLOGIST), session(house, "theirs", Role.RADIOLOGIST)
    uid = next(uid for number, uid in enumerate(house.uids, 1) if number % 4 == 0)
    address = f"/api/v1/studies/{uid}"
    assert caller.ask("POST", f"{address}/claim", theirs).status_code == 200
    crossed = mine | {"x-csrf-token": theirs["x-csrf-token"]}
    body = json.dumps({"reason": "x"} if step == "unread" else {}).encode()
    asked = {"content-type": JSON}
    assert caller.ask("POST", f"{address}/{step}", crossed | asked, body).status_code == 403, "the token of another session"
    named = caller.ask("POST", f"{address}/{step}", mine | asked, b'{"actor": "theirs", "reader": "theirs", "reason": "x"}')
    assert named.status_code == 422, "nobody says who he is in a body"
    status = caller.ask("POST", f"{address}/{step}", mine | asked, body).status_code
    assert status == (200 if step == "takeover" else 409)
    with house.database.read() as tx:
        study = tx.study(uid)
    assert study is not None
    assert study.reading.state is ReadingState.CLAIMED
    assert study.reading.reader == ("mine" if step == "takeover" else "theirs")
    assert study.reading.lease_until is not None
    assert study.reading.lease_until > NOW + timedelta(minutes=1)


def told(answers: Counter[int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
