"""The administrator's pages: who may open which, what they say, and that hostile text stays text."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Client
from tests.unit.web.house import House
from tests.unit.web.signed_in import SignedIn
from tests.unit.web.silent import SilentDatabase
from triage.domain.account import GRANTS, Permission, Role
from triage.domain.audit import Action, AuditEntry
from triage.domain.bundle import Card, Entry, Promotion
from triage.domain.instance import QuarantinedObject
from triage.inference.memory import MemoryBundles
from triage.web import health
from triage.web.admin.about import components
from triage.web.admin.installation import Installation
from triage.web.admin.remedies import REMEDIES
from triage.web.app import create_app
from triage.web.navigation import ADMINISTRATION

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202egnp\x00"
FIRST, SECOND = "a" * 64, "b" * 64


def card(bundle_id: str, *, active: bool = False, name: str = "gap6", promotion: Promotion | None = None) -> Card:
    entry = Entry(bundle_id=bundle_id, name=name, version="1", packaged=active, active=active, promotion=promotion)
    return Card(entry=entry, text=f"# {name}", documents={"metrics": {}}, golden=4)


@pytest.fixture
def house() -> Iterator[House]:
    bundles = MemoryBundles([card(FIRST, active=True), card(SECOND)])
    house = House(NOW, Installation(bundles=bundles, allowed_peers=("MODALITY@10.0.0.7", "DX_ROOM2")))
    yield house
    house.close()


@pytest.mark.parametrize("role", list(Role))
def test_each_role_finds_its_pages_and_no_other(house: House, role: Role) -> None:
    home = house.get("/about", role)
    assert home.status_code == 200
    for link in ADMINISTRATION:
        may = link.permission in GRANTS[role]
        assert (house.get(link.path, role).status_code == 200) is may, link.path
    granted = [link for link in ADMINISTRATION if link.permission in GRANTS[role]]
    assert (">Administration</a>" in home.text) is bool(granted)
    for link in granted:
        page = house.get(link.path, role).text
        assert f'<a href="{granted[0].path}" aria-current="page">Administration</a>' in page
        assert len(re.findall(r'<nav class="sub"', page)) == (len(granted) > 1)


@pytest.mark.parametrize("path", [link.path for link in ADMINISTRATION] + ["/about"])
def test_pages_have_one_heading_captions_and_no_script_or_style_in_them(house: House, path: str) -> None:
    role = next(role for role in Role if needs(path) in GRANTS[role])
    page = house.get(path, role).text
    assert len(re.findall(r"<h1", page)) == 1
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert "<caption" in table or "aria-labelledby" in table
        assert 'scope="' in table
    assert not re.search(r"<script(?! src)|\sstyle=|\son\w+=", page)
    assert not re.search(r"\bnormal\b", page, re.IGNORECASE)


def needs(path: str) -> Permission:
    return next((link.permission for link in ADMINISTRATION if link.path == path), Permission.ACCOUNT)


def test_every_reason_has_a_remedy(house: House) -> None:
    assert set(REMEDIES) == {*health.CHECKS, *health.WARNINGS}
    statuses = scene.roles(NOW, worker={"trouble": "no model", "model": None}, scheduler={"beat_at": NOW - timedelta(hours=1)})
    scene.put_roles(house.database, statuses)
    told = house.get("/api/v1/system").json()
    ready = house.ask("GET", "/readyz").json()
    assert [one["reason"] for one in told["reasons"]] == ready["reasons"]
    assert all(one["remedy"] for one in told["reasons"])
    page = house.get("/admin/system").text
    for word in ("in trouble", "silent", "no model", "Not ready"):
        assert word in page


def test_what_was_set_aside_is_listed_without_a_patient(house: House) -> None:
    aside = QuarantinedObject(
        digest="d" * 64,
        sop_instance_uid="1.2.3.4.5",
        study_instance_uid="1.2.99",
        cause="same UID, other bytes",
        calling_ae_title="CT_OLD",
        received_at=NOW,
    )
    with house.database.write() as tx:
        tx.add_quarantined(aside)
    page, told = house.get("/admin/system").text, house.get("/api/v1/system").json()
    assert "same UID, other bytes" in page
    assert told["set_aside"] == 1
    assert told["set_aside_newest"][0]["calling_ae_title"] == "CT_OLD"
    for text in (page, json.dumps(told)):
        assert "1.2.99" not in text
        assert "Okafor" not in text


def test_senders_that_fell_silent_or_never_sent_stand_out(house: House) -> None:
    lines = {one["ae_title"]: one for one in house.get("/api/v1/senders").json()["senders"]}
    assert (lines["MODALITY"]["objects"], lines["MODALITY"]["addresses"]) == (6, ["10.0.0.7"])
    assert lines["DX_ROOM2"]["silent_seconds"] is None
    page = house.get("/admin/senders").text
    assert "nothing received yet" in page
    assert "sent 2 min ago" in page
    later = House(NOW + timedelta(days=2), house.installation, scene.afternoon(NOW)[0])
    assert "silent for 2 d" in later.get("/admin/senders").text
    later.close()


def test_hostile_text_stays_text() -> None:
    promotion = Promotion.of(
        {
            "bundle_id": SECOND,
            "verdict": "not enough evidence",
            "checks": [{"name": HOSTILE, "rule": HOSTILE, "measured": HOSTILE, "verdict": HOSTILE}],
            "against": {HOSTILE: HOSTILE},
            "decided_at": HOSTILE,
            "approved_by": HOSTILE,
            "reason": HOSTILE,
        },
        SECOND,
    )
    hostile = replace(card(SECOND, name=HOSTILE, promotion=promotion), text=HOSTILE, documents=documents())
    bundles = MemoryBundles([card(FIRST), replace(hostile, entry=replace(hostile.entry, active=True))])
    house = House(NOW, Installation(bundles=bundles, allowed_peers=(f"{HOSTILE}@{HOSTILE}",), ae_title=HOSTILE))
    statuses = scene.roles(NOW, worker={"trouble": HOSTILE, "model": HOSTILE})
    scene.put_roles(house.database, [*statuses, replace(statuses[0], role=HOSTILE)])
    aside = QuarantinedObject(
        digest=HOSTILE, sop_instance_uid=None, study_instance_uid=None, cause=HOSTILE, calling_ae_title=HOSTILE, received_at=NOW
    )
    with house.database.write() as tx:
        tx.add_quarantined(aside)
        for action in (Action.POLICY, Action.MODEL, Action.USER):
            entry = AuditEntry(at=NOW, actor=HOSTILE, action=action, subject=SECOND, details={HOSTILE: HOSTILE})
            tx.append_audit(entry)
            tx.append_audit(replace(entry, subject=HOSTILE))
    asked = {"actor": HOSTILE, "subject": HOSTILE, "action": HOSTILE, "since": HOSTILE}
    pages = [
        house.get("/admin/system"),
        house.get("/admin/senders"),
        house.get("/admin/users"),
        house.get("/admin/policy"),
        house.get("/admin/policy", params={"flagged": HOSTILE}),
        house.post("/admin/users", {"name": HOSTILE, "role": HOSTILE}),
        *(house.get(f"/admin/models{path}", Role.ML_ADMIN) for path in ("", f"/{SECOND}", f"/{FIRST}/activate", "/rollback")),
        house.get("/admin/audit", Role.AUDITOR),
        house.get("/admin/audit", Role.AUDITOR, params=asked),
        house.get("/about", Role.VIEWER),
    ]
    for page in pages:
        assert page.status_code in (200, 400), page.url
        assert "<script>alert" not in page.text, page.url
        assert "<img" not in page.text, page.url
        assert "\u202e" not in re.sub(r'value="[^"]*"', "", page.text), page.url  # a field gives back what was typed
    assert sum("alert(1)" in page.text for page in pages) >= 9
    house.close()


def documents() -> dict[str, object]:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    return {
        "metrics": {"test": {"auc": {"radiologist": {HOSTILE: figure}}}},
        "operating_point": {"threshold": 0.5, "aim": HOSTILE, "labels": HOSTILE},
        "calibration": {"method": HOSTILE},
        "training_data": {"source": {"name": HOSTILE}, "splits": {HOSTILE: {"films": 3}}},
    }


def test_about_says_what_it_is_not_and_whose_work_runs_here(house: House) -> None:
    page = house.get("/about", Role.AUDITOR).text
    assert "not a cleared medical device" in re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))
    assert "# gap6" in page
    names = {one["name"].lower() for one in components()}
    assert {"fastapi", "pydicom", "sqlalchemy"} <= names
    assert not {"pytest", "tensorflow", "chest-triage"} & names
    assert all(one["version"] and one["licence"] for one in components())
    assert house.get("/api/v1/about", Role.AUDITOR).json()["model"]["name"] == "gap6"


def test_without_a_database_the_system_page_still_says_so() -> None:
    app = create_app(SilentDatabase(), clock=lambda: NOW, free_bytes=lambda: 1, authenticator=SignedIn())
    page = Client(app).get("/admin/system")
    assert page.status_code == 200
    assert "does not answer" in page.text
    app.state.previews.close()
