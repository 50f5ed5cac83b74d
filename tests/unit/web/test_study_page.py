"""The page of one study: everything known of it, hostile text as text, and no page without an answer."""

import re
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from tests.films import film
from tests.hostile import PAYLOADS
from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Open
from tests.unit.web.pictures import Room
from tests.unit.web.signed_in import SignedIn
from tests.unit.web.silent import SilentDatabase
from tests.unit.web.test_pages import shape
from triage.config import load
from triage.database.memory import MemoryDatabase
from triage.domain.account import GRANTS, Permission, Role
from triage.domain.audit import Action
from triage.domain.errors import ConfigError
from triage.domain.instance import Facts
from triage.domain.reading import Step
from triage.domain.verdict import Verdict
from triage.services.reading import take
from triage.web.study_page import MOST_PRIORS
from triage.web.text import clock_time, full_time
from triage.web.viewer_link import check_template, viewer_link

MINUTE = timedelta(minutes=1)


def test_the_facts_of_a_flagged_study(open_site: Open) -> None:
    room = Room()
    frontal, lateral = room.store(film(), NOW - 14 * MINUTE), room.store(film(sop_uid="1.2.3.1.2"), NOW - 13 * MINUTE)
    room.decide(frontal, lateral, probability=0.91)
    page = open_site(room.database, films=room.films).get("/study/1.2.3").text
    for words in (
        "Doe, Jane", "45 y", "P-1", "ACC-1", "1 of 2 covered", "probability 0.91", "gap6@1.0.0", "DX, PA", "Unread",
        "flagged (probability 0.91), arrived 14 min ago, head start 24 h", "listed as if it had arrived",
        "1: scored 0.91", "2: not scored: a lateral or oblique view", "operating point 0.50", "MODALITY",
        "not for diagnostic use",
    ):  # fmt: skip
        assert words.lower() in page.lower(), words


RADIOLOGIST = SignedIn(role=Role.RADIOLOGIST)
PARTS = ("reading", "marks", "where", "readings")


def test_an_open_page_is_kept_up_to_date_by_the_same_parts(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now, authenticator=RADIOLOGIST)
    page, parts = client.get("/study/1.2.1").text, client.get("/fragments/study?uid=1.2.1").text
    assert [len(re.findall(rf'id="{part}"', text)) for text in (page, parts) for part in PARTS] == [1] * 8
    bar = re.findall(r'<section class="hold".*?</section>', page + parts, re.S)
    assert bar[0].split() == bar[1].split()
    assert 'data-network="flagged"' in bar[0]
    assert 'data-renew="300.0"' in bar[0]
    assert client.get("/fragments/study?uid=1.2.99").status_code == 404


def test_the_bar_offers_what_can_be_done(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now, authenticator=RADIOLOGIST)

    def offered() -> tuple[str, list[str]]:
        bar = client.get("/fragments/study?uid=1.2.1").text.split("</section>")[0]
        return " ".join(re.sub(r"<[^>]*>", " ", bar.split("</p>")[0]).split()), re.findall(r'data-step="(\w+)"', bar)

    def step(action: Action, actor: str, **more: Any) -> None:
        take(database, "1.2.1", Step(action=action, actor=actor, **more), scene.POLICY, lambda: NOW)

    at = clock_time(NOW, NOW)
    assert offered() == ("Unread", ["claim", "read", "stat", "next"])
    step(Action.CLAIM, "okafor")
    assert offered() == (f"Reading – okafor ({at})", ["takeOver", "stat", "next"])
    step(Action.TAKEOVER, "tester")
    assert offered() == (f"Yours since {at}", ["release", "read", "stat", "next"])
    step(Action.READ, "tester", verdict=Verdict.DISAGREE)
    assert offered() == (f"Read by tester at {at}", ["unread", "next"])
    assert "Disagree: nothing abnormal seen" in client.get("/study/1.2.1").text


@pytest.mark.parametrize("role", Role)
def test_only_readers_get_the_steps_and_their_questions(open_site: Open, role: Role) -> None:
    database, now = scene.afternoon(NOW)
    page = open_site(database, now, authenticator=SignedIn(role=role)).get("/study/1.2.1").text
    reads = Permission.READ in GRANTS[role]
    for piece in ("data-step", 'id="verdict"', 'id="sure"', "claim the study"):
        assert (piece in page) is reads, (role, piece)
    assert ("Unread" in page) is (Permission.VIEW in GRANTS[role])


def test_every_reading_is_kept_with_its_note_and_what_the_network_said_then(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    for action, more in (
        (Action.READ, {"verdict": Verdict.AGREE, "note": "first <b>line</b>\n\nsecond\u202e line"}),
        (Action.UNREAD, {"reason": "x"}),
        (Action.READ, {}),
    ):
        take(database, "1.2.2", Step(action=action, actor="okafor", **more), scene.POLICY, lambda: NOW)  # type: ignore[arg-type]
    table = open_site(database, now).get("/study/1.2.2").text.split('id="readings"')[1].split("</section>")[0]
    assert re.findall(r"<td>(Without a verdict|Agree: nothing abnormal seen)<", table) == [
        "Without a verdict",
        "Agree: nothing abnormal seen",
    ]
    assert "first &lt;b&gt;line&lt;/b&gt;\nsecond\N{REPLACEMENT CHARACTER} line" in table
    assert table.count("Not flagged") == 2
    taken_back = re.findall(r'<span class="reason" title="[^"]+">taken back at ([^<]+) by <bdi>okafor</bdi>', table)
    assert taken_back == [full_time(NOW)[:19]]


def test_every_level_has_a_page_and_none_says_normal(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now)
    for number in range(1, 7):
        answer = client.get(f"/study/1.2.{number}")
        assert answer.status_code == 200
        assert not re.search(r"\bnormal\b", answer.text, re.I)
    assert "pixel data cannot be decoded" in client.get("/study/1.2.5").text
    assert "STAT" in client.get("/study/1.2.3").text


def test_the_history_keeps_every_outcome_the_last_first(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    with database.write() as tx:
        tx.add_outcome(replace(scene.scored("1.2.1", 0.33, now), model=replace(scene.MODEL, version="2", bundle_id="ab" * 32)))
    page = open_site(database, now).get("/study/1.2.1").text
    assert re.findall(r"probability (0\.\d+), operating", page) == ["0.33", "0.91"]


def test_other_studies_of_the_patient_the_last_first_with_a_warning(open_site: Open) -> None:
    database = MemoryDatabase()
    scene.arrive(database, "1.1", NOW - 90 * MINUTE)
    scene.arrive(database, "1.2", NOW - 60 * MINUTE, replace(scene.FACTS, patient_name="Somebody^Else"))
    scene.arrive(database, "1.3", NOW - 30 * MINUTE)
    scene.arrive(database, "1.4", NOW)
    scene.arrive(database, "1.5", NOW, replace(scene.FACTS, issuer_of_patient_id="elsewhere"))
    page = open_site(database).get("/study/1.3?page=7").text
    assert re.findall(r'data-prior="([\d.]+)"', page) == ["1.4", "1.2", "1.1"]
    assert page.count("make sure that it is this patient</span>") == 1
    assert re.findall(r'data-prior="([\d.]+)"[^>]*data-earlier', page) == ["1.2", "1.1"]
    assert 'href="/?page=7#study-1.3"' in page
    assert 'href="/study/1.4?page=7">Open' in page
    assert "none stored here" in open_site(database).get("/study/1.5").text


def test_back_to_the_list_as_it_was(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now)
    query = "level=flagged&level=not_assessed&status=all&within=24h&sort=-patient&page=2"
    page = client.get(f"/study/1.2.1?q=Doe&{query}&next=//evil.example").text
    written = query.replace("&", "&amp;")
    assert f'href="/?{written}#study-1.2.1"' in page
    assert f'data-back="{written}"' in page
    assert "evil" not in page
    plain = client.get("/study/1.2.1").text
    assert 'href="/#study-1.2.1"' in plain
    assert 'data-back=""' in plain
    assert client.get("/study/1.2.1?status=%22%3E").status_code == 422
    assert f'href="/?{written}"' in client.get(f"/study/1.2.99?{query}").text


def test_a_study_without_a_number_has_no_priors(open_site: Open) -> None:
    database = MemoryDatabase()
    for uid in ("1.1", "1.2"):
        scene.arrive(database, uid, NOW, replace(scene.FACTS, patient_id=None))
    assert "data-prior" not in open_site(database).get("/study/1.1").text


def test_a_number_that_many_share_makes_no_endless_page(open_site: Open) -> None:
    database = MemoryDatabase()
    for number in range(MOST_PRIORS + 5):
        scene.arrive(database, f"1.2.{number}", NOW + number * MINUTE)
    page = open_site(database).get("/study/1.2.0").text
    assert page.count("data-prior=") == MOST_PRIORS
    assert "many studies share this number" in page


@pytest.mark.parametrize("uid", ["1.2.99", "%3Cscript%3E", "1.02", "1" * 65])
def test_an_unknown_study_is_a_page(open_site: Open, uid: str) -> None:
    answer = open_site(MemoryDatabase()).get(f"/study/{uid}?page=3")
    assert answer.status_code == 404
    assert "No study with this address" in answer.text
    assert 'href="/?page=3"' in answer.text
    assert "<script>" not in answer.text


def test_a_silent_database_is_a_page(open_site: Open) -> None:
    answer = open_site(SilentDatabase()).get("/study/1.2.3")
    assert answer.status_code == 503
    assert "read from the standard queue" in answer.text


def test_hostile_tags_stay_text(open_site: Open) -> None:
    database = MemoryDatabase()
    for place, payload in enumerate(PAYLOADS, start=1):
        facts = Facts(**{field.name: payload for field in fields(Facts)})
        scene.arrive(database, f"1.2.{place}", NOW, facts)
        scene.arrive(database, f"1.3.{place}", NOW, facts)
    client = open_site(database, viewer_url="https://pacs.example/{patient_id}?a={accession_number}")
    scene.arrive(database, "1.4", NOW, Facts(**{field.name: "tame" for field in fields(Facts)}))
    scene.arrive(database, "1.5", NOW, Facts(**{field.name: "tame" for field in fields(Facts)}))
    tame = shape(client.get("/study/1.4").text)
    for place in range(1, len(PAYLOADS) + 1):
        page = client.get(f"/study/1.2.{place}").text
        assert shape(page) == tame
        for href in re.findall(r'href="(https:[^"]*)"', page):
            assert re.fullmatch(r"https://pacs\.example/[\w.~%-]+\?a=[\w.~%-]+", href)


TEMPLATES = {
    "https://v.example/viewer?StudyInstanceUIDs={study_instance_uid}": "https://v.example/viewer?StudyInstanceUIDs=1.2.3",
    "https://v.example/{accession_number}/{patient_id}": "https://v.example/A%2F1%26b/P%20%C3%A9%22%3C",
    "weasis://open?id={patient_id}": "weasis://open?id=P%20%C3%A9%22%3C",
    "http://127.0.0.1:3000/": "http://127.0.0.1:3000/",
    "": None,
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_link_is_encoded(template: str) -> None:
    study = scene.begin("1.2.3", Facts(patient_id='P é"<', accession_number="A/1&b"), NOW, scene.POLICY)
    assert viewer_link(check_template(template), study) == TEMPLATES[template]


def test_there_is_no_link_where_a_value_is_missing() -> None:
    study = scene.begin("1.2.3", Facts(), NOW, scene.POLICY)
    assert viewer_link("https://v.example/{accession_number}", study) is None


@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert({patient_id})", "data:text/html,{patient_id}", "//v.example/{patient_id}", "{patient_id}://x/",
        "https://{patient_id}.example/", "https://v.example/{patient_name}", "https://v.example/{0}", "https://v.example/{",
        "https://v.example/ x", "https:///x", "file:///etc/passwd", "https://v.example/\n", "HTTPS", "vbscript:x",
    ],
)  # fmt: skip
def test_a_template_that_could_mislead_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"with|name|placeholder"):
        check_template(template)
    with pytest.raises(ConfigError, match=r"web\.viewer_url: "):
        load(overrides={"web": {"viewer_url": template}}, environment={})


def test_the_link_is_off_by_default() -> None:
    assert load(environment={}).web.viewer_url == ""
