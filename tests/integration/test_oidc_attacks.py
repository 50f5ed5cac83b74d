"""Signing in by an identity provider: everything that must not work, tried over real sockets."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.identity_provider import CLIENT, SECRET, Claims, rsa_key
from tests.integration.hospital import PASSWORD, Hospital, hospital
from triage.domain.account import Role
from triage.web.external_sign_in import COOKIE as ATTEMPT
from triage.web.sign_in import COOKIE

Attack = Callable[[Hospital, httpx.Client], httpx.Response]


@pytest.fixture
def world() -> Iterator[Hospital]:
    with hospital() as world:
        yield world


def with_claims(**changes: Any) -> Attack:
    """The ID token says something else; ``None``: it does not say it."""

    def attack(world: Hospital, browser: httpx.Client) -> httpx.Response:
        def changed(claims: Claims) -> Claims:
            now = claims["iat"]
            told = {name: value(now) if callable(value) else value for name, value in changes.items()}
            return {name: value for name, value in (claims | told).items() if value is not None}

        world.idp.claims = changed
        return world.sign_in(browser)

    return attack


def as_person(**changes: Any) -> Attack:
    """Somebody else sits there."""

    def attack(world: Hospital, browser: httpx.Client) -> httpx.Response:
        world.idp.person |= changes
        return world.sign_in(browser)

    return attack


def signing(sign: Callable[[Claims], str]) -> Attack:
    """The ID token is signed in another way."""

    def attack(world: Hospital, browser: httpx.Client) -> httpx.Response:
        world.idp.sign = sign
        return world.sign_in(browser)

    return attack


def answering(path: str, status: int, kind: str, body: str) -> Attack:
    """The provider answers something else there."""

    def attack(world: Hospital, browser: httpx.Client) -> httpx.Response:
        world.idp.answers[path] = (status, kind, body)
        return world.sign_in(browser)

    return attack


def documenting(**changes: Any) -> Attack:
    """The discovery document says something else."""

    def attack(world: Hospital, browser: httpx.Client) -> httpx.Response:
        world.idp.document = lambda document: document | changes
        return world.sign_in(browser)

    return attack


def changing(**changes: str | None) -> Attack:
    """What comes back in the address is changed on its way; ``None``: left out."""

    def attack(world: Hospital, browser: httpx.Client) -> httpx.Response:
        parts = urlsplit(world.until_code(browser))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
        return browser.get(f"{parts.path}?{urlencode({name: value for name, value in query.items() if value is not None})}")

    return attack


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(claims: Claims) -> str:
    return f"{b64(json.dumps({'alg': 'none'}).encode())}.{b64(json.dumps(claims).encode())}."


def confused(claims: Claims) -> str:
    """HS256 with the public key as its secret."""
    body = f"{b64(json.dumps({'alg': 'HS256', 'kid': 'one'}).encode())}.{b64(json.dumps(claims).encode())}"
    public = rsa_key("one").as_pem(private=False)
    return f"{body}.{b64(hmac.new(public, body.encode(), sha256).digest())}"


def by_key(name: str, kid: str, bits: int = 2048) -> Callable[[Claims], str]:
    return lambda claims: jwt.encode({"alg": "RS256", "kid": kid}, claims, rsa_key(name, bits), ["RS256"])


def tampered(claims: Claims) -> str:
    head, _, tail = jwt.encode({"alg": "RS256", "kid": "one"}, claims, rsa_key("one"), ["RS256"]).split(".")
    return f"{head}.{b64(json.dumps(claims | {'groups': ['chiefs']}).encode())}.{tail}"


def key_in_header(claims: Claims) -> str:
    mine = rsa_key("mine")
    header = {"alg": "RS256", "jwk": mine.as_dict(private=False)}
    return jwt.encode(header, claims, mine, ["RS256"])


def weak_key(world: Hospital, browser: httpx.Client) -> httpx.Response:
    world.idp.published.append(rsa_key("weak", 1024).as_dict(private=False))
    world.idp.sign = by_key("weak", "weak", 1024)
    return world.sign_in(browser)


def symmetric_key_published(world: Hospital, browser: httpx.Client) -> httpx.Response:
    shared = OctKey.import_key("known to all of the world, 32 by", {"kid": "shared"})
    world.idp.published.append(shared.as_dict(private=True))
    world.idp.sign = lambda claims: jwt.encode({"alg": "HS256", "kid": "shared"}, claims, shared, ["HS256"])
    return world.sign_in(browser)


def in_another_browser(world: Hospital, browser: httpx.Client) -> httpx.Response:
    """Somebody's address with a code, opened by somebody else (log-in CSRF)."""
    return browser.get(world.until_code(world.browser()))


def with_ones_own_attempt(world: Hospital, browser: httpx.Client) -> httpx.Response:
    """The same by a browser that has an attempt of its own."""
    theirs = world.until_code(world.browser())
    browser.get("/oidc/start")
    return browser.get(theirs)


def with_ones_own_state_and_their_code(world: Hospital, browser: httpx.Client) -> httpx.Response:
    """A stolen code in an attempt of one's own: the nonce, and the verifier before it, do not fit."""
    theirs = parse_qs(urlsplit(world.until_code(world.browser())).query)["code"][0]
    mine = parse_qs(urlsplit(browser.get("/oidc/start").headers["location"]).query)["state"][0]
    return browser.get("/oidc/callback", params={"code": theirs, "state": mine})


def replayed(world: Hospital, browser: httpx.Client) -> httpx.Response:
    """The address and the cookie of a sign-in that went through, once more."""
    address = world.until_code(browser)
    cookie = browser.cookies[ATTEMPT]
    assert browser.get(address).status_code == 303
    world.accounts.sign_out(browser.cookies[COOKIE])
    browser.cookies.clear()
    return browser.get(address, headers={"cookie": f"{ATTEMPT}={cookie}"})


def replayed_code(world: Hospital, browser: httpx.Client) -> httpx.Response:
    """A used code, even with a right state, is worth nothing to the provider."""
    address = world.until_code(browser)
    for grant in world.idp.grants.values():
        grant.used = True
    return browser.get(address)


def too_late(world: Hospital, browser: httpx.Client) -> httpx.Response:
    address = world.until_code(browser)
    world.later = timedelta(minutes=10)
    return browser.get(address)


def other_verifier(world: Hospital, browser: httpx.Client) -> httpx.Response:
    """PKCE: the provider was told another challenge than ours, as if somebody had put a code of theirs in."""
    address = world.until_code(browser)
    for grant in world.idp.grants.values():
        grant.challenge = "x" * 43
    return browser.get(address)


def wrong_client_secret(world: Hospital, browser: httpx.Client) -> httpx.Response:
    world.idp.secret = "it was changed there"
    return world.sign_in(browser)


def slow(path: str) -> Attack:
    def attack(world: Hospital, browser: httpx.Client) -> httpx.Response:
        world.provider.fetcher._seconds = 0.3
        world.idp.held.add(path)
        return world.sign_in(browser)

    return attack


def name_of_a_local_account(world: Hospital, browser: httpx.Client) -> httpx.Response:
    world.accounts.add("anna", Role.PACS_ADMIN, "test", PASSWORD)
    return world.sign_in(browser)


def name_of_another_person(world: Hospital, browser: httpx.Client) -> httpx.Response:
    first = world.browser()
    world.sign_in(first)
    world.accounts.sign_out(first.cookies[COOKIE])
    world.idp.person["sub"] = "u-2"
    return world.sign_in(browser)


def disabled(world: Hospital, browser: httpx.Client) -> httpx.Response:
    world.sign_in(world.browser())
    world.accounts.set_disabled("anna", True, "test")
    return world.sign_in(browser)


def role_taken_away(world: Hospital, browser: httpx.Client) -> httpx.Response:
    first = world.browser()
    world.sign_in(first)
    world.accounts.sign_out(first.cookies[COOKIE])
    world.idp.person["groups"] = ["kitchen"]
    return world.sign_in(browser)


def told_issuer_missing(world: Hospital, browser: httpx.Client) -> httpx.Response:
    world.idp.document = lambda document: document | {"authorization_response_iss_parameter_supported": True}
    return changing(iss=None)(world, browser)


UNNOTED = ""
"""Of a browser that was sent by somebody else only the log tells: neither counted nor audited, or anybody could fill both."""
ATTACKS: dict[str, tuple[str, Attack]] = {
    "wrong state": ("state", changing(state="0" * 64)),
    "no state": ("state", changing(state=None)),
    "state that is no text": ("state", changing(state="\ud800".encode("utf-8", "surrogatepass").decode("latin-1"))),
    "another browser": (UNNOTED, in_another_browser),
    "another browser with an attempt of its own": ("state", with_ones_own_attempt),
    "replayed state": ("state", replayed),
    "attempt too old": ("state", too_late),
    "stolen code in one's own attempt": ("code", with_ones_own_state_and_their_code),
    "replayed code": ("code", replayed_code),
    "invented code": ("code", changing(code="invented")),
    "no code": ("provider: no code", changing(code=None)),
    "refused at the provider": ("provider: access_denied", changing(code=None, error="access_denied")),
    "an error text of somebody's": ("provider: no code", changing(code=None, error="<b>call 555</b>")),
    "verifier does not fit": ("code", other_verifier),
    "client secret changed": ("code", wrong_client_secret),
    "mix-up issuer": ("mix-up", changing(iss="https://other.example")),
    "issuer promised and missing": ("mix-up", told_issuer_missing),
    "nonce missing": ("token: nonce", with_claims(nonce=None)),
    "nonce wrong": ("token: nonce", with_claims(nonce="0" * 64)),
    "nonce no text": ("token: nonce", with_claims(nonce=7)),
    "audience wrong": ("token: audience", with_claims(aud="another-service")),
    "audience missing": ("token: audience", with_claims(aud=None)),
    "several audiences, no party": ("token: authorized party", with_claims(aud=["triage", "another-service"])),
    "another party": ("token: authorized party", with_claims(azp="another-service")),
    "issuer wrong": ("token: issuer", with_claims(iss="https://other.example")),
    "expired": ("token: expired", with_claims(exp=lambda now: now - 120)),
    "no expiry": ("token: expired", with_claims(exp=None)),
    "expiry no number": ("token: expired", with_claims(exp="never")),
    "issued in the future": ("token: issued at", with_claims(iat=lambda now: now + 600)),
    "issued long ago": ("token: issued at", with_claims(iat=lambda now: now - 7200)),
    "not yet": ("token: not before", with_claims(nbf=lambda now: now + 600)),
    "alg none": ("token: signature", signing(unsigned)),
    "HS256 with the public key": ("token: signature", signing(confused)),
    "HS256 with a published secret": ("token: signature", symmetric_key_published),
    "key not published": ("token: signature", signing(by_key("other", "other"))),
    "key not published under a published name": ("token: signature", signing(by_key("other", "one"))),
    "key brought along": ("token: signature", signing(key_in_header)),
    "weak key": ("token: signature", weak_key),
    "changed after signing": ("token: signature", signing(tampered)),
    "no token at all": ("token: signature", signing(lambda _: "nonsense")),
    "keys are none": ("token: signature", answering("/jwks", 200, "application/json", '{"keys": [7, {"kty": "RSA"}]}')),
    "keys: 500": ("provider: no keys", answering("/jwks", 500, "text/plain", "")),
    "token: 500": ("provider: no token", answering("/token", 500, "text/plain", "")),
    "token: HTML": ("provider: no token", answering("/token", 200, "text/html", "<h1>Sign in</h1>")),
    "token: nothing": ("provider: no token", answering("/token", 200, "application/json", "{}")),
    "token: without end": ("provider too slow", answering("/token", 200, "application/json", " " * (2 << 20))),
    "token: slow": ("provider too slow", slow("/token")),
    "keys: slow": ("provider too slow", slow("/jwks")),
    "no role": ("no role", as_person(groups=["kitchen"])),
    "roles that are none": ("no role", as_person(groups={"readers": True})),
    "role taken away": ("no role", role_taken_away),
    "name is no account name": ("no account name", as_person(preferred_username="<b>anna</b>")),
    "no name": ("no account name", as_person(preferred_username=None)),
    "no subject": ("no subject", as_person(sub="")),
    "name of a local account": ("name taken", name_of_a_local_account),
    "name of another person": ("name taken", name_of_another_person),
    "disabled account": ("disabled", disabled),
}
"""By name: what the audit says of it, and how it is tried. Nobody may be signed in after any of them."""
UNBEGUN: dict[str, Attack] = {
    "discovery: 500": answering("/.well-known/openid-configuration", 500, "text/plain", ""),
    "discovery: HTML": answering("/.well-known/openid-configuration", 200, "text/html", "<h1>Hello</h1>"),
    "discovery: nested without end": answering("/.well-known/openid-configuration", 200, "application/json", "[" * 100_000),
    "discovery: redirect": answering("/.well-known/openid-configuration", 302, "/moved", ""),
    "discovery: slow": slow("/.well-known/openid-configuration"),
    "discovery of another issuer": documenting(issuer="https://other.example"),
    "endpoint without https": documenting(token_endpoint="http://elsewhere.example/token"),
    "endpoint that is a script": documenting(authorization_endpoint="javascript:alert(1)"),
    "endpoint missing": documenting(jwks_uri=None),
}
"""What keeps an attempt from being begun: the page says that the provider does not answer."""


@pytest.mark.parametrize("name", ATTACKS)
def test_nobody_comes_in(world: Hospital, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, attack = ATTACKS[name]
    browser = world.browser()
    answer = attack(world, browser)
    assert answer.status_code in (403, 502), answer.text
    assert 'role="alert"' in answer.text
    assert "555" not in answer.text
    assert COOKIE not in browser.cookies
    assert ATTEMPT not in browser.cookies
    with world.database.read() as tx:
        assert tx.accounts.sessions() == []
    refusals = [details for action, _, details in world.audit() if action == "refused"]
    assert [(one["by"], one["why"]) for one in refusals[-1:]] == ([("oidc", code)] if code != UNNOTED else [])
    hidden = [SECRET, "an-access-token", *world.idp.grants, *(form.get("code_verifier", "-") for form in world.idp.forms)]
    told = answer.text + "".join(capfd.readouterr()) + json.dumps(world.audit())
    assert "refused" in told, "there is a log to look into"
    assert [one for one in hidden if len(one) > 3 and one in told] == []


@pytest.mark.parametrize("name", UNBEGUN)
def test_no_attempt_is_begun(world: Hospital, name: str) -> None:
    browser = world.browser()
    answer = UNBEGUN[name](world, browser)
    assert answer.status_code == 502
    assert "does not answer as it should" in answer.text
    assert len(browser.cookies) == 0
    assert "/authorize" not in world.idp.asked


def test_the_provider_itself_asks_for_pkce(world: Hospital) -> None:
    """The provider of these tests would refuse us without it: that it is sent is not just said."""
    browser = world.browser()
    there = browser.get("/oidc/start").headers["location"]
    without = "&".join(part for part in there.split("&") if not part.startswith("code_challenge="))
    assert browser.get(without).status_code == 400
    code = parse_qs(urlsplit(browser.get(there).headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": world.idp.redirect_uris[0]}
    form |= {"client_id": CLIENT, "client_secret": SECRET}
    bare = browser.post(f"{world.idp.issuer}/token", data=form)
    assert (bare.status_code, bare.json()) == (400, {"error": "invalid_grant"})
    assert world.idp.forms[-1] == form


def test_how_many_were_tried() -> None:
    total = len(ATTACKS) + len(UNBEGUN) + 1
    print(f"\nattacks and mishaps refused: {total} of {total}")
    assert total >= 20
