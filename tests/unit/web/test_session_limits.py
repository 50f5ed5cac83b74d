"""What ``sessions.*`` sets is what ends a session."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.web.test_sign_in import House, of
from triage.bootstrap import open_site
from triage.bootstrap.accounts import accounts_of, external_of
from triage.config import load
from triage.domain.errors import ConfigError


@pytest.mark.parametrize(
    ("variables", "steps"),
    [
        ({"TRIAGE_SESSIONS__IDLE": "1 min"}, [(59, 200), (59, 200), (60, 401)]),
        ({"TRIAGE_SESSIONS__IDLE": "1 min", "TRIAGE_SESSIONS__ABSOLUTE": "2 min"}, [(50, 200), (50, 200), (20, 401)]),
        ({}, [(14 * 60, 200), (15 * 60, 401)]),
    ],
)
def test_a_session_lasts_as_long_as_the_settings_say(
    tmp_path: Path, variables: dict[str, str], steps: list[tuple[int, int]]
) -> None:
    limits = load(home=tmp_path, environment=variables).sessions.limits
    house = House(limits=limits)
    secret = house.enter()
    for seconds, status in steps:
        house.now += timedelta(seconds=seconds)
        assert house.ask("GET", "/api/v1/worklist", headers=of(secret)).status_code == status
    house.app.state.previews.close()


def test_the_service_takes_them_from_its_settings(tmp_path: Path) -> None:
    site = open_site(load(home=tmp_path, environment={"TRIAGE_SESSIONS__IDLE": "1 min"}), create=True)
    assert accounts_of(site).limits.idle == timedelta(minutes=1)
    site.database.close()


def test_a_page_that_asks_by_itself_does_not_lengthen_it(tmp_path: Path) -> None:
    house = House(limits=load(home=tmp_path, environment={"TRIAGE_SESSIONS__IDLE": "1 min"}).sessions.limits)
    secret = house.enter()
    house.now += timedelta(seconds=40)
    assert house.ask("GET", "/fragments/worklist", headers=of(secret)).status_code == 200
    house.now += timedelta(seconds=20)
    assert house.ask("GET", "/api/v1/worklist", headers=of(secret)).status_code == 401
    house.app.state.previews.close()


def test_a_provider_without_its_library_is_a_fault_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "TRIAGE_OIDC__ISSUER": "https://idp.example",
        "TRIAGE_OIDC__CLIENT_ID": "triage",
        "TRIAGE_OIDC__ROLES": "readers=radiologist",
    }
    site = open_site(load(home=tmp_path, environment=variables), create=True)
    assert external_of(site, accounts_of(site)) is not None
    for name in ("triage.oidc.provider", "triage.oidc.id_token"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with pytest.raises(ConfigError, match=r"pip install 'chest-triage\[oidc\]'"):
        external_of(site, accounts_of(site))
    site.database.close()


def test_without_an_issuer_there_is_no_provider_and_no_address_of_one(tmp_path: Path) -> None:
    site = open_site(load(home=tmp_path, environment={}), create=True)
    assert external_of(site, accounts_of(site)) is None
    site.database.close()
    house = House()
    assert house.ask("GET", "/oidc/start").status_code == 404
    assert "oidc" not in house.ask("GET", "/sign-in").text
    house.app.state.previews.close()
