"""Signing in and looking after accounts: the same for everybody unknown, revocable, and audited without a secret."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain.make import NOW
from tests.unit.services.people import MINUTE, SECRET, World
from triage.database.memory import MemoryDatabase
from triage.domain.account import (
    AccountInvalid,
    LastAdministrator,
    Role,
    SessionLimits,
    SignInRefused,
    account_name,
    check_password,
)
from triage.domain.audit import Action
from triage.services.accounts import Accounts
from triage.services.sessions import csrf_of, digest_of


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with opened(request.param, tmp_path) as database:
        yield World(database)


def test_a_right_password_gives_a_session_that_knows_its_person(world: World) -> None:
    secret = world.enter(" ANNA ")
    who = world.accounts.by_session(secret)
    assert who is not None
    assert (who.name, who.role, who.csrf) == ("anna", Role.RADIOLOGIST, csrf_of(secret))
    assert world.accounts.by_session(digest_of(secret)) is None, "what is stored opens nothing"
    assert world.accounts.by_token(secret) is None


def test_each_sign_in_has_a_session_of_its_own_and_replaces_the_former(world: World) -> None:
    first = world.enter(former="planted-by-somebody")
    assert first != "planted-by-somebody"
    assert world.accounts.by_session("planted-by-somebody") is None
    second = world.enter(former=first)
    assert world.accounts.by_session(first) is None
    assert world.accounts.by_session(second) is not None


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", SECRET), ("closed", SECRET), ("script", "")])
def test_every_refusal_says_the_same(world: World, name: str, password: str) -> None:
    world.accounts.add("closed", Role.VIEWER, "test", SECRET)
    world.accounts.set_disabled("closed", True, "test")
    world.accounts.add("script", Role.SERVICE, "test")
    with pytest.raises(SignInRefused, match=r"^name or password is wrong$"):
        world.enter(name, password)


def test_a_session_ends_when_idle_and_in_any_case(world: World) -> None:
    idle, watched, steady = world.enter(), world.enter(), world.enter()
    for minute in (7, 14, 15, *range(25, 720, 10), 719, 720):
        world.now = NOW + minute * MINUTE
        alive = minute < 720
        assert (world.accounts.by_session(steady) is not None) is alive
        if minute in (14, 15):
            assert (world.accounts.by_session(idle, renew=False) is not None) is (minute < 15)
            assert (world.accounts.by_session(watched, renew=False) is not None) is (minute < 15), "asked by the page itself"


def test_what_ends_sessions(world: World) -> None:
    for end in (
        lambda: world.accounts.set_password("anna", "another long sentence", "test"),
        lambda: world.accounts.set_role("anna", Role.VIEWER, "test"),
        lambda: world.accounts.end_sessions("anna", "test"),
        lambda: world.accounts.set_disabled("anna", True, "test"),
    ):
        world.accounts.set_disabled("anna", False, "test")
        with world.database.read() as tx:
            account = tx.accounts.account("anna")
        assert account is not None
        password = SECRET if world.accounts.passwords.verify(account.password_hash or "", SECRET) else "another long sentence"
        secret = world.enter(password=password)
        end()
        assert world.accounts.by_session(secret) is None
    secret = world.accounts.by_session("x")
    assert secret is None


def test_signing_out_ends_it_on_the_server(world: World) -> None:
    secret = world.enter()
    world.accounts.sign_out(secret)
    world.accounts.sign_out(secret)
    assert world.accounts.by_session(secret) is None


def test_tokens_are_revoked_with_their_account(world: World) -> None:
    world.accounts.add("script", Role.SERVICE, "test")
    token = world.accounts.issue_token("script", "test")
    who = world.accounts.by_token(token)
    assert who is not None
    assert (who.role, who.csrf) == (Role.SERVICE, None)
    assert world.accounts.by_session(token) is None
    world.accounts.set_disabled("script", True, "test")
    world.accounts.set_disabled("script", False, "test")
    assert world.accounts.by_token(token) is None


def test_the_first_administrator_is_made_once_and_has_to_change(world: World) -> None:
    assert world.accounts.first_run("test") is None, "there are accounts"
    empty = Accounts(
        database=MemoryDatabase(), passwords=world.accounts.passwords, clock=lambda: NOW, secret=lambda: "made-by-chance-once"
    )
    assert empty.first_run("test") == ("admin", "made-by-chance-once")
    assert empty.first_run("test") is None
    who = empty.by_session(empty.sign_in("admin", "made-by-chance-once", ""))
    assert who is not None
    assert who.must_change
    with pytest.raises(SignInRefused):
        empty.change_password("admin", "wrong", SECRET)
    with pytest.raises(AccountInvalid, match="another one"):
        empty.change_password("admin", "made-by-chance-once", "made-by-chance-once")
    empty.change_password("admin", "made-by-chance-once", SECRET)
    assert empty.by_session("made-by-chance-once") is None


def test_everything_is_audited_and_no_secret_is(world: World) -> None:
    secret = world.enter()
    world.tries("anna", "wrong-password-typed")
    world.tries("typed-the-password-as-name", "x")
    world.accounts.sign_out(secret)
    token = world.accounts.issue_token("anna", "test", any_role=True)
    with world.database.read() as tx:
        records = list(tx.audit())
    assert [record.action for record in records] == [
        Action.USER.value,
        Action.SIGN_IN.value,
        Action.REFUSED.value,
        Action.REFUSED.value,
        Action.SIGN_OUT.value,
        Action.USER.value,
    ]
    told = str(records)
    for hidden in (SECRET, secret, token, "wrong-password-typed", "typed-the-password-as-name", digest_of(secret)):
        assert hidden not in told


@pytest.mark.parametrize(
    "password", ["", "short", "password1234", "PassWord-1234", "aaaaaaaaaaaaaaaa", "ann anna anna!", "x" * 1025]
)
def test_a_password_that_would_be_guessed_is_refused(password: str) -> None:
    with pytest.raises(AccountInvalid):
        check_password(password, "anna")


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "<b>", "ä", "x" * 65, "a\n"[:1] + "\x00"])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(AccountInvalid):
        account_name(name)


def test_limits_are_the_ones_given() -> None:
    assert SessionLimits() == SessionLimits(idle=timedelta(minutes=15), absolute=timedelta(hours=12))


@pytest.mark.parametrize("kind", KINDS)
def test_two_administrators_who_shut_each_other_out_at_once_leave_one(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as database:
        accounts = World(database).accounts
        for name in ("carol", "dave"):
            accounts.add(name, Role.PACS_ADMIN, "test", SECRET)
        barrier, outcomes = Barrier(2), []

        def shut(name: str, by: str) -> None:
            barrier.wait(10)
            try:
                accounts.set_disabled(name, True, by)
                outcomes.append("shut")
            except LastAdministrator:
                outcomes.append("stays")

        threads = [Thread(target=shut, args=pair) for pair in (("carol", "dave"), ("dave", "carol"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(outcomes) == ["shut", "stays"]


def test_whoever_may_not_look_after_accounts_can_be_shut_though_nobody_else_may(tmp_path: Path) -> None:
    accounts = World(MemoryDatabase()).accounts
    accounts.set_disabled("anna", True, "test")
    accounts.set_role("anna", Role.VIEWER, "test")
    accounts.add("carol", Role.PACS_ADMIN, "test", SECRET)
    with pytest.raises(LastAdministrator, match="give another one that role first"):
        accounts.set_role("carol", Role.ML_ADMIN, "carol")
    accounts.set_role("carol", Role.PACS_ADMIN, "carol")


@pytest.mark.parametrize("change", ["password", "own password", "role", "external", "disabled"])
def test_a_token_does_not_outlive_what_it_was_given_for(world: World, change: str) -> None:
    accounts = world.accounts
    token, other = (accounts.issue_token(name, "test", any_role=True) for name in ("anna", "anna"))
    {
        "password": lambda: accounts.set_password("anna", "another long sentence", "test"),
        "own password": lambda: accounts.change_password("anna", SECRET, "another long sentence"),
        "role": lambda: accounts.set_role("anna", Role.VIEWER, "test"),
        "external": lambda: accounts.set_external("anna", "test"),
        "disabled": lambda: accounts.set_disabled("anna", True, "test"),
    }[change]()
    accounts.set_disabled("anna", False, "test")
    assert (accounts.by_token(token), accounts.by_token(other)) == (None, None)


def test_only_a_program_gets_a_token_unless_the_machines_operator_asks(world: World) -> None:
    with pytest.raises(AccountInvalid, match="role service"):
        world.accounts.issue_token("anna", "chief")
    assert world.accounts.by_token(world.accounts.issue_token("anna", "(root)", any_role=True)) is not None


def test_a_token_opens_nothing_before_the_password_was_chosen(world: World) -> None:
    world.accounts.set_password("anna", "for once and no longer", "test", must_change=True)
    assert world.accounts.by_token(world.accounts.issue_token("anna", "test", any_role=True)) is None


@pytest.mark.parametrize("change", ["password", "enabled"])
def test_an_administrator_ends_the_wait_of_an_account(world: World, change: str) -> None:
    for _ in range(12):
        world.now += MINUTE
        world.tries("anna", "x", "10.3.3.3")
    assert world.tries("anna", SECRET, "10.3.3.4") == "SignInThrottled"
    if change == "password":
        world.accounts.set_password("anna", "another long sentence", "test")
    else:
        world.accounts.set_disabled("anna", True, "test")
        world.accounts.set_disabled("anna", False, "test")
    assert world.tries("anna", SECRET if change == "enabled" else "another long sentence", "10.3.3.4") == "in"


def test_an_administrator_who_cannot_come_in_looks_after_nothing(world: World) -> None:
    accounts = world.accounts
    accounts.add("carol", Role.PACS_ADMIN, "test", SECRET)
    accounts.add("dave", Role.PACS_ADMIN, "test")  # neither password nor token
    accounts.add("erin", Role.PACS_ADMIN, "test")
    accounts.set_external("erin", "test")  # nobody came by that name yet
    with pytest.raises(LastAdministrator):
        accounts.set_disabled("carol", True, "test")
    with pytest.raises(LastAdministrator):
        accounts.set_external("carol", "test")
    assert accounts.by_session(accounts.sign_in("carol", SECRET, "")), "nothing of it was kept"
    accounts.issue_token("dave", "test", any_role=True)
    accounts.set_disabled("carol", True, "test")


def test_where_nobody_signs_in_with_a_password_it_makes_nobody_an_administrator(world: World) -> None:
    accounts = replace(world.accounts, passwords_allowed=False)
    accounts.add("carol", Role.PACS_ADMIN, "test", SECRET)
    with world.database.read() as tx:
        assert not accounts.can_administer(tx)
        assert world.accounts.can_administer(tx)
