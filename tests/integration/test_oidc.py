"""Signing in by an identity provider: the whole way, over real sockets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.identity_provider import SECRET
from tests.integration.hospital import LABEL, PASSWORD, Hospital, hospital
from triage.domain.account import Role
from triage.services.external_sign_in import Keys
from triage.services.sessions import csrf_of
from triage.web.external_sign_in import COOKIE as ATTEMPT
from triage.web.sign_in import COOKIE

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> Iterator[Hospital]:
    with hospital() as world:
        yield world


def test_the_whole_way(world: Hospital) -> None:
    browser = world.browser()
    page = browser.get("/", follow_redirects=True)
    assert LABEL in page.text
    back = world.sign_in(browser, "/study/1.2.1")
    assert (back.status_code, back.url.path) == (200, "/study/1.2.1")
    assert ">anna</a>" in back.text
    assert [step.headers["location"].partition("?")[0].removeprefix(world.site.url) for step in back.history] == [
        f"{world.idp.issuer}/authorize",
        "/oidc/callback",
        "/study/1.2.1",
    ]
    for step in back.history:
        for cookie in step.headers.get_list("set-cookie"):
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
    assert ATTEMPT not in browser.cookies, "the attempt is over"
    with world.database.read() as tx:
        account = tx.accounts.account("anna")
    assert account is not None
    assert (account.role, account.external, account.password_hash) == (Role.RADIOLOGIST, True, None)
    assert account.subject == f"{world.idp.issuer} u-1"
    assert world.audit() == [
        ("user", "anna", {"what": "added", "role": "radiologist", "by": "oidc"}),
        ("sign_in", "anna", {"by": "oidc", "address": "127.0.0.1"}),
        ("view", "1.2.1", {}),
    ]


def test_what_is_sent_to_the_provider(world: Hospital) -> None:
    world.sign_in(world.browser())
    (form,) = world.idp.forms
    assert len(form["code_verifier"]) >= 43
    assert "client_secret" not in form, "it goes by HTTP Basic where the provider takes that"
    assert world.idp.asked == ["/.well-known/openid-configuration", "/authorize", "/token", "/jwks"]
    world.idp.document = lambda document: document | {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    world.later = HOUR
    assert world.sign_in(world.browser()).status_code == 200
    assert world.idp.forms[1]["client_secret"] == SECRET


def test_signing_out_here_and_there(world: Hospital) -> None:
    browser = world.browser()
    world.sign_in(browser)
    secret = browser.cookies[COOKIE]
    form, headers = {"csrf": csrf_of(secret)}, {"origin": world.site.url}
    page = browser.post("/sign-out", data=form, headers=headers, follow_redirects=True)
    assert "sign out of the hospital account, too" in page.text
    assert world.accounts.by_session(secret) is None
    there = browser.get("/oidc/sign-out", follow_redirects=True)
    assert "Signed out" in there.text
    assert f'href="{world.site.url}/sign-in"' in there.text
    local = world.browser()
    world.accounts.add("ben", Role.VIEWER, "test", PASSWORD)
    local.post("/sign-in", data={"name": "ben", "password": PASSWORD})
    form["csrf"] = csrf_of(local.cookies[COOKIE])
    assert "hospital account, too" not in local.post("/sign-out", data=form, headers=headers, follow_redirects=True).text


def test_a_new_role_counts_from_the_next_sign_in(world: Hospital) -> None:
    first, second = world.browser(), world.browser()
    world.idp.person["groups"] = ["chiefs", "readers"]
    world.sign_in(first)
    assert first.get("/api/v1/me").json()["role"] == "pacs_admin", "the first of the table that somebody has"
    world.idp.person["groups"] = ["readers"]
    assert first.get("/api/v1/me").json()["role"] == "pacs_admin"
    world.sign_in(second)
    assert second.get("/api/v1/me").json()["role"] == "radiologist"
    assert first.get("/api/v1/me").status_code == 401, "what was opened with more rights is over"
    assert ("user", "anna", {"what": "role radiologist", "by": "oidc"}) in world.audit()


def test_who_has_no_role_any_more_is_out_everywhere(world: Hospital) -> None:
    first, second = world.browser(), world.browser()
    world.sign_in(first)
    token = world.accounts.issue_token("anna", "test", any_role=True)
    headers = {"origin": world.site.url, "x-csrf-token": csrf_of(first.cookies[COOKIE])}
    assert first.post("/api/v1/studies/1.2.1/claim", headers=headers).status_code == 200
    world.idp.person["groups"] = ["kitchen"]
    for _ in range(2):
        assert world.sign_in(second).status_code == 403
    assert first.get("/api/v1/me").status_code == 401
    assert world.accounts.by_token(token) is None
    taken = {"what": "role taken away", "by": "oidc", "sessions": "1", "tokens": "1"}
    assert world.audit().count(("user", "anna", taken)) == 1
    assert [details["because"] for action, _, details in world.audit() if action == "release"] == ["sessions ended"]


def test_the_provider_may_take_the_last_administrator_and_the_log_says_so(
    world: Hospital, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    world.idp.person["groups"] = ["chiefs"]
    world.sign_in(world.browser())
    world.idp.person["groups"] = ["readers"]
    assert world.sign_in(world.browser()).status_code == 200
    assert "left nobody who may look after accounts" in caplog.text + "".join(capfd.readouterr())


def test_a_person_keeps_the_account_under_a_new_name(world: Hospital) -> None:
    world.sign_in(world.browser())
    world.idp.person["preferred_username"] = "anna.new"
    browser = world.browser()
    world.sign_in(browser)
    assert browser.get("/api/v1/me").json()["name"] == "anna"


def test_an_account_is_handed_to_the_provider_and_taken_back(world: Hospital) -> None:
    world.accounts.add("anna", Role.VIEWER, "test", PASSWORD)
    browser = world.browser()
    assert world.sign_in(browser).status_code == 403
    world.accounts.set_external("anna", "test")
    assert browser.post("/sign-in", data={"name": "anna", "password": PASSWORD}).status_code == 401
    assert world.sign_in(browser).status_code == 200
    assert ("user", "anna", {"what": "bound to the provider's account", "by": "oidc"}) in world.audit()
    assert "password is changed there" in browser.get("/password").text
    world.accounts.set_password("anna", "a way back in for her", "test")
    assert browser.post("/sign-in", data={"name": "anna", "password": "a way back in for her"}).status_code == 303
    assert world.sign_in(world.browser()).status_code == 403, "a local account again"


def test_localhost_is_led_to_the_address_that_the_provider_knows(world: Hospital) -> None:
    browser = world.browser()
    answer = browser.get(world.site.url.replace("127.0.0.1", "localhost") + "/oidc/start?next=/study/1.2.1")
    assert answer.headers["location"] == f"{world.site.url}/oidc/start?next=%2Fstudy%2F1.2.1"


def test_without_passwords_only_the_provider_opens(world: Hospital) -> None:
    with hospital(passwords=False) as strict:
        strict.accounts.add("ben", Role.VIEWER, "test", PASSWORD)
        browser = strict.browser()
        page = browser.get("/sign-in").text
        assert LABEL in page
        assert 'type="password"' not in page
        assert browser.post("/sign-in", data={"name": "ben", "password": PASSWORD}).status_code == 403
        assert COOKIE not in browser.cookies
        assert strict.sign_in(browser).status_code == 200
        token = strict.accounts.issue_token("ben", "test", any_role=True)
        assert strict.browser().get("/api/v1/me", headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_while_the_provider_is_away_passwords_work(world: Hospital) -> None:
    world.accounts.add("ben", Role.VIEWER, "test", PASSWORD)
    world.idp.answers["/.well-known/openid-configuration"] = (503, "text/html", "<h1>maintenance</h1>")
    browser = world.browser()
    page = world.sign_in(browser)
    assert page.status_code == 502
    assert "does not answer as it should" in page.text
    assert 'type="password"' in page.text
    assert browser.post("/sign-in", data={"name": "ben", "password": PASSWORD}).status_code == 303


def test_a_provider_that_hangs_does_not_hold_the_pages() -> None:
    with hospital(deadline=0.3) as world:
        world.idp.held.add("/.well-known/openid-configuration")
        browsers = [world.browser() for _ in range(10)]
        assert [world.sign_in(one).status_code for one in browsers] == [502] * 10
        assert browsers[0].get("/livez").status_code == 200


def test_who_is_refused_too_often_waits(world: Hospital) -> None:
    world.stopped = datetime.now(UTC)  # on a slow machine the first waits would be over before the test is

    def come(secret: str, state: str) -> int:
        headers = {"cookie": f"{ATTEMPT}={secret}"} if secret else {}
        return world.browser().get(f"/oidc/callback?state={state}&code=y", headers=headers).status_code

    assert {come("", "x") for _ in range(40)} == {403}
    assert [one for one in world.audit() if one[0] == "refused"] == [], "not begun here: nobody is made to wait for it"
    found = [come("mine", Keys("mine").state) for _ in range(32)]
    assert (found[:30], found[-1]) == ([403] * 30, 429)
    assert {come("mine", "x") for _ in range(40)} == {403}
    refusals = [one for one in world.audit() if one[0] == "refused"]
    assert len(refusals) <= 31
    world.accounts.add("ben", Role.VIEWER, "test", PASSWORD)
    assert world.browser().post("/sign-in", data={"name": "ben", "password": PASSWORD}).status_code == 303
    world.later = HOUR
    assert world.sign_in(world.browser()).status_code == 200


def test_behind_tls_the_provider_hears_of_the_public_address_only() -> None:
    with hospital(public_url="https://triage.example") as world:
        for host in ("triage.example", "127.0.0.1", "localhost:9"):
            answer = world.browser().get("/oidc/start", headers={"host": host})
            asked = parse_qs(urlsplit(answer.headers["location"]).query)
            assert asked["redirect_uri"] == ["https://triage.example/oidc/callback"], host
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-triage-oidc=")
            assert "Secure" in cookie
            assert "Path=/" in cookie
            assert "Max-Age=600" in cookie
        assert world.browser().get("/oidc/start", headers={"host": "evil.example"}).status_code == 421


def test_each_attempt_has_secrets_of_its_own_and_tells_none_of_them(world: Hospital) -> None:
    seen: list[str] = []
    for _ in range(5):
        browser = world.browser()
        asked = parse_qs(urlsplit(browser.get("/oidc/start").headers["location"]).query)
        seen += [asked[name][0] for name in ("state", "nonce", "code_challenge")]
        assert browser.cookies[ATTEMPT] not in seen
        assert asked["code_challenge_method"] == ["S256"]
    assert len(set(seen)) == 15
    with world.database.read() as tx:
        assert tx.accounts.sessions() == []


@pytest.mark.parametrize("asked", ["//evil.example", "https://evil.example", "/\\evil.example", "/sign-out"])
def test_the_way_back_is_one_of_our_own(world: Hospital, asked: str) -> None:
    back = world.sign_in(world.browser(), asked)
    assert str(back.url) == f"{world.site.url}/"
