"""What accounts need of the database, and of passwords. Adapters: :mod:`triage.database.accounts`, …`passwords`."""

from datetime import datetime
from typing import Protocol

from triage.domain.account import Account, Guesses, Session, SignInAttempt, Token


class Passwords(Protocol):
    """How passwords are kept and compared; slow on purpose."""

    def hash(self, password: str) -> str:
        """What to keep."""

    def verify(self, kept: str, password: str) -> bool:
        """Whether it is the password."""


class AccountStore(Protocol):
    """Accounts, tokens, sessions and guesses, in one transaction with whatever else it does."""

    def account(self, name: str) -> Account | None:
        """The account, or ``None``."""

    def account_of_subject(self, subject: str) -> Account | None:
        """Whom the identity provider means by that subject, or ``None``."""

    def accounts(self) -> list[Account]:
        """Every account, by name."""

    def put_account(self, account: Account) -> None:
        """Insert or replace."""

    def token(self, digest: str) -> Token | None:
        """The token, or ``None``."""

    def tokens(self) -> list[Token]:
        """Every token, the oldest first."""

    def put_token(self, token: Token) -> None:
        """Insert or replace."""

    def drop_tokens(self, account: str) -> int:
        """Revoke the account's tokens; returns how many."""

    def session(self, digest: str) -> Session | None:
        """The session, or ``None``."""

    def sessions(self) -> list[Session]:
        """Every session, the oldest first."""

    def sessions_of(self, account: str) -> list[Session]:
        """An account's sessions, the oldest first."""

    def put_session(self, session: Session) -> None:
        """Insert or replace."""

    def drop_session(self, digest: str) -> None:
        """End it; nothing when there is none."""

    def drop_sessions(self, account: str) -> int:
        """End all of an account; returns how many."""

    def guesses(self, key: str) -> Guesses:
        """Failures so far; none: zero."""

    def put_guesses(self, key: str, guesses: Guesses) -> None:
        """Insert or replace."""

    def drop_guesses(self, key: str) -> None:
        """Forget."""

    def put_attempt(self, attempt: SignInAttempt) -> None:
        """Note that a browser was sent to the identity provider."""

    def take_attempt(self, digest: str) -> SignInAttempt | None:
        """The attempt, which is gone then: of two that ask, one has it. ``None``: there is none."""

    def drop_attempts(self, begun_before: datetime, most: int) -> None:
        """Remove attempts that are older, and of the others all but the newest ``most``."""

    def sweep(self, seen_before: datetime, signed_in_before: datetime, guessed_before: datetime) -> None:
        """Remove sessions and guesses that are older."""
