"""Accounts, tokens, sessions and guesses: in SQL, and the in-memory twin."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from triage.database import account_tables as tables
from triage.domain.account import Account, Guesses, Role, Session, SignInAttempt, Token

FLAGS = ("must_change", "disabled", "external")


class SqlAccounts:
    """See :class:`triage.services.account_store.AccountStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def account(self, name: str) -> Account | None:
        row = self._one(tables.account, name)
        return _account(row) if row else None

    def account_of_subject(self, subject: str) -> Account | None:
        query = select(tables.account).where(tables.account.c.subject == subject)
        row = self._connection.execute(query).mappings().one_or_none()
        return _account(dict(row)) if row else None

    def accounts(self) -> list[Account]:
        rows = self._connection.execute(select(tables.account).order_by(tables.account.c.name)).mappings()
        return [_account(dict(row)) for row in rows]

    def put_account(self, account: Account) -> None:
        flags = {name: int(getattr(account, name)) for name in FLAGS}
        self._put(tables.account, _fields(account) | flags | {"role": account.role.value})

    def token(self, digest: str) -> Token | None:
        row = self._one(tables.account_token, digest)
        return Token(**row) if row else None

    def tokens(self) -> list[Token]:
        table = tables.account_token
        rows = self._connection.execute(select(table).order_by(table.c.issued_at, table.c.digest)).mappings()
        return [Token(**row) for row in rows]

    def put_token(self, token: Token) -> None:
        self._put(tables.account_token, _fields(token))

    def drop_tokens(self, account: str) -> int:
        table = tables.account_token
        return self._connection.execute(delete(table).where(table.c.account == account)).rowcount

    def session(self, digest: str) -> Session | None:
        row = self._one(tables.account_session, digest)
        return Session(**row) if row else None

    def sessions(self) -> list[Session]:
        table = tables.account_session
        rows = self._connection.execute(select(table).order_by(table.c.signed_in_at, table.c.digest)).mappings()
        return [Session(**row) for row in rows]

    def sessions_of(self, account: str) -> list[Session]:
        table = tables.account_session
        query = select(table).where(table.c.account == account).order_by(table.c.signed_in_at, table.c.digest)
        return [Session(**row) for row in self._connection.execute(query).mappings()]

    def put_session(self, session: Session) -> None:
        self._put(tables.account_session, _fields(session))

    def drop_session(self, digest: str) -> None:
        self._connection.execute(delete(tables.account_session).where(tables.account_session.c.digest == digest))

    def drop_sessions(self, account: str) -> int:
        table = tables.account_session
        return self._connection.execute(delete(table).where(table.c.account == account)).rowcount

    def guesses(self, key: str) -> Guesses:
        row = self._one(tables.guess, key)
        return Guesses(failures=row["failures"], until=row["until"], last_at=row["last_at"]) if row else Guesses()

    def put_guesses(self, key: str, guesses: Guesses) -> None:
        self._put(tables.guess, {"key": key, **_fields(guesses)})

    def drop_guesses(self, key: str) -> None:
        self._connection.execute(delete(tables.guess).where(tables.guess.c.key == key))

    def put_attempt(self, attempt: SignInAttempt) -> None:
        self._put(tables.sign_in_attempt, _fields(attempt))

    def take_attempt(self, digest: str) -> SignInAttempt | None:
        row = self._one(tables.sign_in_attempt, digest)
        self._connection.execute(delete(tables.sign_in_attempt).where(tables.sign_in_attempt.c.digest == digest))
        return SignInAttempt(**row) if row else None

    def drop_attempts(self, begun_before: datetime, most: int) -> None:
        table = tables.sign_in_attempt
        newest = select(table.c.digest).order_by(table.c.begun_at.desc(), table.c.digest).limit(most)
        self._connection.execute(delete(table).where(or_(table.c.begun_at < begun_before, table.c.digest.not_in(newest))))

    def sweep(self, seen_before: datetime, signed_in_before: datetime, guessed_before: datetime) -> None:
        session = tables.account_session
        stale = or_(session.c.seen_at < seen_before, session.c.signed_in_at < signed_in_before)
        self._connection.execute(delete(session).where(stale))
        self._connection.execute(delete(tables.guess).where(tables.guess.c.last_at < guessed_before))

    def _one(self, table: Table, key: str) -> dict[str, Any] | None:
        (column,) = table.primary_key
        row = self._connection.execute(select(table).where(column == key)).mappings().one_or_none()
        return dict(row) if row else None

    def _put(self, table: Table, row: dict[str, Any]) -> None:
        (key,) = table.primary_key
        statement = insert(table).values(row)
        rest = {name: statement.excluded[name] for name in row if name != key.name}
        self._connection.execute(statement.on_conflict_do_update(index_elements=[key.name], set_=rest))


@dataclass
class MemoryAccounts:
    """See :class:`triage.services.account_store.AccountStore`."""

    _accounts: dict[str, Account] = field(default_factory=dict)
    _tokens: dict[str, Token] = field(default_factory=dict)
    _sessions: dict[str, Session] = field(default_factory=dict)
    _guesses: dict[str, Guesses] = field(default_factory=dict)
    _attempts: dict[str, SignInAttempt] = field(default_factory=dict)

    def __copy__(self) -> "MemoryAccounts":
        return MemoryAccounts(*(dict(rows) for rows in vars(self).values()))

    def account(self, name: str) -> Account | None:
        return self._accounts.get(name)

    def account_of_subject(self, subject: str) -> Account | None:
        return next((one for one in self._accounts.values() if one.subject == subject), None)

    def accounts(self) -> list[Account]:
        return [self._accounts[name] for name in sorted(self._accounts)]

    def put_account(self, account: Account) -> None:
        twin = self.account_of_subject(account.subject) if account.subject else None
        if twin is not None and twin.name != account.name:
            raise LookupError("a subject has one account")
        self._accounts[account.name] = account

    def token(self, digest: str) -> Token | None:
        return self._tokens.get(digest)

    def tokens(self) -> list[Token]:
        return sorted(self._tokens.values(), key=lambda one: (one.issued_at, one.digest))

    def put_token(self, token: Token) -> None:
        self._tokens[token.digest] = self._owned(token)

    def drop_tokens(self, account: str) -> int:
        return _drop(self._tokens, lambda token: token.account == account)

    def session(self, digest: str) -> Session | None:
        return self._sessions.get(digest)

    def sessions(self) -> list[Session]:
        return sorted(self._sessions.values(), key=lambda one: (one.signed_in_at, one.digest))

    def sessions_of(self, account: str) -> list[Session]:
        return [one for one in self.sessions() if one.account == account]

    def put_session(self, session: Session) -> None:
        self._sessions[session.digest] = self._owned(session)

    def drop_session(self, digest: str) -> None:
        self._sessions.pop(digest, None)

    def drop_sessions(self, account: str) -> int:
        return _drop(self._sessions, lambda session: session.account == account)

    def guesses(self, key: str) -> Guesses:
        return self._guesses.get(key, Guesses())

    def put_guesses(self, key: str, guesses: Guesses) -> None:
        self._guesses[key] = guesses

    def drop_guesses(self, key: str) -> None:
        self._guesses.pop(key, None)

    def put_attempt(self, attempt: SignInAttempt) -> None:
        self._attempts[attempt.digest] = attempt

    def take_attempt(self, digest: str) -> SignInAttempt | None:
        return self._attempts.pop(digest, None)

    def drop_attempts(self, begun_before: datetime, most: int) -> None:
        by_digest = sorted(self._attempts.values(), key=lambda one: one.digest)
        newest = {one.digest for one in sorted(by_digest, key=lambda one: one.begun_at, reverse=True)[:most]}
        _drop(self._attempts, lambda one: one.begun_at < begun_before or one.digest not in newest)

    def sweep(self, seen_before: datetime, signed_in_before: datetime, guessed_before: datetime) -> None:
        _drop(self._sessions, lambda one: one.seen_at < seen_before or one.signed_in_at < signed_in_before)
        _drop(self._guesses, lambda one: one.last_at is not None and one.last_at < guessed_before)

    def _owned(self, row: Any) -> Any:
        if row.account not in self._accounts:
            raise LookupError("a token or session needs its account")
        return row


def _drop(rows: dict[str, Any], when: Any) -> int:
    gone = [key for key, row in rows.items() if when(row)]
    for key in gone:
        del rows[key]
    return len(gone)


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__dataclass_fields__}


def _account(row: dict[str, Any]) -> Account:
    return Account(**row | {name: bool(row[name]) for name in FLAGS} | {"role": Role(row["role"])})
