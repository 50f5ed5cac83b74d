"""The list as a reader asks for it: filters, search, sorts, what each role can press, claims, late images."""

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Client, Open
from tests.unit.web.signed_in import SignedIn
from triage.database.memory import MemoryDatabase
from triage.domain.account import Role
from triage.domain.audit import Action, AuditEntry
from triage.domain.study import Reading, ReadingState, with_image
from triage.web import api
from triage.web.identity import name_of

MINUTE = timedelta(minutes=1)


def uids(page: str) -> list[str]:
    return re.findall(r'<tr id="study-([\d.]+)"', page)


def reader(open_site: Open, database: MemoryDatabase, role: Role = Role.RADIOLOGIST) -> Client:
    return open_site(database, NOW, authenticator=SignedIn(role=role), who=name_of)


def claim(database: MemoryDatabase, uid: str, name: str, until: timedelta = 10 * MINUTE) -> None:
    with database.write() as tx:
        study = tx.study(uid)
        assert study is not None
        reading = Reading(state=ReadingState.CLAIMED, reader=name, since=NOW - MINUTE, lease_until=NOW + until)
        tx.put_study(replace(study, reading=reading))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?status=waiting&within=", ["1.2.3", "1.2.5", "1.2.1", "1.2.4", "1.2.6"]),
        ("", ["1.2.3", "1.2.5", "1.2.1", "1.2.4", "1.2.6", "1.2.2"]),
        ("?level=flagged", ["1.2.1"]),
        ("?level=flagged&level=stat", ["1.2.3", "1.2.1"]),
        ("?within=1h", ["1.2.5", "1.2.1", "1.2.4"]),
        ("?status=mine", ["1.2.1"]),
        ("?status=claimed", ["1.2.5", "1.2.1"]),
        ("?status=free", ["1.2.3", "1.2.4", "1.2.6"]),
        ("?status=read", ["1.2.2"]),
        ("?sort=arrived", ["1.2.3", "1.2.6", "1.2.5", "1.2.1", "1.2.4"]),
        ("?sort=-arrived&level=not_assessed&level=pending", ["1.2.4", "1.2.5"]),
    ],
)
def test_filters_and_sorts(open_site: Open, query: str, expected: list[str]) -> None:
    database, _ = scene.afternoon(NOW)
    if query:
        claim(database, "1.2.1", "tester")
        claim(database, "1.2.5", "other")
        claim(database, "1.2.4", "other", -MINUTE)
        scene.finish_reading(database, "1.2.2", NOW)
    client = reader(open_site, database)
    page = client.get(f"/{query}").text
    assert uids(page) == uids(client.get(f"/fragments/worklist{query}").text) == expected
    rows = client.get(f"/api/v1/worklist{query}").json()
    assert [row["study_instance_uid"] for row in rows] == expected
    # a place is that in the whole list, whatever is shown of it
    places = dict(re.findall(r'<tr id="study-([\d.]+)".*?Place (\d+): why here', page, re.S))
    whole = {row["study_instance_uid"]: row["rank"] for row in client.get("/api/v1/worklist").json()}
    assert all(int(place) == whole[uid] for uid, place in places.items() if uid in whole)
    assert {row["rank"] for row in rows} == {whole.get(uid) for uid in expected}


@pytest.mark.parametrize(
    "query", ["level=bad", "status=bad", "within=2h", "sort=name", "sort=--arrived", "page=0", "page=x", "page=99999"]
)
def test_an_address_that_asks_for_nothing_known_is_refused(open_site: Open, query: str) -> None:
    database, _ = scene.afternoon(NOW)
    assert reader(open_site, database).get(f"/?{query}").status_code == 422


def test_the_page_says_that_it_is_not_the_list_as_it_is(open_site: Open) -> None:
    database, _ = scene.afternoon(NOW)
    client = reader(open_site, database)
    whole, levels, by_name = (client.get(path).text for path in ("/", "/?level=flagged", "/?sort=-patient&page=1"))
    assert re.search(r'<p id="view" class="view" hidden>', whole)
    assert 'aria-sort="ascending"><abbr' in whole
    assert "Showing <strong>1</strong> study" in levels
    assert 'href="/">Show the whole list</a>' in levels
    assert 'id="level-flagged" aria-current="true"' in levels
    assert 'href="/?level=stat&amp;level=flagged"' in levels
    assert "Not in reading order:</strong> sorted by patient, descending" in by_name
    assert '<a class="target" id="usual" href="/">Back to reading order</a>' in by_name
    assert 'aria-sort="descending"><a class="sort" href="/?sort=patient"' in by_name
    assert 'aria-sort="ascending"><abbr' not in by_name
    assert "No study is shown by these filters." in client.get("/?status=mine").text


def ask(client: Client, path: str, body: object) -> httpx.Response:
    import asyncio

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(client._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as browser:
            return await browser.post(path, json=body)

    return asyncio.run(answer())


def test_a_search_goes_into_the_body(open_site: Open) -> None:
    database, _ = scene.afternoon(NOW)
    scene.arrive(database, "1.2.77", NOW, replace(scene.FACTS, patient_name="Zweig^Stefan", patient_id="77"))
    client = reader(open_site, database)
    page = ask(client, "/fragments/worklist", {"q": "zweig 77"}).text
    assert uids(page) == ["1.2.77"]
    assert "found by search" in page
    assert [row["rank"] for row in ask(client, "/api/v1/worklist/search", {"q": "STEFAN"}).json()] == [5]
    assert ask(client, "/api/v1/worklist/search?level=flagged", {"q": "stefan"}).json() == []
    assert uids(client.get("/?q=zweig").text) != ["1.2.77"], "an address is not searched: it would be in every log"
    assert ask(client, "/fragments/worklist", {"q": "x" * 201}).status_code == 422
    assert ask(client, "/fragments/worklist", {"words": "x"}).status_code == 422


@pytest.mark.parametrize(
    ("role", "expected"),
    [(Role.RADIOLOGIST, {"claim", "read", "release", "takeOver"}), (Role.VIEWER, set()), (Role.PACS_ADMIN, set())],
)
def test_buttons_by_role_and_state(open_site: Open, role: Role, expected: set[str]) -> None:
    database, _ = scene.afternoon(NOW)
    claim(database, "1.2.1", "tester")
    claim(database, "1.2.5", "Dr Grey")
    page = reader(open_site, database, role).get("/").text
    assert set(re.findall(r'data-act="(\w+)"', page)) - {"why"} == expected
    assert page.count('data-reader="tester"') == page.count('data-reader="Dr Grey"') == 1
    assert page.count("Reading – ") == 2
    assert "1 of 1, until " in page


def test_the_list_is_made_once_for_everybody_and_anew_after_each_change(open_site: Open) -> None:
    database, _ = scene.afternoon(NOW)
    client = reader(open_site, database)
    first = client.get("/fragments/worklist").text
    assert client.get("/fragments/worklist").text == first
    claim(database, "1.2.1", "tester")
    assert 'data-reader="tester"' in client.get("/fragments/worklist").text
    assert "1.2.1" in client.get("/fragments/worklist?status=mine").text


def test_a_late_image_is_told(open_site: Open) -> None:
    database, _ = scene.afternoon(NOW)
    with database.write() as tx:
        for uid in ("1.2.1", "1.2.2"):
            study = tx.study(uid)
            assert study is not None
            tx.put_study(with_image(study, scene.POLICY))
    page = reader(open_site, database).get("/").text
    assert "+1 image, not covered" in page
    assert "a late image, re-analysing" in page


def test_another_network_is_told_for_an_hour(open_site: Open) -> None:
    for ago, told in ((MINUTE, True), (61 * MINUTE, False), (-MINUTE, False)):
        database, _ = scene.afternoon(NOW)
        with database.write() as tx:
            tx.append_audit(AuditEntry(at=NOW - ago, actor="ml", action=Action.MODEL, subject="b", details={}))
        page = reader(open_site, database).get("/").text
        assert ("Another network serves since" in page) is told


def test_priors_are_counted_and_lead_to_the_study(open_site: Open) -> None:
    database, _ = scene.afternoon(NOW)
    page = reader(open_site, database).get("/").text
    assert re.search(r'href="/study/1\.2\.4#prior"[^>]*>5 priors</a>', page)
    assert re.search(r'href="/study/1\.2\.6#prior"[^>]*>1 prior</a>', page)
    some = reader(open_site, database).get("/?level=pending").text
    assert 'href="/study/1.2.4?level=pending"' in some, "the way back leads to the same list"


def test_a_list_that_a_program_takes_away_is_noted_once_in_a_quarter_of_an_hour(open_site: Open) -> None:
    database, _ = scene.afternoon(NOW)
    client = reader(open_site, database)
    for _ in range(3):
        client.get("/api/v1/worklist")
    ask(client, "/api/v1/worklist/search", {"q": "okafor"})
    client.get("/")
    with database.read() as tx:
        assert [(one.actor, one.action, one.subject) for one in tx.audit()] == [("tester", "export", "worklist")]


def test_of_very_long_lists_only_so_many_are_written_at_once(open_site: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MANY_ROWS", 5)
    monkeypatch.setattr(api, "LARGE_AT_A_TIME", 0)
    database, _ = scene.afternoon(NOW)
    client = reader(open_site, database)
    assert client.get("/api/v1/worklist").status_code == 503
    assert len(client.get("/api/v1/worklist?limit=5").json()) == 5
    assert len(client.get("/api/v1/worklist?level=flagged").json()) == 1


def test_a_place_is_that_among_the_unread_whatever_is_listed(open_site: Open) -> None:
    database, _ = scene.afternoon(NOW)
    scene.finish_reading(database, "1.2.3", NOW)
    client = reader(open_site, database)
    rows = {row["study_instance_uid"]: row["rank"] for row in client.get("/api/v1/worklist?all=true").json()}
    assert rows == {"1.2.3": None, "1.2.5": 1, "1.2.1": 2, "1.2.4": 3, "1.2.6": 4, "1.2.2": 5}
    assert client.get("/api/v1/studies/1.2.3").json()["rank"] is None


def test_what_is_read_is_not_called_the_reading_order(open_site: Open) -> None:
    database, _ = scene.afternoon(NOW)
    scene.finish_reading(database, "1.2.3", NOW)
    client = reader(open_site, database)
    page = client.get("/?status=read").text
    assert "sorted by time of arrival, the last first" in page
    assert "to be read next" not in page
    assert "to be read next" in client.get("/").text


def test_a_search_begins_with_its_first_hit_whatever_page_was_open(open_site: Open) -> None:
    database = MemoryDatabase()
    for place in range(130):
        scene.arrive(database, f"1.2.{place + 1}", NOW - timedelta(minutes=300 - place))
    page = ask(reader(open_site, database), "/fragments/worklist?page=2", {"q": "Okafor, Adaeze"}).text
    assert uids(page)[0] == "1.2.1"
    assert "The first 100 of 130" in page
