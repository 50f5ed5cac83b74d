"""Alive and ready: a truth table."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Client, Open
from tests.unit.web.signed_in import SignedIn
from tests.unit.web.silent import SilentDatabase
from triage.database.memory import MemoryDatabase
from triage.web.app import create_app
from triage.web.vitals import EXPECTED_ROLES

LATE = {"beat_at": NOW - timedelta(seconds=11)}
IN_TIME = {"beat_at": NOW - timedelta(seconds=10)}


@pytest.mark.parametrize(
    ("changes", "free_bytes", "queued_for", "expected"),
    [
        ({}, 1, None, []),
        ({"worker": IN_TIME, "web": IN_TIME}, 1, None, []),
        *[({name: LATE}, 1, None, [f"{name}: no sign of life since 2026-11-23T11:59:49+00:00"]) for name in EXPECTED_ROLES],
        ({"worker": {"trouble": "no usable model: digest"}}, 1, None, ["worker: no usable model: digest"]),
        ({"intake": {"trouble": "storage failed"}}, 1, None, ["intake: storage failed"]),
        ({}, 0, None, ["storage: no room above the floor, films are refused"]),
        ({}, -5, None, ["storage: no room above the floor, films are refused"]),
        ({}, 1, timedelta(minutes=10), []),
        ({}, 1, timedelta(minutes=11), ["queue: the oldest of 1 studies has waited 11 min for its assessment"]),
        (
            {"worker": {**LATE, "trouble": "stuck"}},
            0,
            None,
            [
                "worker: no sign of life since 2026-11-23T11:59:49+00:00",
                "worker: stuck",
                "storage: no room above the floor, films are refused",
            ],
        ),
    ],
)
def test_ready(open_site: Open, changes: Any, free_bytes: int, queued_for: timedelta | None, expected: list[str]) -> None:
    database = MemoryDatabase()
    scene.put_roles(database, scene.roles(NOW, **changes))
    if queued_for:
        scene.arrive(database, "1.2.3", NOW - queued_for)
    answer = open_site(database, NOW, free_bytes).get("/readyz")
    told = answer.json()
    assert told["reasons"] == expected
    assert told["ready"] is (not expected)
    assert answer.status_code == (503 if expected else 200)
    assert {role["role"]: role["alive"] for role in told["roles"]} == {
        name: changes.get(name, {}).get("beat_at") != LATE["beat_at"] for name in EXPECTED_ROLES
    }


def test_a_role_that_has_ended_is_not_ready_at_once(open_site: Open) -> None:
    database = MemoryDatabase()
    scene.put_roles(database, scene.roles(NOW, worker={"state": "stopped", "beat_at": NOW}))
    assert open_site(database).get("/readyz").json()["reasons"] == ["worker: stopped at 2026-11-23T12:00:00+00:00"]


def test_before_any_role_has_started(open_site: Open) -> None:
    answer = open_site(MemoryDatabase()).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == [f"{name}: has not started" for name in EXPECTED_ROLES]


def test_a_silent_database(open_site: Open) -> None:
    client = open_site(SilentDatabase())
    told = {"ready": False, "reasons": ["database: does not answer"], "warnings": [], "roles": []}
    assert client.get("/readyz").json() == told
    assert client.get("/livez").status_code == 200


def test_a_disk_that_cannot_be_asked_is_full() -> None:
    def broken() -> int:
        raise OSError("gone")

    database, _ = scene.afternoon(NOW)
    client = Client(create_app(database, clock=lambda: NOW, free_bytes=broken, authenticator=SignedIn()))
    assert client.get("/readyz").json()["reasons"] == ["storage: no room above the floor, films are refused"]


def test_orders_that_cannot_come_in_are_missed_where_the_ris_sends_them(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    assert open_site(database, now).get("/readyz").json()["reasons"] == []
    client = open_site(database, now, hears_orders=True)
    assert client.get("/readyz").json()["reasons"] == ["orders: has not started"]
