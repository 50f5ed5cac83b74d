"""Steps of reading over HTTP: the answers, the conflicts, and what is never repeated or written."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers

from tests.unit.domain import make
from triage.database.memory import MemoryDatabase
from triage.domain.account import Identity, Role
from triage.domain.level import Level
from triage.web.app import create_app
from triage.web.identity import name_of

UID = "1.2.3"


class Believed:
    """An authenticator that takes everybody at their word."""

    def identify(self, headers: Headers, *, renew: bool) -> Identity | None:
        return Identity(name=headers["x-user"], role=Role.RADIOLOGIST, csrf=None)

    def refused(self, who: Identity, what: str) -> None:
        raise AssertionError(what)


class Reader:
    """One database, several people."""

    def __init__(self, **options: Any) -> None:
        self.clock = make.Clock()
        self.database = MemoryDatabase()
        with self.database.write() as tx:
            tx.put_study(make.study(UID))
        given = {"authenticator": Believed(), "who": name_of, **options}
        self.app = create_app(self.database, clock=self.clock, free_bytes=lambda: 1, **given)

    def ask(self, method: str, path: str, user: str = "dr", **options: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                return await client.request(
                    method, path, headers={"x-user": user, "content-type": "application/json"}, **options
                )

        return asyncio.run(answer())

    def post(self, action: str, user: str = "dr", uid: str = UID, **options: Any) -> httpx.Response:
        return self.ask("POST", f"/api/v1/studies/{uid}/{action}", user, **options)

    def audited(self) -> list[tuple[str, str, str]]:
        with self.database.read() as tx:
            return [(one.actor, one.action, one.subject) for one in tx.audit()]


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.app.state.previews.close()  # no server ran that would have done it


def test_from_claim_to_verdict_and_back(reader: Reader) -> None:
    claimed = reader.post("claim").json()
    assert claimed["study_instance_uid"] == UID
    assert claimed["reading"] == {
        "state": "claimed",
        "reader": "dr",
        "since": "2026-03-02T08:00:00+00:00",
        "verdict": None,
        "lease_until": "2026-03-02T08:15:00+00:00",
        "verdict_at": None,
    }
    reader.clock.forward(minutes=10)
    assert reader.post("renew").json()["reading"]["lease_until"] == "2026-03-02T08:25:00+00:00"
    read = reader.post("read", json={"verdict": "disagree", "note": "rib shadow"}).json()["reading"]
    assert (read["state"], read["verdict"], read["verdict_at"]) == ("read", "disagree", "2026-03-02T08:10:00+00:00")
    assert reader.ask("GET", "/api/v1/worklist").json() == []
    record = reader.ask("GET", f"/api/v1/studies/{UID}").json()
    assert [(one["reader"], one["verdict"], one["note"]) for one in record["readings"]] == [("dr", "disagree", "rib shadow")]
    assert reader.post("unread", json={"reason": "wrong patient open"}).json()["reading"]["state"] == "unread"
    actions = [action for _, action, _ in reader.audited()]
    assert actions == ["claim", "renew", "read", "export", "view", "unread"]


def test_a_conflict_names_holder_and_since(reader: Reader) -> None:
    reader.post("claim")
    for action in ("claim", "release", "renew", "read"):
        answer = reader.post(action, "other")
        assert answer.status_code == 409
        assert (answer.json()["holder"], answer.json()["since"]) == ("dr", "2026-03-02T08:00:00+00:00")
        assert "take it over" in answer.json()["detail"]
    assert reader.post("takeover", "other").json()["reading"]["reader"] == "other"
    assert reader.post("release", "other").json()["reading"]["state"] == "unread"
    assert reader.audited() == [("dr", "claim", UID), ("other", "takeover", UID), ("other", "release", UID)]


def test_a_verdict_names_the_result_that_it_answers(reader: Reader) -> None:
    late = reader.post("read", json={"verdict": "agree", "network_level": "not_flagged"})
    assert (late.status_code, late.json()["refusal"], late.json()["holder"]) == (409, "network_changed", None)
    assert reader.post("read", json={"verdict": "not_assessable", "network_level": "pending"}).status_code == 200
    again = reader.post("claim").json()
    assert (again["refusal"], again["holder"], again["verdict"]) == ("read_already", "dr", "not_assessable")


def test_a_verdict_names_the_images_and_the_assessment_that_were_seen(reader: Reader) -> None:
    seen = reader.ask("GET", f"/api/v1/studies/{UID}").json()
    assert (seen["images"], seen["assessed_at"]) == (1, None)
    with reader.database.write() as tx:
        study = replace(make.study(UID), network_level=Level.FLAGGED, probability=0.9, images=2, assessed_at=make.NOW)
        tx.put_study(study)
    late = reader.post("read", json={"verdict": "agree", "network_level": "flagged", "images": 1})
    assert (late.status_code, late.json()["refusal"]) == (409, "images_changed")
    assert late.json()["detail"] == "+1 image arrived; look at it first"
    other = reader.post("read", json={"verdict": "agree", "images": 2, "assessed_at": "2026-03-02T07:59:59Z"})
    assert (other.status_code, other.json()["refusal"]) == (409, "network_changed")
    now = reader.ask("GET", f"/api/v1/studies/{UID}").json()
    body = {"verdict": "agree", **{name: now[name] for name in ("images", "assessed_at")}}
    assert reader.post("read", json=body).status_code == 200


def test_the_next_study_for_a_reader(reader: Reader) -> None:
    with reader.database.write() as tx:
        tx.put_study(make.study("1.2.4", make.NOW + timedelta(minutes=1)))

    def found(user: str, query: str = "") -> str | None:
        answer: str | None = reader.ask("GET", f"/api/v1/next{query}", user).json()["study_instance_uid"]
        return answer

    assert (found("dr"), found("dr", f"?after={UID}"), found("dr", "?after=1.2.4")) == (UID, "1.2.4", UID)
    reader.post("claim")
    assert (found("dr"), found("other"), found("other", "?after=1.2.4")) == (UID, "1.2.4", None)
    assert "/api/v1/next" in reader.ask("GET", "/api/openapi.json").json()["paths"]


def test_stat_moves_and_unstat_moves_back(reader: Reader) -> None:
    before = reader.ask("GET", "/api/v1/worklist").json()[0]["key"]
    assert reader.post("stat").json()["level"] == "stat"
    back = reader.post("unstat").json()
    assert (back["level"], back["key"]) == ("pending", before)


@pytest.mark.parametrize("uid", ["9.9.9", "x", "1..2", "1" * 65])
def test_an_unknown_study_is_404(reader: Reader, uid: str) -> None:
    assert reader.post("claim", uid=uid).status_code == 404
    assert reader.audited() == []


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("read", b'{"verdict": "maybe"}'),
        ("read", b'{"verdict": 1}'),
        ("read", b'{"note": "%s"}' % (b"a" * 2001)),
        ("read", b'{"images": 0}'),
        ("read", b'{"assessed_at": "2026-03-02T08:00:00"}'),
        ("claim", b'{"images": 1}'),
        ("read", b'{"note": "SECRET \\ud800"}'),
        ("read", b'{"SECRET": 1}'),
        ("read", b"SECRET"),
        ("read", b'["SECRET"]'),
        ("read", b"[" * 5000),
        ("claim", b'{"note": "SECRET"}'),
        ("unread", b"{}"),
        ("unread", b'{"reason": "  "}'),
    ],
)
def test_what_cannot_be_used_is_422_and_not_repeated(reader: Reader, action: str, body: bytes) -> None:
    answer = reader.post(action, content=body)
    assert answer.status_code in (400, 422), answer.text
    assert '"SECRET' not in answer.text.replace('"loc":["body","SECRET"]', "")
    assert reader.audited() == []


def test_a_name_that_cannot_be_stored_is_refused(reader: Reader) -> None:
    assert reader.post("claim", " ").status_code == 422


def test_without_who_nobody_can_claim_and_views_are_not_told_apart() -> None:
    reader = Reader(who=None)
    assert reader.post("claim").status_code in (404, 405)
    assert reader.ask("GET", f"/api/v1/studies/{UID}").status_code == 200
    assert reader.audited() == []
    reader.app.state.previews.close()


def test_views_are_audited_and_unknown_studies_are_not_viewed(reader: Reader) -> None:
    assert reader.ask("GET", f"/study/{UID}").status_code == 200
    assert reader.ask("GET", f"/api/v1/studies/{UID}", "other").status_code == 200
    assert reader.ask("GET", "/study/9.9").status_code == reader.ask("GET", "/api/v1/studies/9.9").status_code == 404
    assert reader.audited() == [("dr", "view", UID), ("other", "view", UID)]


def test_the_routes_are_documented(reader: Reader) -> None:
    paths = reader.ask("GET", "/api/openapi.json").json()["paths"]
    for action in ("claim", "release", "takeover", "renew", "read", "unread", "stat", "unstat"):
        operation = paths[f"/api/v1/studies/{{uid}}/{action}"]["post"]
        assert operation["summary"]
        assert {"404", "409", "422"} <= set(operation["responses"])
