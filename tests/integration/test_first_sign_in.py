"""The door of the real process: the first administrator, the address it listens on, and the way in by a provider."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.integration.conftest import Serve
from tests.integration.service import Service
from triage.services.sessions import csrf_of

FIRST = re.compile(r"^First sign-in: (\S+) / (\S+) ", re.MULTILINE)
OWN = "a sentence of my own"
PUBLIC = "https://triage.example"


@contextmanager
def browser(service: Service, **headers: str) -> Iterator[httpx.Client]:
    given = {"accept": "text/html"} | headers
    with httpx.Client(base_url=f"http://127.0.0.1:{service.web_port}", headers=given, timeout=20, trust_env=False) as client:
        yield client


def test_the_first_secret_is_told_once_works_once_and_has_to_be_changed(serve: Serve) -> None:
    service = serve("web")
    ((name, secret),) = FIRST.findall(service.log.read_text())
    assert [line for line in service.log.read_text().splitlines() if secret in line and line.startswith("{")] == []
    with browser(service) as client:
        assert client.post("/sign-in", data={"name": name, "password": secret}).status_code == 303
        assert client.get("/").headers["location"] == "/password"
        assert client.get("/api/v1/worklist").status_code == 403
        (session,) = client.cookies.values()
        form = {"csrf": csrf_of(session), "present": secret, "new": OWN, "again": OWN}
        origin = {"origin": str(client.base_url)}
        assert client.post("/password", data=form | {"new": secret, "again": secret}, headers=origin).status_code == 400
        assert client.post("/password", data=form, headers=origin).status_code == 303
        assert client.post("/sign-in", data={"name": name, "password": secret}).status_code == 401
        assert client.post("/sign-in", data={"name": name, "password": OWN}).status_code == 303
        assert client.get("/").status_code == 200
    service.stop()
    service.start()
    assert len(FIRST.findall(service.log.read_text())) == 1, "not at the second start"
    assert service.log.read_text().count(secret) == 1
    kept = [path for path in service.home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert kept == []


def test_beyond_loopback_without_https_it_does_not_start(tmp_path: Path) -> None:
    service = Service(tmp_path / "home", ["web"], settings={"web__host": "0.0.0.0", "web__public_url": "http://triage.example"})
    command = [sys.executable, "-m", "triage", "serve", "web", "--home", str(service.home), "--web-port", "0"]
    done = subprocess.run(command, env=service.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "web.host" in done.stderr
    assert "https" in done.stderr
    assert not service.home.exists(), "nothing was begun"


def test_beyond_loopback_behind_https_only_its_name_is_served(serve: Serve) -> None:
    service = serve("web", settings={"web__host": "0.0.0.0", "web__public_url": PUBLIC})
    sockets = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert f"00000000:{service.web_port:04X}" in sockets
    for host, status in (("triage.example", 303), ("127.0.0.1", 303), ("evil.example", 421), ("0.0.0.0", 421), ("", 421)):
        with browser(service, host=host) as client:
            assert client.get("/").status_code == status, host
    ((name, secret),) = FIRST.findall(service.log.read_text())
    with browser(service, host="triage.example") as client:
        form = {"name": name, "password": secret}
        assert client.post("/sign-in", data=form, headers={"origin": "http://triage.example"}).status_code == 403
        cookie = client.post("/sign-in", data=form, headers={"origin": PUBLIC}).headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    provider = IdentityProvider().start()
    yield provider
    provider.stop()


def test_a_process_that_only_the_provider_opens(serve: Serve, provider: IdentityProvider) -> None:
    settings = {
        "oidc__issuer": provider.issuer,
        "oidc__client_id": CLIENT,
        "oidc__client_secret": SECRET,
        "oidc__roles": "chiefs=pacs_admin, readers=radiologist",
        "oidc__password_sign_in": "false",
    }
    service = serve("web", settings=settings)
    assert FIRST.findall(service.log.read_text()) == [], "a password that opens nothing is not told"
    provider.redirect_uris.append(f"http://127.0.0.1:{service.web_port}/oidc/callback")
    provider.person["groups"] = ["chiefs"]
    with browser(service) as client:
        assert client.get("/oidc/start", params={"next": "/"}, follow_redirects=True).status_code == 200
        me = client.get("/api/v1/me").json()
        assert (me["name"], me["role"]) == ("anna", "pacs_admin")
        assert client.get("/oidc/callback?state=x&code=canary-code").status_code == 403
    shown = service.triage("config", "show", "--json").stdout
    assert json.loads(shown)["oidc.client_secret"] == "***"
    told = shown + service.triage("config", "show").stdout + service.log.read_text()
    grants = list(provider.grants)
    assert [one for one in (SECRET, "an-access-token", "canary-code", *grants) if one in told] == []
    found = [one for one in json.loads(service.triage("check", "--json").stdout) if one["subject"] == "oidc"]
    assert [one["mark"] for one in found] == ["ok"]
    assert json.loads(service.triage("users", "list", "--json").stdout)[0]["external"] is True
