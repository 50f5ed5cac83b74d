"""The door: roles by routes by methods, sessions in cookies, changes that were meant, and nothing told to strangers."""

import asyncio
import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from threading import Event, Lock
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route

from tests.size import size
from tests.unit.web import scene
from tests.unit.web.conftest import NOW
from tests.unit.web.signed_in import SignedIn
from triage.database.passwords import Argon2
from triage.domain.account import GRANTS, Role, SessionLimits
from triage.domain.errors import ConfigError
from triage.services.accounts import Accounts
from triage.services.sessions import csrf_of
from triage.web.app import create_app
from triage.web.identity import name_of, needed
from triage.web.permissions import PUBLIC, ROUTES
from triage.web.sign_in import COOKIE, PASSWORDS_AT_ONCE, SECURE_COOKIE, own_path

SECRET = "four quiet herons wade"
HERE = "http://127.0.0.1:8080"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND")
MINUTE = timedelta(minutes=1)
FILLED = {path: re.sub(r"{\w+}", "1.2.1", path) for path in ROUTES}


class House:
    """The application with real accounts."""

    def __init__(self, limits: SessionLimits | None = None, **options: Any) -> None:
        self.database, self.now = scene.afternoon(NOW)
        numbers = count(1)
        self.accounts = Accounts(
            database=self.database,
            passwords=Argon2(time_cost=1, memory_cost=8),
            clock=self.clock,
            secret=lambda: f"secret-{next(numbers)}",
            limits=limits or SessionLimits(),
        )
        self.app = create_app(
            self.database, clock=self.clock, free_bytes=lambda: 10**9, accounts=self.accounts, who=name_of, **options
        )

    def clock(self) -> datetime:
        return self.now

    def ask(self, method: str, path: str, base: str = HERE, **options: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=base) as client:
                return await client.request(method, path, **options)

        return asyncio.run(answer())

    def enter(self, role: Role = Role.RADIOLOGIST) -> str:
        """A session of an account of that role."""
        self.accounts.add(role.value.replace("_", "-"), role, "test", SECRET)
        return self.accounts.sign_in(role.value.replace("_", "-"), SECRET, "")


@pytest.fixture
def house() -> Any:
    house = House()
    yield house
    house.app.state.previews.close()
    house.app.state.opened.close()


def of(secret: str) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={secret}"}


def routes_of(app: Any) -> set[tuple[str, str]]:
    """Every (path, method) that the application answers, however the router is nested."""
    found: set[tuple[str, str]] = set()
    todo = list(app.routes)
    while todo:
        route = todo.pop()
        if isinstance(route, Mount):
            continue
        if isinstance(route, Route):
            found |= {(route.path, method) for method in route.methods or ()}
        todo += list(getattr(route, "routes", []) or []) if not isinstance(route, Route) else []
        inner = getattr(route, "original_router", None)
        todo += list(inner.routes) if inner is not None else []
    return found


def test_every_route_says_what_it_asks_for(house: House) -> None:
    found = {(path, method) for path, method in routes_of(house.app) if path not in PUBLIC}
    assert ("/api/v1/worklist", "GET") in found
    assert ("/sign-out", "POST") in found
    assert [one for one in sorted(found) if one[1] not in ROUTES.get(one[0], {})] == []


def is_turn_of(role: Role, path: str, method: str) -> bool:
    """Whether the role asks what no role may: one role in turn each time, all with ``make soak``."""
    place = [*ROUTES, *sorted(PUBLIC)].index(path) + METHODS.index(method)
    return (place - [*Role].index(role)) % size(len(Role), 1) == 0


def test_roles_by_routes_by_methods() -> None:
    door, cells, wrong = SignedIn(), set(), []
    house = House(authenticator=door)
    for role in Role:
        door.role = role
        for path, methods in ROUTES.items():
            for method in METHODS:
                if (method, path) == ("GET", "/events"):
                    continue  # never ends; its permission is that of the list
                if method not in methods and not is_turn_of(role, path, method):
                    continue
                status = house.ask(method, FILLED[path]).status_code
                granted = method in methods and methods[method] in GRANTS[role]
                right = status == 405 if method not in methods else (status not in (401, 403, 405)) is granted
                cells.add((role, path, method))
                wrong += [] if right else [(role.value, method, path, status)]
        for path in PUBLIC:
            for method in METHODS:
                if method not in ("GET", "POST") and not is_turn_of(role, path, method):
                    continue
                status = house.ask(method, path).status_code
                cells.add((role, path, method))
                # the sign-in form is there to be sent, by a page of ours; every other method has nothing to do here
                right = status < 500 and (status in (404, 405) or method in ("GET", "POST") or path == "/sign-in")
                wrong += [] if right else [(role.value, method, path, status)]
    house.app.state.previews.close()
    house.app.state.opened.close()
    print(f"roles × routes × methods: {len(cells)} cells, {len(wrong)} wrong")
    assert wrong == []
    assert {(role, path, method) for role in Role for path in ROUTES for method in ROUTES[path] if path != "/events"} <= cells
    asked = {(path, method) for _, path, method in cells}
    assert asked == {(path, method) for path in (*ROUTES, *PUBLIC) for method in METHODS} - {("/events", "GET")}


def test_a_stranger_sees_nothing(house: House) -> None:
    for path, methods in ROUTES.items():
        for method in methods:
            answer = house.ask(method, FILLED[path])
            assert answer.status_code == 401, (method, path)
            assert "Doe" not in answer.text
    page = house.ask("GET", "/study/1.2.1?page=2", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Fstudy%2F1.2.1%3Fpage%3D2")
    assert house.ask("GET", "/nowhere").status_code == 401
    for path in ("/livez", "/static/page.css", "/sign-in"):
        assert house.ask("GET", path).status_code == 200


def test_what_is_not_in_the_table_is_denied_to_everybody(house: House) -> None:
    house.app.add_api_route("/later", lambda: "a route somebody forgot")
    assert needed("/later") is None
    assert house.ask("GET", "/later", headers=of(house.enter(Role.PACS_ADMIN))).status_code == 404


def test_what_a_page_asks_by_itself_lengthens_no_session_unless_somebody_is_there(house: House) -> None:
    secret = house.enter()
    headers = of(secret)
    posts = headers | {"origin": HERE, "x-csrf-token": csrf_of(secret)}
    assert house.ask("POST", "/api/v1/studies/1.2.1/claim", headers=posts).status_code == 200
    for minute in range(1, 15):
        house.now = NOW + minute * MINUTE
        assert house.ask("POST", "/api/v1/studies/1.2.1/renew", headers=posts).status_code == 200
        assert house.ask("GET", "/api/v1/me", headers=headers).status_code == 200
        assert house.ask("GET", "/fragments/study?uid=1.2.1", headers=headers).status_code == 200
    house.now = NOW + 14.5 * MINUTE
    assert house.ask("GET", "/api/v1/me", headers=headers | {"x-person": "1"}).status_code == 200
    house.now = NOW + 28 * MINUTE
    assert house.ask("POST", "/api/v1/studies/1.2.1/renew", headers=posts).status_code == 200
    house.now = NOW + 29.5 * MINUTE
    assert house.ask("POST", "/api/v1/studies/1.2.1/renew", headers=posts).status_code == 401
    assert house.ask("GET", "/api/v1/me", headers=headers | {"x-person": "1"}).status_code == 401, "too late"


def test_the_sign_in_waits_behind_every_page_of_somebody_signed_in(house: House) -> None:
    headers = of(house.enter())
    for path in ("/", "/study/1.2.1", "/password", "/api/docs"):
        page = house.ask("GET", path, headers=headers).text
        assert page.count('id="session"') == page.count("/static/session.js") == 1, path
        assert 'data-name="radiologist" data-role="radiologist"' in page
    assert 'id="session"' not in house.ask("GET", "/sign-in", headers=headers).text


def test_the_whole_way_in_and_out(house: House) -> None:
    house.accounts.add("anna", Role.RADIOLOGIST, "test", SECRET)
    form = {"name": "anna", "password": SECRET, "next": "/?page=1"}
    answer = house.ask("POST", "/sign-in", data=form, headers={"origin": HERE, "cookie": f"{COOKIE}=planted"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?page=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert "max-age" not in cookie.lower()
    secret = answer.cookies[COOKIE]
    assert secret != "planted"
    page = house.ask("GET", "/", headers=of(secret)).text
    assert ">anna</a>" in page
    assert csrf_of(secret) in page
    assert secret not in page
    out = house.ask("POST", "/sign-out", data={"csrf": csrf_of(secret)}, headers={**of(secret), "origin": HERE})
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert house.ask("GET", "/api/v1/worklist", headers=of(secret)).status_code == 401


def test_a_wrong_guess_tells_nothing(house: House) -> None:
    house.accounts.add("anna", Role.RADIOLOGIST, "test", SECRET)
    answers = [house.ask("POST", "/sign-in", data={"name": name, "password": "x"}) for name in ("anna", "nobo")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].text.replace("anna", "nobo") == answers[1].text
    assert 'role="alert"' in answers[0].text
    for _ in range(6):
        last = house.ask("POST", "/sign-in", data={"name": "anna", "password": "x"})
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1


@pytest.mark.parametrize("with_token", [True, False])
@pytest.mark.parametrize("origin", [HERE, "https://attacker.example", "null", "", None, "http://127.0.0.1:9"])
def test_a_change_needs_token_and_origin(house: House, with_token: bool, origin: str | None) -> None:
    secret = house.enter()
    headers = (
        of(secret)
        | ({"origin": origin} if origin is not None else {})
        | ({"x-csrf-token": csrf_of(secret)} if with_token else {})
    )
    answer = house.ask("POST", "/api/v1/studies/1.2.1/claim", headers=headers)
    assert answer.status_code == (200 if with_token and origin == HERE else 403)


def test_a_page_that_did_not_ask_says_nothing_of_the_model(house: House) -> None:
    page = house.ask("GET", "/sign-in")
    assert page.status_code == 200
    assert 'id="model"' not in page.text
    assert 'id="model"' in house.ask("GET", "/", headers=of(house.enter())).text


def test_a_foreign_page_cannot_sign_anybody_in(house: House) -> None:
    assert house.ask("POST", "/sign-in", data={}, headers={"origin": "https://attacker.example"}).status_code == 403


def test_scripts_bring_a_token_in_the_header_only(house: House) -> None:
    house.accounts.add("script", Role.SERVICE, "test")
    token = house.accounts.issue_token("script", "test")
    bearer = {"authorization": f"Bearer {token}"}
    assert house.ask("GET", "/api/v1/worklist", headers=bearer).status_code == 200
    assert house.ask("POST", "/api/v1/studies/1.2.1/claim", headers=bearer).status_code == 200
    assert house.ask("GET", "/metrics", headers=bearer).status_code == 200
    for query in ("token", "access_token", "authorization", COOKIE):
        assert house.ask("GET", f"/api/v1/worklist?{query}={token}").status_code == 401
    assert house.ask("GET", "/api/v1/worklist", headers=of(token)).status_code == 401
    wrong = {"authorization": "Bearer x", **of(house.enter())}
    assert house.ask("GET", "/api/v1/worklist", headers=wrong).status_code == 401, "a wrong token is not made good by a cookie"


def test_a_one_time_password_opens_nothing_but_its_change(house: House) -> None:
    house.accounts.add("first", Role.PACS_ADMIN, "test", SECRET, must_change=True)
    secret = house.accounts.sign_in("first", SECRET, "")
    assert house.ask("GET", "/api/v1/worklist", headers=of(secret)).status_code == 403
    assert house.ask("GET", "/", headers=of(secret) | {"accept": "text/html"}).headers["location"] == "/password"
    assert house.ask("GET", "/password", headers=of(secret)).status_code == 200
    form = {"csrf": csrf_of(secret), "present": SECRET, "new": "a sentence of my own", "again": "a sentence of my own"}
    headers = of(secret) | {"origin": HERE}
    assert house.ask("POST", "/password", data=form | {"again": "x"}, headers=headers).status_code == 400
    assert house.ask("POST", "/password", data=form, headers=headers).status_code == 303
    assert house.ask("GET", "/password", headers=of(secret)).status_code == 401, "its sessions ended"
    new = house.accounts.sign_in("first", "a sentence of my own", "")
    assert house.ask("GET", "/api/v1/worklist", headers=of(new)).status_code == 200


def test_behind_tls_the_cookie_is_bound_to_the_host() -> None:
    house = House(public_url="https://triage.example")
    house.accounts.add("anna", Role.RADIOLOGIST, "test", SECRET)
    there = "http://triage.example"
    form, headers = {"name": "anna", "password": SECRET}, {"origin": "https://triage.example"}
    cookie = house.ask("POST", "/sign-in", there, data=form, headers=headers).headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "domain" not in cookie.lower()
    assert house.ask("GET", "/livez", "http://other.example").status_code == 421
    house.app.state.previews.close()
    house.app.state.opened.close()


def test_metrics_are_open_to_this_machine_only_when_the_setting_says_so(house: House) -> None:
    assert house.ask("GET", "/metrics").status_code == 401
    opened = House(metrics_open=True)
    assert opened.ask("GET", "/metrics").status_code == 200
    assert opened.ask("GET", "/api/v1/worklist").status_code == 401
    opened.app.state.previews.close()
    opened.app.state.opened.close()


def test_a_body_without_end_is_cut(house: House) -> None:
    assert house.ask("POST", "/sign-in", content=b"x" * (2 << 20)).status_code == 413


def test_at_most_four_passwords_are_compared_at_once() -> None:
    lock, comparing, most = Lock(), [0], [0]

    class Watched(Argon2):
        def verify(self, kept: str, password: str) -> bool:
            with lock:
                comparing[0] += 1
                most[0] = max(most[0], comparing[0])
            Event().wait(0.1)
            with lock:
                comparing[0] -= 1
            return super().verify(kept, password)

    house = House()
    watched = replace(house.accounts, passwords=Watched(time_cost=1, memory_cost=8))
    app = create_app(house.database, clock=house.clock, free_bytes=lambda: 10**9, accounts=watched, who=name_of)

    async def crowd() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
            tries = [client.post("/sign-in", data={"name": f"n{number}", "password": "x"}) for number in range(12)]
            return [answer.status_code for answer in await asyncio.gather(*tries)]

    assert asyncio.run(crowd()) == [401] * 12
    assert most == [PASSWORDS_AT_ONCE]
    app.state.previews.close()
    app.state.opened.close()
    house.app.state.previews.close()
    house.app.state.opened.close()


@pytest.mark.parametrize(
    "asked",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:x",
        "",
        "x",
        "/\n/evil",
        "/sign-in",
        "/ä",
        "/\t/evil",
        "/study/" + "1" * 994,
    ],
)
def test_the_way_back_is_one_of_our_own(asked: str) -> None:
    assert own_path(asked) == "/"


def test_a_way_back_that_is_ours_is_kept() -> None:
    assert own_path("/study/1.2.3?page=4") == "/study/1.2.3?page=4"


def test_without_accounts_nobody_can_come_in() -> None:
    with pytest.raises((AssertionError, ConfigError)):
        create_app(scene.afternoon(NOW)[0], clock=lambda: NOW, free_bytes=lambda: 1)
