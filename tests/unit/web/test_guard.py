"""What holds for every answer."""

import re

import pytest

from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Open

PATHS = [
    "/",
    "/fragments/worklist",
    "/api/v1/worklist",
    "/api/v1/studies/1.2.1",
    "/api/docs",
    "/metrics",
    "/readyz",
    "/nowhere",
]


@pytest.mark.parametrize("path", [*PATHS, "/static/page.css"])
def test_headers(open_site: Open, path: str) -> None:
    database, now = scene.afternoon(NOW)
    headers = open_site(database, now).get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")


@pytest.mark.parametrize("path", ["/", "/api/docs"])
def test_nothing_on_a_page_needs_more_than_the_policy_allows(open_site: Open, path: str) -> None:
    database, now = scene.afternoon(NOW)
    page = open_site(database, now, demo=True).get(path).text
    for inline in ("style=", "<style", " onclick", " onload", "javascript:", "http://", "https://", "//cdn"):
        assert inline not in page
    assert page.count("<script") == len(re.findall(r'<script (?:type="module" )?src="/static/', page))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("[::1]:8080", 200),
        ("attacker.example:8080", 421),
        ("127.0.0.1.attacker.example", 421),
        ("10.0.0.7:8080", 421),
        ("0.0.0.0", 421),
        ("", 421),
    ],
)
def test_only_names_of_this_machine(open_site: Open, host: str, status: int) -> None:
    database, now = scene.afternoon(NOW)
    answer = open_site(database, now).get("/livez", headers={"host": host})
    assert answer.status_code == status
    assert "content-security-policy" in answer.headers
