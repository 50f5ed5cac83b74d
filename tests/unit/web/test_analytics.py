"""The analytics page and its API: by role, by hand, with nothing in it, and with hostile names."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.hostile import PAYLOADS
from tests.size import size
from tests.unit.domain.test_analytics import FIVE, STAT
from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Open
from tests.unit.web.signed_in import SignedIn
from tests.unit.web.silent import SilentDatabase
from tests.unit.web.test_pages import shape
from triage.database.memory import MemoryDatabase
from triage.domain.account import GRANTS, Permission, Role
from triage.domain.analytics import JudgedReading
from triage.domain.level import Level
from triage.domain.reading import FinishedReading
from triage.domain.study import Reading, ReadingState, begin, placed
from triage.services.ports import Database

PATHS = ["/analytics", "/api/v1/analytics", "/api/v1/analytics/misses"]
HOUR = timedelta(hours=1)
LATER = FIVE[0].arrived_at.replace(hour=12)
"""Noon of the day of the five studies (test_analytics.py of the domain)."""


def put(database: Database, *readings: JudgedReading) -> None:
    with database.write() as tx:
        for one in readings:
            uid = f"1.2.{ord(one.study_instance_uid)}"
            study = replace(
                begin(uid, scene.FACTS, one.arrived_at, scene.POLICY), network_level=one.network_level, stat=one.stat
            )
            if one.network_level in (Level.FLAGGED, Level.NOT_FLAGGED):
                study = replace(study, probability=one.probability, model=one.model)
            done = Reading(state=ReadingState.READ, reader=one.reader, since=one.read_at)
            tx.put_study(replace(placed(study, scene.POLICY), reading=done))
            tx.add_reading(
                FinishedReading(
                    study_instance_uid=uid,
                    reader=one.reader,
                    read_at=one.read_at,
                    verdict=one.verdict,
                    note="a note on Okafor",
                    network_level=one.network_level,
                    probability=one.probability,
                    model=one.model,
                )
            )


@pytest.fixture
def five() -> MemoryDatabase:
    database = MemoryDatabase()
    put(database, *FIVE)
    return database


def text_of(page: str) -> str:
    """What is read, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("role", list(Role))
def test_who_may_see_it(open_site: Open, five: MemoryDatabase, role: Role, path: str) -> None:
    client = open_site(five, LATER, authenticator=SignedIn(role=role))
    allowed = Permission.ANALYTICS in GRANTS[role]
    assert client.get(path, headers={"accept": "text/html"}).status_code == (200 if allowed else 403)
    assert allowed == ('href="/analytics"' in client.get("/api/docs").text)


def test_five_studies_on_the_page_to_the_minute(open_site: Open, five: MemoryDatabase) -> None:
    text = text_of(open_site(five, LATER).get("/analytics?period=24h").text)
    assert "of the 5 studies read" in text
    assert "Flagged: half were read within 2 min; in order of arrival 22 min." in text
    assert "Not flagged: half were read within 30 min; in order of arrival 10 min." in text
    assert "Flagged 2 2 min 8 min 22 min 28 min 20 min shorter 0 –" in text
    assert "of these, found abnormal 1 2 min 2 min 22 min 22 min 20 min shorter" in text
    assert "Not flagged 2 30 min 35 min 10 min 15 min 20 min longer 0 –" in text
    assert "STAT 1 1 min 1 min 1 min 1 min the same 0 –" in text
    assert "found it abnormal: 2 in this period" in text
    assert "30 min 10 min 20 min longer 0.50 dr net@1" in text
    assert "1 min 1 min the same 0.50 dr net@1 STAT" in text
    assert "Flagged: the reader agreed 50.0 % (9.5–90.5 %; 1 of 2)" in text
    assert "Not flagged: the reader found it abnormal 66.7 % (20.8–93.9 %; 2 of 3)" in text


def test_five_studies_for_scripts(open_site: Open, five: MemoryDatabase) -> None:
    client = open_site(five, LATER)
    told = client.get("/api/v1/analytics?period=24h").json()
    flagged = told["waiting"]["flagged"]
    assert flagged["actual"] == {"n": 2, "still_waiting": 0, "median_seconds": 120, "p95_seconds": 480}
    assert flagged["by_arrival"] == {"n": 2, "still_waiting": 0, "median_seconds": 1320, "p95_seconds": 1680}
    assert flagged["mean_difference_seconds"] == -1200
    assert (told["read"], told["read_again"], told["misses"]) == (5, 0, 2)
    assert told["agreement"]["not_flagged"]["disagreed"] == pytest.approx(
        {"share": 2 / 3, "low": 0.2077, "high": 0.9385, "hits": 2, "n": 3}, abs=1e-4
    )
    assert told["flag_rate"]["hits"] == 2
    assert told["scores"] == [{"bin": 10, "level": "flagged", "n": 2}, {"bin": 10, "level": "not_flagged", "n": 3}]
    one, other = client.get("/api/v1/analytics/misses?period=24h").json()["misses"]
    assert (one["study_instance_uid"], one["waited_seconds"], one["by_arrival_seconds"]) == ("1.2.97", 1800, 600)
    assert (one["difference_seconds"], one["probability"], one["reader"], one["read_again"]) == (1200, 0.5, "dr", False)
    assert (other["stat"], other["difference_seconds"]) == (True, 0)


def test_a_study_from_before_the_period_still_counts_in_the_line(open_site: Open, five: MemoryDatabase) -> None:
    old = FIVE[3]._replace(study_instance_uid="o", arrived_at=FIVE[3].arrived_at - 72 * HOUR, read_at=LATER - HOUR)
    put(five, old)
    told = open_site(five, LATER).get("/api/v1/analytics/misses?period=24h").json()["misses"]
    waits = {one["study_instance_uid"]: one["by_arrival_seconds"] for one in told}
    assert waits["1.2.111"] == 72 * 3600 + 600, "the oldest takes the first moment"
    assert waits["1.2.97"] == 1200, "and the next to arrive the second"


def test_what_was_read_before_the_period_takes_its_moment(open_site: Open, five: MemoryDatabase) -> None:
    start = FIVE[3].arrived_at
    old = FIVE[3]._replace(study_instance_uid="o", arrived_at=start - 72 * HOUR, read_at=LATER - HOUR)
    overtook = FIVE[0]._replace(study_instance_uid="x", arrived_at=start - 71 * HOUR, read_at=start - 30 * HOUR)
    put(five, old, overtook)
    told = open_site(five, LATER).get("/api/v1/analytics/misses?period=24h").json()["misses"]
    waits = {one["study_instance_uid"]: one["by_arrival_seconds"] for one in told}
    assert (waits["1.2.111"], waits["1.2.97"]) == (42 * 3600, 1200)


def test_a_turn_can_come_after_the_period(open_site: Open) -> None:
    midnight = LATER.astimezone().replace(hour=0)
    flagged = FIVE[0]._replace(arrived_at=midnight - HOUR, read_at=midnight - HOUR / 2)
    resting = FIVE[3]._replace(arrived_at=midnight - 2 * HOUR, read_at=midnight + HOUR)
    database = MemoryDatabase()
    put(database, flagged, resting)
    day = f"{midnight - HOUR:%Y-%m-%d}"
    told = open_site(database, LATER).get(f"/api/v1/analytics?period=days&from={day}&to={day}").json()
    assert list(told["waiting"]) == ["flagged"]
    assert told["waiting"]["flagged"]["by_arrival"]["median_seconds"] == 7200


def test_an_unread_study_takes_its_turn_in_order_of_arrival(open_site: Open, five: MemoryDatabase) -> None:
    scene.arrive(five, "1.9.1", FIVE[3].arrived_at - HOUR)
    told = open_site(five, LATER).get("/api/v1/analytics?period=24h").json()
    assert told["waiting"]["not_flagged"]["by_arrival"]["median_seconds"] == 20 * 60
    assert told["waiting"]["flagged"]["by_arrival"] == {"n": 2, "still_waiting": 1, "median_seconds": 1920, "p95_seconds": None}


def test_unread_studies_are_counted_and_left_lying_ones_said(open_site: Open, five: MemoryDatabase) -> None:
    scene.arrive(five, "1.9.1", LATER - 3 * HOUR)
    scene.arrive(five, "1.9.2", LATER - 8 * 24 * HOUR)
    text = text_of(open_site(five, LATER).get("/analytics?period=24h").text)
    assert "the 2 unread ones may wait longer" in text
    assert "Analysing 0 – – – – – 2 8 d" in text
    assert "1 study unread for more than seven days: left out" in text


def test_who_may_not_see_probabilities_sees_none(
    open_site: Open, five: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GRANTS, Role.VIEWER, GRANTS[Role.VIEWER] | {Permission.ANALYTICS})
    client = open_site(five, LATER, authenticator=SignedIn(role=Role.VIEWER))
    page = client.get("/analytics?period=24h").text
    assert "robabilit" not in page
    assert "0.50" not in page
    assert client.get("/api/v1/analytics?period=24h").json()["scores"] is None
    assert [one["probability"] for one in client.get("/api/v1/analytics/misses?period=24h").json()["misses"]] == [None, None]


def test_nothing_of_a_patient_is_on_it(open_site: Open, five: MemoryDatabase) -> None:
    client = open_site(five, LATER)
    for path in PATHS:
        told = client.get(f"{path}?period=24h").text
        assert "1.2.97" in told or path == "/api/v1/analytics"
        for word in ("Okafor", "MRN-004711", "ACC2026", "19690203", "Chest PA"):
            assert word not in told


@pytest.mark.parametrize("payload", PAYLOADS[:: size(4, 1)])
def test_hostile_names_stay_text(open_site: Open, payload: str) -> None:
    def page(name: str) -> str:
        database = MemoryDatabase()
        put(database, *(one._replace(reader=name, model=name) for one in FIVE))
        later = STAT._replace(study_instance_uid="z", arrived_at=STAT.arrived_at + 24 * HOUR, read_at=STAT.read_at + 24 * HOUR)
        put(database, later._replace(model=f"{name}2"))
        return open_site(database, LATER + 24 * HOUR).get("/analytics?period=7d").text

    told = page(payload)
    assert shape(told) == shape(page("tame"))
    assert not re.search("[\u202a-\u202e\x00-\x08\x0e-\x1f]", told)


def test_an_empty_service_says_what_will_appear(open_site: Open) -> None:
    page = open_site(MemoryDatabase()).get("/analytics").text
    for words in ("Waiting appears with", "None. A study appears here when", "Agreement appears with", "A bar appears with"):
        assert words in page
    assert 'role="img"' not in page


def test_plots_have_a_name_and_a_description_and_no_style(open_site: Open, five: MemoryDatabase) -> None:
    page = open_site(five, LATER).get("/analytics?period=24h").text
    plots = re.findall(r'<svg class="plot" role="img".*?aria-labelledby="([\w-]+) ([\w-]+)"', page)
    assert len(plots) == 5
    for title, description in plots:
        assert page.count(f'id="{title}"') == page.count(f'id="{description}"') == 1
    assert "style=" not in page
    assert "normal" not in re.sub("abnormal", "", page).lower()
    assert page.count("<table") == page.count("<caption")


@pytest.mark.parametrize(
    "query", ["period=days", "period=days&from=2026-02-30&to=2026-03-01", "period=days&from=2026-03-02&to=2026-03-01"]
)
def test_a_period_that_cannot_be_is_said(open_site: Open, five: MemoryDatabase, query: str) -> None:
    client = open_site(five, LATER)
    page = client.get(f"/analytics?{query}")
    assert page.status_code == 422
    assert "No such period." in page.text
    answer = client.get(f"/api/v1/analytics?{query}")
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])


def test_days_are_whole_and_local(open_site: Open, five: MemoryDatabase) -> None:
    client = open_site(five, LATER)
    day = f"{LATER.astimezone():%Y-%m-%d}"
    assert client.get(f"/api/v1/analytics?period=days&from={day}&to={day}").json()["read"] == 5
    assert client.get("/api/v1/analytics?period=days&from=2026-01-01&to=2026-01-02").json()["read"] == 0


@pytest.fixture
def kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("kolkata")
def test_hours_are_those_of_the_local_clock(open_site: Open, five: MemoryDatabase) -> None:
    told = open_site(five, LATER).get("/api/v1/analytics?period=24h").json()
    assert told["arrivals_by_hour"] == [{"hour": 13, "level": "flagged", "n": 2}, {"hour": 13, "level": "not_flagged", "n": 3}]
    assert told["until"].endswith("+05:30")


def test_the_api_is_described(open_site: Open, five: MemoryDatabase) -> None:
    paths = open_site(five).get("/api/openapi.json").json()["paths"]
    for path in PATHS[1:]:
        operation = paths[path]["get"]
        assert {one["name"] for one in operation["parameters"]} == {"period", "from", "to"}
        assert "422" in operation["responses"]


def test_a_silent_database_is_said(open_site: Open) -> None:
    for path in PATHS:
        assert open_site(SilentDatabase(), NOW).get(path).status_code == 503
