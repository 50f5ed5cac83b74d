"""Where one is signed in: on the page and in the API, without anything that would open a session."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.unit.web.test_sign_in import HERE, SECRET, House, of
from triage.domain.account import Role
from triage.services.sessions import csrf_of, digest_of


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.app.state.previews.close()


def enter(house: House, name: str = "radiologist") -> str:
    return house.accounts.sign_in(name, SECRET, "")


def test_the_api_lists_them_and_ends_the_others(house: House) -> None:
    first = house.enter()
    house.now += timedelta(minutes=5)
    mine = enter(house)
    found = house.ask("GET", "/api/v1/me/sessions", headers=of(mine))
    assert [(one["this"], one["signed_in_at"]) for one in found.json()] == [
        (False, (house.now - timedelta(minutes=5)).isoformat()),
        (True, house.now.isoformat()),
    ]
    for hidden in (first, mine, digest_of(first), digest_of(mine)):
        assert hidden not in found.text
    headers = of(mine) | {"origin": HERE, "x-csrf-token": csrf_of(mine)}
    assert house.ask("POST", "/api/v1/me/sessions/end-others", headers=of(mine)).status_code == 403
    assert house.ask("POST", "/api/v1/me/sessions/end-others", headers=headers).json() == {"ended": 1}
    assert house.ask("GET", "/api/v1/me", headers=of(first)).status_code == 401
    assert house.ask("GET", "/api/v1/me", headers=of(mine)).status_code == 200


def test_the_page_shows_them_and_has_the_button_only_where_there_are_others(house: House) -> None:
    mine = house.enter()
    page = house.ask("GET", "/password", headers=of(mine)).text
    assert page.count("this browser") == 1
    assert "End the others" not in page
    other = enter(house)
    page = house.ask("GET", "/password", headers=of(mine)).text
    assert "End the others" in page
    for hidden in (mine, other, digest_of(mine), digest_of(other)):
        assert hidden not in page
    form = {"csrf": csrf_of(mine)}
    done = house.ask("POST", "/password/end-others", data=form, headers=of(mine) | {"origin": HERE})
    assert (done.status_code, done.headers["location"]) == (303, "/password")
    assert house.ask("GET", "/api/v1/me", headers=of(other)).status_code == 401


def test_a_token_sees_and_ends_the_sessions_of_its_account(house: House) -> None:
    secret = house.enter(Role.RADIOLOGIST)
    bearer = {"authorization": f"Bearer {house.accounts.issue_token('radiologist', 'test', any_role=True)}"}
    assert [one["this"] for one in house.ask("GET", "/api/v1/me/sessions", headers=bearer).json()] == [False]
    assert house.ask("POST", "/api/v1/me/sessions/end-others", headers=bearer).json() == {"ended": 1}
    assert house.ask("GET", "/api/v1/me", headers=of(secret)).status_code == 401


def test_nobody_sees_anothers(house: House) -> None:
    house.enter(Role.VIEWER)
    chief = house.enter(Role.PACS_ADMIN)
    assert len(house.ask("GET", "/api/v1/me/sessions", headers=of(chief)).json()) == 1


def test_a_person_sees_and_revokes_tokens_that_act_in_that_name(house: House) -> None:
    mine = house.enter()
    tokens = [house.accounts.issue_token("radiologist", "(root)", any_role=True) for _ in range(2)]
    house.accounts.add("other", Role.SERVICE, "test")
    others = house.accounts.issue_token("other", "test")
    page = house.ask("GET", "/password", headers=of(mine)).text
    assert "Revoke all of them" in page
    assert house.ask("GET", "/api/v1/me/tokens", headers=of(mine)).json() == [{"issued_at": house.now.isoformat()}] * 2
    for hidden in (*tokens, *map(digest_of, tokens), others):
        assert hidden not in page
    form, headers = {"csrf": csrf_of(mine)}, of(mine) | {"origin": HERE}
    assert house.ask("POST", "/password/revoke-tokens", headers=headers).status_code == 403
    assert house.ask("POST", "/password/revoke-tokens", data=form, headers=headers).headers["location"] == "/password"
    assert [house.accounts.by_token(token) for token in tokens] == [None, None]
    assert house.accounts.by_token(others) is not None
    assert "Revoke" not in house.ask("GET", "/password", headers=of(mine)).text
    headers |= {"x-csrf-token": csrf_of(mine)}
    assert house.ask("POST", "/api/v1/me/tokens/revoke", headers=headers).json() == {"revoked": 0}
