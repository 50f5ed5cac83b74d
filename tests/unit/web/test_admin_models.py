"""Activating a bundle on a page: asked first, with a pass or a reason, proved, audited, and refused in words."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.unit.web.conftest import NOW
from tests.unit.web.house import House
from tests.unit.web.test_admin_pages import FIRST, SECOND, card
from triage.domain.account import Role
from triage.domain.bundle import FAIL, NOT_ENOUGH, PASS, Promotion
from triage.domain.errors import AuditBroken
from triage.inference.apart import BundlesApart
from triage.inference.memory import MemoryBundles
from triage.inference.registry import PACKAGED
from triage.web.admin.installation import Installation
from triage.web.permissions import ROUTES
from triage.web.sign_in import COOKIE

ME = "ml-admin"
BROKEN, FAILED, PASSED = "c" * 64, "d" * 64, "e" * 64


def gate(bundle_id: str, verdict: str) -> Promotion:
    check = {"name": "calibration", "rule": "ECE ≤ 0.05", "measured": "0.041 (0.010–0.080, n=200)", "verdict": verdict}
    record = {
        "bundle_id": bundle_id,
        "verdict": verdict,
        "checks": [check],
        "against": {"the first bundle": "gap6@1"},
        "decided_at": NOW.isoformat(),
        "approved_by": None,
        "reason": None,
    }
    return Promotion.of(record, bundle_id)


@pytest.fixture
def house() -> Iterator[House]:
    cards = [
        card(FIRST, active=True),
        card(SECOND),
        card(BROKEN, promotion=gate(BROKEN, NOT_ENOUGH)),
        card(FAILED, promotion=gate(FAILED, FAIL)),
        card(PASSED, promotion=gate(PASSED, PASS)),
    ]
    house = House(NOW, Installation(bundles=MemoryBundles(cards, refused=[BROKEN])))
    yield house
    house.close()


def active(house: House) -> str:
    return next(one.bundle_id for one in house.installation.bundles.entries() if one.active)


def post(house: House, path: str, **form: str) -> tuple[int, str]:
    answer = house.post(f"/admin/models/{path}", form, Role.ML_ADMIN)
    return answer.status_code, answer.headers.get("location", answer.text)


def test_with_a_pass_of_the_gate_no_reason_is_needed(house: House) -> None:
    page = house.get(f"/admin/models/{PASSED}/activate", Role.ML_ADMIN).text
    assert "required" not in page.partition("<main")[2].partition("</main>")[0]
    assert post(house, f"{PASSED}/activate") == (303, f"/admin/models/{PASSED}?done=activate")
    assert active(house) == PASSED
    actor, subject, details = house.audited("model")[-1]
    assert (actor, subject) == (ME, PASSED)
    assert (details["what"], details["gate"], "reason" in details) == ("activated", "pass", False)
    assert "4 golden films" in details["proof"]
    assert "4 golden films" in house.get(f"/admin/models/{PASSED}", Role.ML_ADMIN).text


def test_without_one_a_reason_is_asked_for_and_audited(house: House) -> None:
    assert "required" in house.get(f"/admin/models/{SECOND}/activate", Role.ML_ADMIN).text
    status, page = post(house, f"{SECOND}/activate", reason="   ")
    assert status == 400
    assert "say why" in page
    assert (active(house), house.audited("model")) == (FIRST, [])
    assert post(house, f"{SECOND}/activate", reason="the first one fails\non AP films")[0] == 303
    assert house.audited("model")[-1][2]["reason"] == "the first one fails on AP films"
    assert house.audited("model")[-1][2]["gate"] == "no record"


def test_a_failed_or_refused_bundle_does_not_serve(house: House) -> None:
    assert 'class="fields' not in house.get(f"/admin/models/{FAILED}/activate", Role.ML_ADMIN).text
    for bundle_id, words in ((FAILED, "verdict is fail"), (BROKEN, "the network is blind")):
        status, page = post(house, f"{bundle_id}/activate", reason="I want it")
        assert status == 409
        assert words in page
        answer = house.send(f"/api/v1/models/{bundle_id}/activate", {"reason": "I want it"}, Role.ML_ADMIN)
        assert answer.status_code == 409
    assert active(house) == FIRST
    assert [(subject, details["what"]) for _, subject, details in house.audited("model")] == [
        (BROKEN, "to be activated"), (BROKEN, "not activated"), (BROKEN, "to be activated"), (BROKEN, "not activated"),
    ]  # fmt: skip
    assert post(house, f"{'f' * 64}/activate", reason="x")[0] == 404


def test_rolling_back_is_asked_first_and_audited(house: House) -> None:
    assert "No other bundle" in house.get("/admin/models/rollback", Role.ML_ADMIN).text
    assert post(house, "rollback")[0] == 409
    post(house, f"{PASSED}/activate")
    assert "gap6 1" in house.get("/admin/models/rollback", Role.ML_ADMIN).text
    assert post(house, "rollback", reason="too many flags") == (303, f"/admin/models/{FIRST}?done=rollback")
    assert active(house) == FIRST
    assert house.audited("model")[-1][1:] == (
        FIRST,
        {
            "what": "rolled back",
            "gate": "no record",
            "reason": "too many flags",
            "proof": house.audited("model")[-1][2]["proof"],
        },
    )


def test_rolling_back_does_not_get_round_the_gate(house: House) -> None:
    post(house, f"{PASSED}/activate")
    page = house.get("/admin/models/rollback", Role.ML_ADMIN).text
    assert "required" in page.partition("<main")[2].partition("</main>")[0]
    status, page = post(house, "rollback", reason=" ")
    assert status == 400
    assert "say why" in page
    failed = card(FIRST, active=True, promotion=gate(FIRST, FAIL))
    bundles = MemoryBundles([failed, card(PASSED, promotion=gate(PASSED, PASS))])
    other = House(NOW, Installation(bundles=bundles))
    assert post(other, f"{PASSED}/activate")[0] == 303
    assert 'class="fields' not in other.get("/admin/models/rollback", Role.ML_ADMIN).text
    status, page = post(other, "rollback", reason="I want it")
    assert (status, active(other)) == (409, PASSED)
    assert "verdict is fail" in page
    assert other.send("/api/v1/models/rollback", {"reason": "I want it"}, Role.ML_ADMIN).status_code == 409
    other.close()


def test_no_bundle_begins_to_serve_that_the_audit_cannot_tell_of(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AuditBroken("the audit is broken")

    house.secret(Role.ML_ADMIN)
    monkeypatch.setattr("triage.services.models.model_changed", broken)
    assert house.send(f"/api/v1/models/{PASSED}/activate", None, Role.ML_ADMIN).status_code == 503
    assert active(house) == FIRST


def test_a_script_can_do_the_same(house: House) -> None:
    listed = house.get("/api/v1/models", Role.ML_ADMIN).json()["bundles"]
    verdicts = {one["id"]: one["promotion"]["verdict"] if one["promotion"] else None for one in listed}
    assert verdicts == {FIRST: None, SECOND: None, BROKEN: NOT_ENOUGH, FAILED: FAIL, PASSED: PASS}
    assert house.send(f"/api/v1/models/{SECOND}/activate", None, Role.ML_ADMIN).status_code == 422
    done = house.send(f"/api/v1/models/{SECOND[:8]}/activate", {"reason": "why not"}, Role.ML_ADMIN)
    assert (done.status_code, done.json()["active"]) == (200, SECOND)
    assert house.send("/api/v1/models/rollback", None, Role.ML_ADMIN).status_code == 422
    back = house.send("/api/v1/models/rollback", {"reason": "it served well"}, Role.ML_ADMIN)
    assert back.json()["active"] == FIRST
    one = house.get(f"/api/v1/models/{SECOND}", Role.ML_ADMIN).json()
    assert [(past["details"]["what"], past["details"]["reason"]) for past in one["history"]] == [
        ("activated", "why not"), ("to be activated", "why not"),
    ]  # fmt: skip
    assert one["card"] == "# gap6"
    assert house.get("/api/v1/models/short", Role.ML_ADMIN).status_code == 404


def test_a_form_without_the_token_of_its_page_changes_nothing(house: House) -> None:
    cookie = {"cookie": f"{COOKIE}={house.secret(Role.ML_ADMIN)}", "origin": "http://127.0.0.1:8080"}
    for path, methods in ROUTES.items():
        if path.startswith("/admin/models") and "POST" in methods:
            answer = house.ask("POST", path.replace("{bundle_id}", PASSED), data={"reason": "x"}, headers=cookie)
            assert answer.status_code == 403, path
    assert active(house) == FIRST


def test_the_pages_load_no_network() -> None:
    code = (
        "import sys, triage.web.app, triage.inference.apart; "
        "sys.exit(any(name.split('.')[0] in ('ai_edge_litert', 'pynetdicom', 'tensorflow') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_number_is_never_without_its_interval_and_n() -> None:
    bundles = BundlesApart(PACKAGED.parent / "no such place")
    shown = House(NOW, Installation(bundles=bundles))
    page = shown.get(f"/admin/models/{bundles.entries()[0].bundle_id}", Role.ML_ADMIN).text
    cells = [cell for table in re.findall(r'<table class="figures".*?</table>', page, re.DOTALL) for cell in figures(table)]
    shown.close()
    assert len(cells) > 60
    for cell in cells:
        assert re.fullmatch(r"\d\.\d{3} \(\d\.\d{3}–\d\.\d{3}, n=\d+\)|– \(n=\d+\)|–", cell), cell
    heads = re.findall(r'<th scope="col" class="number">(.*?)</th>', page)
    assert heads[0] == "Test, radiologists&#39; labels"


def figures(table: str) -> list[str]:
    return [re.sub("<.*?>", "", cell) for cell in re.findall(r'<td class="number">(.*?)</td>', table)]
