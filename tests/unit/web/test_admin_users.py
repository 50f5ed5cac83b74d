"""Looking after accounts on pages and by the API: secrets told once, confirmed where it is one's own, the last one stays."""

from collections.abc import Iterator

import pytest

from tests.unit.web.conftest import NOW
from tests.unit.web.house import SECRET, House
from triage.domain.account import Role
from triage.web.admin.users import STEPS
from triage.web.permissions import ROUTES
from triage.web.sign_in import COOKIE

ME = "pacs-admin"


@pytest.fixture
def house() -> Iterator[House]:
    house = House(NOW)
    house.secret(Role.PACS_ADMIN)
    house.accounts.add("anna", Role.RADIOLOGIST, "test", SECRET)
    yield house
    house.close()


def role_of(house: House, name: str) -> tuple[Role, bool]:
    with house.database.read() as tx:
        account = tx.accounts.account(name)
    assert account is not None
    return account.role, account.disabled


def test_a_new_account_gets_a_password_that_is_told_once_and_opens_only_its_change(house: House) -> None:
    page = house.post("/admin/users", {"name": "Ben.Gray", "role": "viewer", "sign_in": "password"})
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    password = page.text.partition('<output id="secret" class="mono">')[2].partition("</output>")[0]
    session = house.accounts.sign_in("ben.gray", password, "")
    headers = {"cookie": f"{COOKIE}={session}"}
    assert house.ask("GET", "/api/v1/worklist", headers=headers).status_code == 403, "the password has to be changed first"
    assert password not in house.get("/admin/users/ben.gray").text
    assert house.audited("user")[-1] == (ME, "ben.gray", {"what": "added", "role": "viewer"})
    assert password not in str(house.audited("user"))


def test_a_program_gets_a_token_that_can_be_revoked(house: House) -> None:
    made = house.send("/api/v1/users", {"name": "job", "role": "service", "sign_in": "token"})
    assert made.status_code == 201
    bearer = {"authorization": f"Bearer {made.json()['token']}"}
    assert house.ask("GET", "/api/v1/worklist", headers=bearer).status_code == 200
    assert house.post("/admin/users/job/revoke").headers["location"] == "/admin/users/job?done=revoke"
    assert house.ask("GET", "/api/v1/worklist", headers=bearer).status_code == 401
    other = house.send("/api/v1/users/job/token").json()["token"]
    assert house.ask("GET", "/api/v1/worklist", headers={"authorization": f"Bearer {other}"}).status_code == 200
    people = {one["name"]: one for one in house.get("/api/v1/users").json()}
    assert (people["job"]["tokens"], people["job"]["password"]) == (1, False)


def test_every_step_does_what_it_says_and_comes_back_to_the_account(house: House) -> None:
    session = house.accounts.sign_in("anna", SECRET, "")
    assert house.post("/admin/users/anna/role", {"role": "auditor"}).status_code == 303
    assert role_of(house, "anna") == (Role.AUDITOR, False)
    assert house.ask("GET", "/about", headers={"cookie": f"{COOKIE}={session}"}).status_code == 401, "its sessions ended"
    assert house.post("/admin/users/anna/disable").headers["location"] == "/admin/users/anna?done=disable"
    assert role_of(house, "anna") == (Role.AUDITOR, True)
    assert "Open the account again" in house.get("/admin/users/anna?done=disable").text
    assert house.post("/admin/users/anna/enable").status_code == 303
    assert house.post("/admin/users/anna/sessions").status_code == 303
    page = house.post("/admin/users/anna/password")
    password = page.text.partition('<output id="secret" class="mono">')[2].partition("</output>")[0]
    assert house.accounts.sign_in("anna", password, "")
    assert [details["what"] for _, name, details in house.audited("user") if name == "anna"] == [
        "added", "role auditor", "disabled", "enabled", "sessions ended", "password",
    ]  # fmt: skip


def test_the_last_administrator_stays(house: House) -> None:
    confirmed = {"confirm": ME}
    for step, more in (("disable", {}), ("role", {"role": "viewer"})):
        page = house.post(f"/admin/users/{ME}/{step}", {**confirmed, **more})
        assert page.status_code == 409
        assert "the last who may look after accounts" in page.text
        assert house.send(f"/api/v1/users/{ME}/{step}", {**confirmed, **more}).status_code == 409
    assert role_of(house, ME) == (Role.PACS_ADMIN, False)
    house.accounts.add("second", Role.PACS_ADMIN, "test", SECRET)
    house.accounts.set_disabled("second", True, "test")
    assert house.post(f"/admin/users/{ME}/disable", confirmed).status_code == 409, "a disabled one looks after nothing"
    house.accounts.set_disabled("second", False, "test")
    assert house.post(f"/admin/users/{ME}/role", {**confirmed, "role": "viewer"}).status_code == 303
    assert role_of(house, ME) == (Role.VIEWER, False)


@pytest.mark.parametrize("step", [name for name, step in STEPS.items() if step.own])
def test_ones_own_account_is_changed_only_when_it_was_meant(house: House, step: str) -> None:
    house.accounts.add("second", Role.PACS_ADMIN, "test", SECRET)
    for spelling, confirm in ((ME, {}), (ME, {"confirm": "anna"}), (ME.upper(), {}), (f"%20{ME}", {})):
        page = house.post(f"/admin/users/{spelling}/{step}", {"role": "viewer", **confirm})
        assert page.status_code in (404, 409)
        assert "your own account" in page.text or spelling != ME
    assert role_of(house, ME) == (Role.PACS_ADMIN, False)
    assert house.send(f"/api/v1/users/{ME}/{step}", {"role": "viewer", "confirm": ME.upper()}).status_code == 200


def test_what_cannot_be_used_is_said_in_words(house: House) -> None:
    for form in (
        {"name": "anna", "role": "viewer"},
        {"name": "no blanks", "role": "viewer"},
        {"name": "x", "role": "king"},
        {},
    ):
        page = house.post("/admin/users", form)
        assert page.status_code == 400
        assert 'role="alert"' in page.text
    assert house.post("/admin/users/nobody/disable").status_code == 404
    assert house.post("/admin/users/anna/role", {"role": "king"}).status_code == 400
    assert house.get("/admin/users/nobody").status_code == 404
    assert house.send("/api/v1/users", {"name": "anna", "role": "viewer"}).status_code == 422
    assert house.send("/api/v1/users", {"name": "x", "role": "king"}).status_code == 422
    assert house.send("/api/v1/users/anna/role", {}).status_code == 422
    assert house.send("/api/v1/users/nobody/disable").status_code == 404


def test_a_form_without_the_token_of_its_page_changes_nothing(house: House) -> None:
    cookie = {"cookie": f"{COOKIE}={house.secret(Role.PACS_ADMIN)}", "origin": "http://127.0.0.1:8080"}
    for path, methods in ROUTES.items():
        if path.startswith("/admin/users") and "POST" in methods:
            answer = house.ask("POST", path.replace("{name}", "anna"), data={"role": "viewer", "name": "x"}, headers=cookie)
            assert answer.status_code == 403, path
    assert role_of(house, "anna") == (Role.RADIOLOGIST, False)
    with house.database.read() as tx:
        assert tx.accounts.account("x") is None


def test_an_administrator_cannot_make_a_token_that_acts_as_a_person(house: House) -> None:
    assert house.send("/api/v1/users/anna/token").status_code == 422
    page = house.post("/admin/users/anna/token")
    assert page.status_code == 400
    assert "person&#39;s account" in page.text
    assert "Issue a token" not in house.get("/admin/users/anna").text
    for role in Role:
        new = {"name": f"new-{role.value}", "role": role.value, "sign_in": "token"}
        assert house.send("/api/v1/users", new).status_code == (201 if role is Role.SERVICE else 422)
    assert {one["name"] for one in house.get("/api/v1/users").json()} == {ME, "anna", "new-service"}, (
        "refused before it was made"
    )


def test_what_a_token_did_is_told_apart_in_the_audit(house: House) -> None:
    token = house.send("/api/v1/users", {"name": "job", "role": "service", "sign_in": "token"}).json()["token"]
    bearer = {"authorization": f"Bearer {token}"}
    assert house.ask("POST", "/api/v1/studies/1.2.1/claim", headers=bearer).status_code == 200
    assert house.ask("GET", "/study/1.2.1", headers=bearer).status_code == 200
    assert house.ask("GET", "/api/v1/users", headers=bearer).status_code == 403
    assert house.get("/study/1.2.1").status_code == 200
    for action in ("claim", "view", "refused"):
        actor, _, details = house.audited(action)[0]
        assert (actor, details["via"]) == ("job", "token"), action
    assert house.audited("view")[1][2] == {}
    assert "via" not in str(house.audited("user"))


def test_what_the_provider_decides_is_not_changed_here(house: House) -> None:
    house.accounts.set_external("anna", "test")
    for step, given in (("role", {"role": "viewer"}), ("password", {})):
        page = house.post(f"/admin/users/anna/{step}", given)
        assert page.status_code == 409
        assert "the provider decides" in page.text
        assert house.send(f"/api/v1/users/anna/{step}", given).status_code == 409
    page = house.get("/admin/users/anna").text
    assert "hospital account" in page
    assert "Change role" not in page
    assert "one-time" not in page
    assert [one["external"] for one in house.get("/api/v1/users").json() if one["name"] == "anna"] == [True]
    assert house.post("/admin/users/anna/disable").status_code == 303
