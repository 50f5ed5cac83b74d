"""Behind a proxy people are told apart by the address that it saw, and by nothing that they say themselves."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from tests.unit.web.test_gate import scope_of
from triage.config.sections import WebSettings
from triage.web.forwarded import Forwarded, last_hop


def seen(peer: str, proxies: list[str], *forwarded: str) -> str:
    found: list[str] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        found.append(scope["client"][0])

    scope = scope_of("localhost", client=peer)
    scope["headers"] += [(b"x-forwarded-for", one.encode()) for one in forwarded]
    nothing: Any = None
    asyncio.run(Forwarded(app, proxies)(scope, nothing, nothing))
    return found[0]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", ["10.0.0.7"], "10.0.0.7"),
        ("127.0.0.1", ["6.6.6.6, 10.0.0.7"], "10.0.0.7"),
        ("127.0.0.1", ["6.6.6.6", "10.0.0.7"], "10.0.0.7"),
        ("127.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.7, "], "127.0.0.1"),
        ("10.0.0.9", ["10.0.0.7"], "10.0.0.9"),
    ],
)
def test_only_the_trusted_proxy_and_only_its_last_hop_count(peer: str, forwarded: list[str], address: str) -> None:
    assert seen(peer, ["127.0.0.1"], *forwarded) == address


def test_nobody_is_trusted_unless_the_setting_says_so() -> None:
    assert WebSettings().trusted_proxy == []
    assert seen("127.0.0.1", [], "10.0.0.7") == "127.0.0.1"


def test_the_setting_takes_addresses() -> None:
    assert WebSettings(trusted_proxy="127.0.0.1, ::1").trusted_proxy == ["127.0.0.1", "::1"]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give IP addresses"):
        WebSettings(trusted_proxy=["proxy.example"])


def test_or_networks_that_are_somebody_s() -> None:
    assert WebSettings(trusted_proxy=["10.244.0.0/16"]).trusted_proxy == ["10.244.0.0/16"]
    assert seen("10.244.3.9", ["10.244.0.0/16"], "10.0.0.7") == "10.0.0.7"
    assert seen("10.245.3.9", ["10.244.0.0/16"], "10.0.0.7") == "10.245.3.9"
    assert seen("2001:db8::9", ["10.244.0.0/16"], "10.0.0.7") == "2001:db8::9"
    assert seen("testclient", ["10.244.0.0/16"], "10.0.0.7") == "testclient"
    for wide in ("0.0.0.0/0", "10.244.0.1/16", "::/0"):
        with pytest.raises(ValueError, match=r"could claim any address|give IP addresses"):
            WebSettings(trusted_proxy=[wide])


@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_header_gives_an_address_or_nothing(headers: list[str]) -> None:
    assert all(character in "0123456789abcdef:.%" or character.isalnum() for character in last_hop(headers))
