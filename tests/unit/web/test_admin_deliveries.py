"""The page of deliveries, its API, and where else the service says that results do not arrive."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.services.peer import Peer
from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Open
from tests.unit.web.house import House
from tests.unit.web.test_metrics import values
from triage.database.memory import MemoryDatabase
from triage.domain.account import Role
from triage.domain.study import with_outcome
from triage.services.ports import Database
from triage.services.publish import publish, register
from triage.services.results import place

NAMES = ("pacs", "ris")
HOSTILE = "<script>alert(1)</script>\u202e"


def said(database: Database, uid: str, probability: float) -> None:
    """The network's word on a study that is there, with its result."""
    outcome = scene.scored(uid, probability, NOW)
    with database.write() as tx:
        found = tx.study(uid)
        assert found is not None
        tx.add_outcome(outcome)
        place(tx, with_outcome(found, outcome, scene.POLICY), NOW)
        if job := tx.jobs.claim("test", NOW):
            tx.jobs.finish(job, NOW)


def sent(database: Database, name: str, peer: Peer) -> None:
    while publish(database, name, peer, timedelta(seconds=9), lambda: NOW, lambda: 0.0):
        pass


@pytest.fixture
def database() -> Database:
    """*pacs* refuses one result and took another; *ris* does not answer."""
    database = MemoryDatabase()
    register(database, NAMES, lambda: NOW)
    for uid in ("1.2.1", "1.2.2"):
        scene.arrive(database, uid, NOW - timedelta(hours=1))
    scene.put_roles(database, [*scene.roles(NOW), replace(scene.roles(NOW)[0], role="publisher")])
    pacs = Peer(refuses=True)
    said(database, "1.2.1", 0.9)
    sent(database, "pacs", pacs)
    pacs.refuses = False
    said(database, "1.2.2", 0.1)
    sent(database, "pacs", pacs)
    sent(database, "ris", Peer(away=True))
    return database


@pytest.fixture
def house(database: Database) -> Iterator[House]:
    house = House(NOW, database=database, destinations=NAMES)
    yield house
    house.close()


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_the_page_says_how_each_destination_stands(house: House) -> None:
    page = house.get("/admin/deliveries").text
    assert "refuses some" in page
    assert "no answer since" in page
    assert "0xA900" in page
    assert "connection refused" in page
    assert page.count('action="/admin/deliveries/') == 2, "one refused, one destination with refused ones"
    assert 'href="/study/1.2.1"' in page


def test_what_was_refused_is_sent_again_by_a_button_and_audited(house: House) -> None:
    (refused,) = house.get("/api/v1/deliveries", params={"state": "refused"}).json()["deliveries"]
    path = f"/admin/deliveries/{refused['id']}/retry"
    assert house.ask("POST", path, headers={"cookie": house.cookie()}).status_code == 403, "not without the page's token"
    assert house.post(path, role=Role.RADIOLOGIST).status_code == 403
    done = house.post(path)
    assert (done.status_code, done.headers["location"]) == (303, "/admin/deliveries?done=waiting")
    assert "It will be sent again." in house.get(done.headers["location"]).text
    assert house.post(path).headers["location"].endswith("done=unknown")
    ((actor, subject, details),) = house.audited("delivery")
    assert (actor, subject) == ("pacs-admin", "1.2.1")
    assert details == {"step": "retry", "destination": "pacs", "result": "1", "now": "waiting"}


def test_all_that_one_destination_refused_is_sent_again(house: House) -> None:
    assert house.post("/admin/deliveries/retry-refused", {"destination": "ris"}).headers["location"].endswith("unknown")
    assert house.post("/admin/deliveries/retry-refused", {"destination": "pacs"}).headers["location"].endswith("refused")
    assert len(house.audited("delivery")) == 1
    sent(house.database, "pacs", Peer())
    assert house.get("/api/v1/deliveries").json()["destinations"][0]["delivered"] == 2


def test_programs_do_the_same(house: House) -> None:
    told = house.get("/api/v1/deliveries").json()
    pacs, ris = told["destinations"]
    assert (pacs["name"], pacs["configured"], pacs["delivered"], pacs["refused"]) == ("pacs", True, 1, 1)
    assert (ris["waiting"], ris["no_answer_since"], ris["error"]) == (2, NOW.isoformat(), "connection refused")
    assert len(told["deliveries"]) == 4
    asked = {"destination": "ris", "study": "1.2.1"}
    (one,) = house.get("/api/v1/deliveries", params=asked).json()["deliveries"]
    assert (one["state"], one["attempts"], one["number"]) == ("waiting", 1, 1)
    (refused,) = house.get("/api/v1/deliveries", params={"state": "refused"}).json()["deliveries"]
    assert house.send(f"/api/v1/deliveries/{refused['id']}/retry").json()["state"] == "waiting"
    assert house.send(f"/api/v1/deliveries/{refused['id']}/retry").status_code == 404
    assert house.send("/api/v1/deliveries/retry-refused").json() == {"retried": 0, "superseded": 0}


def test_a_destination_that_is_configured_no_more_is_shown(database: Database) -> None:
    house = House(NOW, database=database, destinations=("pacs",))
    assert "configured no more, results wait" in house.get("/admin/deliveries").text
    house.close()


def test_without_destinations_the_page_says_so() -> None:
    house = House(NOW)
    assert "the settings name none" in words(house.get("/admin/deliveries").text)
    assert "publisher" not in house.get("/admin/system").text
    house.close()


def test_hostile_words_of_a_peer_stay_text(database: Database) -> None:
    said(database, "1.2.2", 0.95)
    with database.write() as tx:
        held = None
        while held is None or held.destination != "pacs":
            tx.deliveries.fan_out("pacs", NOW, 10)
            held = tx.deliveries.claim("pacs", NOW, NOW)
        tx.deliveries.refused(held, HOSTILE, NOW)
    house = House(NOW, database=database, destinations=NAMES)
    for path in ("/admin/deliveries", "/study/1.2.2"):
        page = house.get(path).text
        assert "alert(1)" in page
        assert "<script>alert" not in page
        assert "\u202e" not in page
    house.close()


def test_a_study_says_what_was_sent_of_it(house: House) -> None:
    page = words(house.get("/study/1.2.1", Role.RADIOLOGIST).text)
    assert "Sent to other systems" in page
    assert "refused 0xA900" in page
    record = house.get("/api/v1/studies/1.2.1", Role.RADIOLOGIST).json()
    assert [(one["destination"], one["state"]) for one in record["deliveries"]] == [("pacs", "refused"), ("ris", "waiting")]
    (result,) = record["results"]
    assert (result["number"], result["level"], result["probability"]) == (1, "flagged", 0.9)
    viewer = house.get("/api/v1/studies/1.2.1", Role.VIEWER).json()
    assert viewer["results"][0]["probability"] is None


def test_results_that_wait_are_no_trouble_at_first_and_then_are(open_site: Open, database: Database) -> None:
    at_once = open_site(database, NOW, destinations=NAMES)
    assert at_once.get("/readyz").json()["reasons"] == []
    assert "Results do not reach" not in at_once.get("/").text
    later = NOW + timedelta(minutes=11)
    scene.put_roles(database, [*scene.roles(later), replace(scene.roles(later)[0], role="publisher")])
    client = open_site(database, later, destinations=NAMES)
    assert client.get("/readyz").json()["reasons"] == ["results: the oldest of 2 for ris has waited 11 min"]
    assert "Results do not reach ris" in client.get("/").text
    assert "Does the destination answer" in client.get("/admin/system").text


def test_a_destination_that_refuses_what_comes_last_is_told_above_the_list(open_site: Open, database: Database) -> None:
    assert "refuses results" not in open_site(database, NOW, destinations=NAMES).get("/").text, "it took one since"
    said(database, "1.2.2", 0.95)
    sent(database, "pacs", Peer(refuses=True))
    assert "pacs refuses results" in open_site(database, NOW, destinations=NAMES).get("/").text


def test_a_publisher_that_does_not_run_is_missed_where_there_are_destinations(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    assert open_site(database, now).get("/readyz").json()["reasons"] == []
    client = open_site(database, now, destinations=NAMES)
    assert client.get("/readyz").json()["reasons"] == ["publisher: has not started"]
    assert "Results are not sent yet" in client.get("/").text


def test_metrics_count_by_destination(open_site: Open, database: Database) -> None:
    told = values(open_site(database, NOW + timedelta(minutes=3), destinations=NAMES))
    assert told["triage_results_waiting", "ris"] == 2
    assert told["triage_results_refused", "pacs"] == 1
    assert told["triage_results_delivered_total", "pacs"] == 1
    assert told["triage_results_oldest_waiting_seconds", "ris"] == 180
    assert (told["triage_destination_up", "pacs"], told["triage_destination_up", "ris"]) == (1, 0)
    assert told["triage_role_up", "publisher"] == 0
