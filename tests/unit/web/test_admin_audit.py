"""The auditor's page: filters, pages without gaps, verification and export, each audited where it should be."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.unit.web.conftest import NOW
from tests.unit.web.house import House
from triage.database.anchor import MemoryAnchor
from triage.domain.account import Role
from triage.domain.audit import Action, AuditEntry, AuditHead
from triage.domain.errors import AuditBroken
from triage.services.audit import exported_lines, verify_audit
from triage.web.admin.installation import Installation

AUDITOR = Role.AUDITOR


@pytest.fixture
def house() -> Iterator[House]:
    house = House(NOW, Installation(anchor=MemoryAnchor()))
    with house.database.write() as tx:
        for number in range(250):
            action = Action.READ if number % 50 == 0 else Action.VIEW
            actor = "anna" if number % 2 else "ben"
            at = NOW - timedelta(days=250 - number)
            tx.append_audit(
                AuditEntry(at=at, actor=actor, action=action, subject=f"1.2.{number % 10}", details={"n": str(number)})
            )
    yield house
    house.close()


def numbers(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'<tr><td class="number">(\d+)</td>', page)]


def test_turning_the_pages_shows_every_record_once(house: House) -> None:
    house.secret(AUDITOR)  # signing in is audited: before the pages are turned
    with house.database.read() as tx:
        last = len(list(tx.audit()))
    found, path = [], "/admin/audit"
    while path and len(found) <= last:
        page = house.get(path, AUDITOR).text
        found += numbers(page)
        older = re.search(r'href="(/admin/audit\?[^"]*)">Older', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert found == list(range(last, 0, -1))
    with house.database.read() as tx:
        assert len(list(tx.audit())) == last, "looking is not audited"


def test_filters_are_exact_and_kept_from_page_to_page(house: House) -> None:
    told = house.get("/api/v1/audit", AUDITOR, params={"action": "read", "actor": "ben"}).json()
    assert [one["details"]["n"] for one in told["records"]] == ["200", "150", "100", "50", "0"]
    assert told["next"] is None
    page = house.get("/admin/audit", AUDITOR, params={"actor": "ben", "action": "view"}).text
    assert "actor=ben" in page.partition(">Older")[0].rpartition("href=")[2]
    days = {"since": (NOW - timedelta(days=3)).date().isoformat(), "until": (NOW - timedelta(days=2)).date().isoformat()}
    told = house.get("/api/v1/audit", AUDITOR, params=days).json()
    assert [one["details"]["n"] for one in told["records"]] == ["248", "247"]
    assert house.get("/api/v1/audit", AUDITOR, params={"subject": "1.2"}).json()["records"] == []
    wrong = house.get("/admin/audit", AUDITOR, params={"since": "yesterday"})
    assert (wrong.status_code, "YYYY-MM-DD" in wrong.text) == (400, True)
    assert house.get("/api/v1/audit", AUDITOR, params={"until": "9999-12-31"}).status_code == 422
    assert house.get("/api/v1/audit", AUDITOR, params={"before": 0}).status_code == 422


def test_a_record_is_shown_whole_with_its_digest(house: House) -> None:
    one = house.get("/api/v1/audit", AUDITOR, params={"limit": 1, "before": 2}).json()["records"][0]
    page = house.get("/admin/audit?before=2", AUDITOR).text
    assert one["sequence"] == 1
    for value in (one["digest"], "ben", "read", "1.2.0"):
        assert value in page


def test_verifying_tells_whether_it_holds_and_is_audited(house: House) -> None:
    page = house.post("/admin/audit/verify", role=AUDITOR)
    assert page.status_code == 200
    assert "the audit holds" in page.text
    actor, subject, details = house.audited("verify")[-1]
    assert (actor, subject, details["outcome"]) == ("auditor", "audit", "holds")
    told = house.get("/api/v1/audit/verify", AUDITOR).json()
    assert (told["ok"], told["broken"]) == (True, None)
    assert told["records"] == int(details["records"]) + 1
    assert len(house.installation.anchor.heads()) == 2, "each time the head is noted apart from the database"


def test_a_chain_that_was_cut_off_is_found(house: House) -> None:
    house.installation.anchor.add(AuditHead(sequence=9999, digest="0" * 64), NOW)
    page = house.post("/admin/audit/verify", role=AUDITOR).text
    assert "broken at record" in page
    assert "before record 9999" in page
    assert house.get("/api/v1/audit/verify", AUDITOR).json()["ok"] is False
    assert "broken at record" in house.audited("verify")[-1][2]["outcome"]


def test_notes_that_cannot_be_read_are_said(house: House) -> None:
    class Torn(MemoryAnchor):
        def heads(self) -> list[AuditHead]:
            raise AuditBroken("line 3 is no head of the audit")

    torn = House(NOW, Installation(anchor=Torn()))
    assert "line 3 is no head" in torn.post("/admin/audit/verify", role=AUDITOR).text
    assert torn.get("/api/v1/audit/verify", AUDITOR).status_code == 503
    torn.close()


def test_the_export_is_whole_verifiable_and_audited_first(house: House) -> None:
    answer = house.get("/api/v1/audit/export", AUDITOR)
    assert answer.status_code == 200
    assert re.fullmatch(r'attachment; filename="audit-\d{8}T\d{6}Z\.jsonl"', answer.headers["content-disposition"])
    records = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["sequence"] for one in records] == list(range(1, len(records) + 1))
    assert all(one["previous"] == before["digest"] for before, one in pairwise(records))
    assert (records[-1]["action"], records[-1]["actor"]) == ("export", "auditor")
    assert json.loads(records[-1]["details"]) == {"records": str(len(records) - 1)}
    assert verify_audit(house.database, MemoryAnchor(), lambda: NOW).broken is None


def test_an_export_ends_with_the_permission_and_says_so(house: House) -> None:
    asked: list[bool] = []

    def allowed() -> bool:
        asked.append(True)
        return len(asked) < 3

    whole = list(exported_lines(house.database))
    cut = list(exported_lines(house.database, 2, allowed))
    assert cut[:-1] == whole[:4]
    assert "incomplete" in cut[-1]


def test_an_export_in_pages_is_the_same(house: House) -> None:
    whole = list(exported_lines(house.database))
    for page in (1, 7, 250, 251):
        assert list(exported_lines(house.database, page)) == whole
