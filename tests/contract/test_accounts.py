"""What an AccountStore promises, asked of both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain.make import NOW
from triage.domain.account import Account, Guesses, Role, Session, SignInAttempt, Token
from triage.services.ports import Database

MINUTE = timedelta(minutes=1)
ANNA = Account(name="anna", role=Role.RADIOLOGIST, created_at=NOW, password_hash="h", must_change=True)
BEN = Account(name="ben", role=Role.SERVICE, created_at=NOW, disabled=True)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        with database.write() as tx:
            tx.accounts.put_account(BEN)
            tx.accounts.put_account(ANNA)
        yield database


def session(digest: str, minutes: int = 0, account: str = "anna") -> Session:
    return Session(digest=digest, account=account, signed_in_at=NOW + minutes * MINUTE, seen_at=NOW + minutes * MINUTE)


def test_accounts_come_back_as_they_were_and_can_be_replaced(database: Database) -> None:
    with database.write() as tx:
        assert tx.accounts.accounts() == [ANNA, BEN]
        tx.accounts.put_account(replace(ANNA, role=Role.AUDITOR, must_change=False))
    with database.read() as tx:
        assert tx.accounts.account("anna") == replace(ANNA, role=Role.AUDITOR, must_change=False)
        assert tx.accounts.account("nobody") is None


def test_sessions_end_singly_and_by_account(database: Database) -> None:
    with database.write() as tx:
        for one in (session("b", 2), session("a", 1), session("c", 3, "ben"), session("d", 4)):
            tx.accounts.put_session(one)
        tx.accounts.put_session(replace(session("a", 1), seen_at=NOW + 9 * MINUTE))
        tx.accounts.drop_session("d")
        tx.accounts.drop_session("d")
    with database.write() as tx:
        assert [one.digest for one in tx.accounts.sessions()] == ["a", "b", "c"]
        assert [one.digest for one in tx.accounts.sessions_of("anna")] == ["a", "b"]
        assert tx.accounts.sessions_of("nobody") == []
        found = tx.accounts.session("a")
        assert found is not None
        assert found.seen_at == NOW + 9 * MINUTE
        assert tx.accounts.drop_sessions("anna") == 2
        assert tx.accounts.sessions() == [session("c", 3, "ben")]
        assert tx.accounts.session("a") is None


def test_tokens_are_revoked_by_account(database: Database) -> None:
    token = Token(digest="t", account="ben", issued_at=NOW)
    with database.write() as tx:
        tx.accounts.put_token(token)
        assert tx.accounts.token("t") == token
        assert tx.accounts.drop_tokens("anna") == 0
        assert tx.accounts.drop_tokens("ben") == 1
        assert tx.accounts.token("t") is None


@pytest.mark.parametrize("kind", ["session", "token"])
def test_nobodys_session_or_token_is_refused(database: Database, kind: str) -> None:
    with pytest.raises(Exception), database.write() as tx:  # noqa: B017, PT011, PT012 - each has its own kind
        if kind == "session":
            tx.accounts.put_session(session("x", account="nobody"))
        else:
            tx.accounts.put_token(Token(digest="x", account="nobody", issued_at=NOW))


def test_guesses_are_counted_forgotten_and_swept(database: Database) -> None:
    old, new = Guesses(failures=7, until=NOW, last_at=NOW), Guesses(failures=1, until=NOW, last_at=NOW + MINUTE)
    with database.write() as tx:
        assert tx.accounts.guesses("k") == Guesses()
        tx.accounts.put_guesses("k", old)
        tx.accounts.put_guesses("l", new)
        tx.accounts.put_session(session("a", 0))
        tx.accounts.put_session(session("b", 1))
        tx.accounts.sweep(NOW + MINUTE, NOW, NOW + MINUTE)
        assert tx.accounts.guesses("k") == Guesses()
        assert tx.accounts.guesses("l") == new
        assert [one.digest for one in tx.accounts.sessions()] == ["b"]
        tx.accounts.drop_guesses("l")
        assert tx.accounts.guesses("l") == Guesses()


def test_a_transaction_that_fails_leaves_no_session(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as tx:  # noqa: PT012 - what happens inside is the point
        tx.accounts.put_session(session("a"))
        tx.accounts.put_guesses("k", Guesses(failures=3))
        raise ZeroDivisionError
    with database.read() as tx:
        assert tx.accounts.sessions() == []
        assert tx.accounts.guesses("k") == Guesses()


def test_a_subject_of_the_provider_has_one_account(database: Database) -> None:
    bound = replace(ANNA, external=True, subject="https://idp.example u-1")
    with database.write() as tx:
        assert tx.accounts.account_of_subject("https://idp.example u-1") is None
        tx.accounts.put_account(bound)
        tx.accounts.put_account(bound)
        assert tx.accounts.account("anna") == bound
        assert tx.accounts.account_of_subject("https://idp.example u-1") == bound
    with pytest.raises(Exception), database.write() as tx:  # noqa: B017, PT011 - each has its own kind
        tx.accounts.put_account(replace(BEN, subject="https://idp.example u-1"))
    with database.read() as tx:
        assert tx.accounts.account("ben") == BEN


def test_an_attempt_is_taken_once_and_swept_when_old(database: Database) -> None:
    old, new = (SignInAttempt(digest=name, begun_at=NOW + at * MINUTE, next=f"/{name}") for name, at in (("o", 0), ("n", 1)))
    with database.write() as tx:
        tx.accounts.put_attempt(old)
        tx.accounts.put_attempt(new)
        tx.accounts.drop_attempts(NOW + MINUTE, 5)
        assert tx.accounts.take_attempt("o") is None
        assert tx.accounts.take_attempt("n") == new
    with database.write() as tx:
        assert tx.accounts.take_attempt("n") is None


def test_of_many_attempts_the_newest_stay(database: Database) -> None:
    with database.write() as tx:
        for number in range(7):
            tx.accounts.put_attempt(SignInAttempt(digest=f"a{number}", begun_at=NOW + number * MINUTE, next="/"))
        tx.accounts.drop_attempts(NOW, 3)
        assert [number for number in range(7) if tx.accounts.take_attempt(f"a{number}")] == [4, 5, 6]


def test_tokens_are_listed_the_oldest_first(database: Database) -> None:
    tokens = [Token(digest=name, account=account, issued_at=NOW + at * MINUTE) for name, account, at in TOKENS]
    with database.write() as tx:
        for token in tokens:
            tx.accounts.put_token(token)
    with database.read() as tx:
        assert [one.digest for one in tx.accounts.tokens()] == ["a", "b", "c"]


TOKENS = (("c", "anna", 3), ("b", "ben", 2), ("a", "anna", 1))
