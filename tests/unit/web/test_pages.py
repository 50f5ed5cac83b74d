"""The page: every level, every state, and hostile text that stays text."""

import re
from dataclasses import fields, replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from tests.hostile import PAYLOADS
from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Client, Open, opened_sites
from tests.unit.web.silent import SilentDatabase
from triage.database.memory import MemoryDatabase
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.study import ReadingState


def row_of(page: str, uid: str) -> str:
    found = re.search(rf'<tr id="study-{re.escape(uid)}".*?</tr>', page, re.S)
    assert found, uid
    return found[0]


def test_every_level_in_shape_and_word(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    page = open_site(database, now).get("/").text
    expected = {
        "1.2.1": (["flagged"], ["Flagged"]),
        "1.2.2": (["not_flagged"], ["Not flagged"]),
        "1.2.3": (["stat", "not_flagged"], ["STAT", "Not flagged"]),
        "1.2.4": (["pending"], ["Analysing"]),
        "1.2.5": (["not_assessed"], ["Not assessed:", "pixel data cannot be decoded"]),
        "1.2.6": (["out_of_scope"], ["Out of scope:", "not a chest radiograph by its tags"]),
    }
    for uid, (shapes, words) in expected.items():
        row = row_of(page, uid)
        assert re.findall(r"#shape-(\w+)", row) == shapes
        assert all(word in row for word in words)
    for level in Level:
        assert f'<symbol id="shape-{level.value}"' in page


def test_rows_stand_in_reading_order_and_say_why(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    page = open_site(database, now).get("/").text
    assert re.findall(r'<tr id="study-([\d.]+)"', page) == ["1.2.3", "1.2.5", "1.2.1", "1.2.4", "1.2.6", "1.2.2"]
    row = row_of(page, "1.2.1")
    assert "flagged (probability 0.91), arrived 14 min ago, head start 24 h" in row
    assert '<time class="wait" datetime="2026-11-23T11:46:00+00:00">14 min</time>' in row
    for text in ("Okafor, Adaeze N", "57 y, F", "MRN-004711", "ACC2026-0815", "Chest PA", "DX, PA", "1 of 1", "Unread"):
        assert text in row


def test_the_safety_statement_and_the_model_stand_on_every_page(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now)
    for path in ("/", "/api/docs"):
        page = client.get(path).text
        assert "Notification only. Not for diagnostic use. Every study stays in the standard reading queue." in page
    assert "Model: gap6@1.0.0+5f2c81d9" in client.get("/").text
    assert "Model: gap6@1.0.0+5f2c81d9" in client.get("/fragments/worklist").text


@pytest.mark.parametrize(
    "path", ["/", "/fragments/worklist", "/api/docs", "/api/openapi.json", "/static/page.css", "/static/live.js"]
)
def test_the_word_normal_is_on_no_page(open_site: Open, path: str) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now, demo=True)
    assert "normal" not in client.get(path).text.lower()


def page_with(open_site: Open, payload: str) -> Client:
    """A list whose every displayed text is the payload."""
    database = MemoryDatabase()
    facts = Facts(**{field.name: payload for field in fields(Facts)})
    scene.arrive(database, "1.2.3", NOW, facts)
    with database.write() as tx:
        study = tx.study("1.2.3")
        assert study
        reading = replace(study.reading, state=ReadingState.CLAIMED, reader=payload, since=NOW)
        tx.put_study(replace(study, reading=reading))
    scene.put_roles(database, scene.roles(NOW, worker={"trouble": payload, "model": None}))
    return open_site(database, NOW)


class Shape(HTMLParser):
    """Which elements with which attributes a page has, whatever its texts say."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[str]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, [name for name, _ in attributes]))


def shape(page: str) -> list[tuple[str, list[str]]]:
    parser = Shape()
    parser.feed(page)
    return parser.elements


@pytest.fixture(scope="module")
def tame() -> str:
    with opened_sites() as open_site:
        return page_with(open_site, "tame").get("/").text


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_in_any_tag_stays_text(open_site: Open, payload: str, tame: str) -> None:
    client = page_with(open_site, payload)
    page = client.get("/").text
    row = row_of(page, "1.2.3")
    assert shape(page) == shape(tame)
    assert len(row) < 4_000
    assert not re.search("[\u202a-\u202e\x00-\x08\x0e-\x1f]", page)
    assert client.get("/api/v1/worklist").json()[0]["patient_name"] == payload


@pytest.mark.parametrize(
    ("changes", "free_bytes", "words"),
    [
        (
            {"worker": {"model": None, "trouble": "bundle gap6: digest of weights.npz differs"}},
            1,
            ["No usable model", "weights.npz", "in order of arrival"],
        ),
        ({"worker": {"beat_at": NOW - timedelta(minutes=8)}}, 1, ["Network not running since", "in order of arrival"]),
        ({"worker": {"trouble": "slow disk"}}, 1, ["Network in trouble", "slow disk"]),
        ({"intake": {"beat_at": NOW - timedelta(minutes=8)}}, 1, ["Films are not received since", "missing from this list"]),
        ({"intake": {"trouble": "a sync failed"}}, 1, ["Films may be missing from this list", "a sync failed"]),
        ({}, 0, ["Storage is full", "refused"]),
    ],
)
def test_banners(open_site: Open, changes: dict[str, dict[str, object]], free_bytes: int, words: list[str]) -> None:
    database, now = scene.afternoon(NOW)
    scene.put_roles(database, scene.roles(now, **changes))
    page = open_site(database, now, free_bytes).get("/fragments/worklist").text
    assert page.count('class="notice') == 1
    assert all(word in page for word in words)


def test_all_well_no_banner_and_no_demo_mark(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    page = open_site(database, now).get("/").text
    assert page.count('class="notice') == 1  # the one for a lost connection
    assert re.search(r'<p id="stale"[^>]*hidden', page)
    assert 'class="demo"' not in page
    demo = open_site(database, now, demo=True).get("/").text
    assert '<body class="demo">' in demo
    assert "invented patients" in demo


def test_an_empty_list_says_so(open_site: Open) -> None:
    page = open_site(MemoryDatabase()).get("/").text
    assert "No study is waiting." in page
    assert "<table" not in page
    assert "Network not running yet" in page


def test_pages_of_a_hundred(open_site: Open) -> None:
    database = MemoryDatabase()
    for place in range(205):
        scene.arrive(database, f"1.2.{place + 1}", NOW - timedelta(minutes=300 - place))
    client = open_site(database)
    first, last, beyond = (client.get(f"/?page={page}").text for page in (1, 3, 99))
    ranks = [re.findall(r'aria-label="Place (\d+): why here', page) for page in (first, last, beyond)]
    assert ranks[0] == [str(rank) for rank in range(1, 101)]
    assert ranks[1] == ranks[2] == ["201", "202", "203", "204", "205"]
    assert "1–100 of 205" in first
    assert 'rel="next"' in first
    assert 'rel="prev"' not in first
    assert 'rel="next"' not in last
    assert 'data-query="page=3"' in last
    assert client.get("/?page=0").status_code == 422


def test_a_silent_database_leaves_a_page_that_keeps_trying(open_site: Open) -> None:
    client = open_site(SilentDatabase())
    answer = client.get("/")
    assert answer.status_code == 503
    assert "The list cannot be read." in answer.text
    assert 'src="/static/worklist.js"' in answer.text
    assert client.get("/fragments/worklist").status_code == 503
    assert client.get("/api/v1/worklist").json() == {"detail": "the database does not answer; try again"}
