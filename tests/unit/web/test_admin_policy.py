"""The policy page: what is in force, what another policy would do, and that nothing is changed by asking."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.unit.web.conftest import NOW
from tests.unit.web.house import House
from triage.config import PolicySettings
from triage.domain.level import HeadStarts
from triage.services.audit import note_policy
from triage.web.admin.policy import lines_to_write


@pytest.fixture
def house() -> Iterator[House]:
    house = House(NOW)
    yield house
    house.close()


def test_what_is_in_force_and_how_it_came_about(house: House) -> None:
    note_policy(house.database, {"head_start.flagged": "8 h"}, lambda: NOW)
    page, told = house.get("/admin/policy").text, house.get("/api/v1/policy").json()
    assert "at most 24 h before it" in page
    assert told["head_starts"]["flagged_seconds"] == 86400
    assert told["history"] == [{"at": NOW.isoformat(), "policy": {"head_start.flagged": "8 h"}}]
    assert "head_start.flagged" in page
    assert "The unread list then" not in page


def test_a_preview_says_who_would_move_and_changes_nothing(house: House) -> None:
    before = house.get("/api/v1/worklist").json()
    page = house.get("/admin/policy", params={"flagged": "0 h", "not_assessed": "0 h", "pending": "0 h"}).text
    told = house.get("/api/v1/policy/preview", params={"flagged": "0", "not_assessed": "0 h", "pending": "0 h"}).json()
    assert told["total"] == told["looked_at"] == 6
    assert f"{told['moved']} of 6 studies would have another place" in page
    assert told["moved"] > 0
    arrivals = [row["arrived_at"] for row in told["rows"] if row["level"] != "stat"]
    assert arrivals == sorted(arrivals), "without head starts: first come, first served"
    assert "first come, first served" in page
    assert house.get("/api/v1/worklist").json() == before
    assert house.audited("policy") == []


def test_the_present_policy_moves_nobody(house: House) -> None:
    told = house.get("/api/v1/policy/preview").json()
    assert told["moved"] == 0
    assert "0 of 6 studies" in house.get("/admin/policy", params={"flagged": "24 h"}).text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"flagged": "soon"}, "give a number with a unit"),
        ({"flagged": "-1 h"}, "give a number with a unit"),
        ({"flagged": "99999999 d"}, "at most 3650 d"),
        ({"not_flagged": "48 h"}, "need at least the head start"),
        ({"stat": "1 h"}, "a human priority outranks the network"),
    ],
)
def test_what_cannot_be_is_refused_in_words(house: House, given: dict[str, str], words: str) -> None:
    page = house.get("/admin/policy", params=given)
    assert page.status_code == 400
    assert words in page.text
    answer = house.get("/api/v1/policy/preview", params=given)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_the_lines_to_write_are_settings_that_give_that_policy() -> None:
    policy = HeadStarts(flagged=timedelta(minutes=90), pending=timedelta(minutes=61), not_assessed=timedelta(hours=49))
    settings = PolicySettings(**tomllib.loads(lines_to_write(policy))["policy"])
    assert settings.head_starts == policy
