"""``triage users``: passwords by prompt or standard input only, a token told once."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from triage.bootstrap import open_site
from triage.bootstrap.accounts import accounts_of
from triage.bootstrap.upgrade import upgrade
from triage.cli import app
from triage.config import load
from triage.domain.account import AccountInvalid, Role, UnknownAccount

SECRET = "four quiet herons wade\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    upgrade(load(home=tmp_path / "home", environment={}))
    return tmp_path / "home"


def run(home: Path, *arguments: str, typed: str = "") -> str:
    done = CliRunner().invoke(app, ["users", *arguments, "--home", str(home)], input=typed)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_account_from_its_adding_to_its_end(home: Path) -> None:
    run(home, "add", "Anna", "--role", "radiologist", "--password-stdin", typed=SECRET)
    (row,) = json.loads(run(home, "list", "--json"))
    assert (row["name"], row["role"], row["disabled"], row["sessions"]) == ("anna", "radiologist", False, 0)
    site = open_site(load(home=home, environment={}))
    accounts = accounts_of(site)
    secret = accounts.sign_in("anna", SECRET.strip(), "")
    assert "anna" in run(home, "sessions")
    assert run(home, "sessions", "anna").startswith("1 sessions")
    assert accounts.by_session(secret) is None
    run(home, "role", "anna", "auditor")
    run(home, "password", "anna", "--password-stdin", typed="another long sentence\n")
    run(home, "disable", "anna")
    (row,) = json.loads(run(home, "list", "--json"))
    assert (row["role"], row["disabled"]) == ("auditor", True)
    run(home, "enable", "anna")
    assert accounts.by_session(accounts.sign_in("anna", "another long sentence", "")) is not None
    site.database.close()


def test_a_token_is_told_once_and_opens(home: Path) -> None:
    token = run(home, "add", "script", "--role", "service", "--token").strip()
    site = open_site(load(home=home, environment={}))
    who = accounts_of(site).by_token(token)
    assert who is not None
    assert who.role is Role.SERVICE
    assert token.encode() not in b"".join(path.read_bytes() for path in home.rglob("triage.db*"))
    assert token not in run(home, "list", "--json")
    site.database.close()


def test_faults_have_a_remedy(home: Path) -> None:
    with pytest.raises(UnknownAccount, match="triage users list"):
        run(home, "disable", "nobody")
    with pytest.raises(AccountInvalid, match="12"):
        run(home, "add", "ben", "--role", "viewer", "--password-stdin", typed="short\n")
    assert "No account" in run(home, "list")


def test_an_account_is_handed_to_the_identity_provider_and_comes_back_with_a_password(home: Path) -> None:
    run(home, "add", "anna", "--role", "radiologist", "--password-stdin", typed=SECRET)
    assert "first to come by that name" in run(home, "external", "anna")
    (row,) = json.loads(run(home, "list", "--json"))
    assert (row["external"], row["password"]) == (True, False)
    assert "by the identity provider" in run(home, "list")
    run(home, "password", "anna", "--password-stdin", typed="another long sentence\n")
    (row,) = json.loads(run(home, "list", "--json"))
    assert (row["external"], row["password"]) == (False, True)
