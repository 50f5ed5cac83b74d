"""Looking after accounts: who there is, roles, passwords, tokens. Every change is audited."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from triage.domain.account import (
    PER_ACCOUNT,
    Account,
    AccountInvalid,
    LastAdministrator,
    Role,
    SignInRefused,
    SignInThrottled,
    Token,
    UnknownAccount,
    account_name,
    check_password,
)
from triage.domain.audit import Action
from triage.services.administrators import can_administer
from triage.services.ports import Transaction
from triage.services.reading import release_all
from triage.services.sessions import Sessions, digest_of, guessed, note

FIRST_NAME = "admin"


@dataclass(frozen=True, kw_only=True)
class Accounts(Sessions):
    """The steps of those who look after accounts, and each person's own."""

    def add(self, name: str, role: Role, by: str, password: str | None = None, *, must_change: bool = False) -> Account:
        """A new account; without a password it can only use tokens.

        Raises:
            AccountInvalid: the name is taken or malformed, or the password would be guessed.
        """
        name = account_name(name)
        kept = self._hashed(password, name) if password is not None else None
        account = Account(name=name, role=role, created_at=self.clock(), password_hash=kept, must_change=must_change)
        with self.database.write() as tx:
            if tx.accounts.account(name):
                raise AccountInvalid(f"{name}: there is such an account already; choose another name")
            tx.accounts.put_account(account)
            note(tx, account.created_at, by, Action.USER, name, {"what": "added", "role": role.value})
        return account

    def first_run(self, by: str, *, must_change: bool = True) -> tuple[str, str] | None:
        """The first administrator's name and one-time password; ``None``: there are accounts already."""
        with self.database.read() as tx:
            if tx.accounts.accounts():
                return None
        password = self.secret()
        try:
            self.add(FIRST_NAME, Role.PACS_ADMIN, by, password, must_change=must_change)
        except AccountInvalid:  # another process was quicker
            return None
        return FIRST_NAME, password

    def is_external(self, name: str) -> bool:
        """Whether there is such an account and the identity provider signs it in."""
        with self.database.read() as tx:
            account = tx.accounts.account(name)
        return account is not None and account.external

    def issue_token(self, name: str, by: str, *, any_role: bool = False) -> str:
        """A new token of a program's account; told once, stored as its digest.

        ``any_role``: of a person's, too; for the operator of the machine, who can do everything there anyway.

        Raises:
            UnknownAccount: no such account.
            AccountInvalid: it is a person's: whoever issues it could act as them.
        """
        secret = self.secret()
        with self.database.write() as tx:
            account, now = _existing(tx, name), self.clock()
            if account.role is not Role.SERVICE and not any_role:
                raise AccountInvalid(f"token: {account.name} is a person's account; give one to an account of role service")
            tx.accounts.put_token(Token(digest=digest_of(secret), account=account.name, issued_at=now))
            note(tx, now, by, Action.USER, account.name, {"what": "token issued"})
        return secret

    def my_tokens(self, name: str) -> list[Token]:
        """An account's tokens, the oldest first."""
        with self.database.read() as tx:
            return [one for one in tx.accounts.tokens() if one.account == name]

    def revoke_tokens(self, name: str, by: str) -> int:
        """Make every token of an account worthless; returns how many there were.

        Raises:
            UnknownAccount: no such account.
        """
        with self.database.write() as tx:
            account = _existing(tx, name)
            revoked = tx.accounts.drop_tokens(account.name)
            note(tx, self.clock(), by, Action.USER, account.name, {"what": "tokens revoked"})
        return revoked

    def change_password(self, name: str, present: str, new: str) -> None:
        """A person's own change, with the present password as proof; guesses at it are throttled as at the sign-in.

        Raises:
            SignInRefused: the present password is wrong, or was guessed at too often.
            AccountInvalid: the new one would be guessed.
        """
        key = guessed(name)
        with self.database.write() as tx:
            now, guesses = self.clock(), tx.accounts.guesses(key)
            if (wait := guesses.waits(now, PER_ACCOUNT)) > timedelta(0):
                raise SignInThrottled(wait)
            tx.accounts.put_guesses(key, guesses.failed(now, PER_ACCOUNT))
            account = _existing(tx, name)
        if not self.passwords.verify(account.password_hash or self._dummy, present):
            raise SignInRefused("the present password is wrong")
        with self.database.write() as tx:
            tx.accounts.drop_guesses(key)
        self.set_password(name, new, name)

    def set_password(self, name: str, password: str, by: str, *, must_change: bool = False) -> None:
        """Another password; ends every session and token of the account, and forgets what was guessed at it.

        One of the identity provider's is a local one then.

        Raises:
            UnknownAccount: no such account.
            AccountInvalid: it would be guessed, or is the present one.
        """
        with self.database.read() as tx:
            before = _existing(tx, name)
        if before.password_hash and self.passwords.verify(before.password_hash, password):
            raise AccountInvalid("password: give another one than the present one")
        kept = self._hashed(password, before.name)

        def changed(one: Account) -> Account:
            return replace(one, password_hash=kept, must_change=must_change, external=False, subject=None)

        self._change(name, by, "password", changed, forget=True)

    def set_external(self, name: str, by: str) -> None:
        """From now on the account signs in by the identity provider: no password; the next one who comes by that name has it.

        Its sessions end, its tokens are revoked.

        Raises:
            UnknownAccount: no such account.
            LastAdministrator: nobody would be left who may look after accounts.
        """

        def changed(one: Account) -> Account:
            return replace(one, password_hash=None, must_change=False, external=True, subject=None)

        self._change(name, by, "external", changed)

    def set_disabled(self, name: str, disabled: bool, by: str) -> None:
        """Shut or open an account; shutting ends its sessions and revokes its tokens, opening forgets what was guessed at it.

        Raises:
            UnknownAccount: no such account.
            LastAdministrator: nobody would be left who may look after accounts.
        """
        what = "disabled" if disabled else "enabled"
        self._change(name, by, what, lambda one: replace(one, disabled=disabled), forget=not disabled)

    def set_role(self, name: str, role: Role, by: str) -> None:
        """Another role; ends every session and revokes every token of the account.

        Raises:
            UnknownAccount: no such account.
            LastAdministrator: nobody would be left who may look after accounts.
        """
        self._change(name, by, f"role {role.value}", lambda one: replace(one, role=role))

    def end_sessions(self, name: str, by: str) -> int:
        """Sign an account out everywhere; returns how many sessions ended.

        Raises:
            UnknownAccount: no such account.
        """
        with self.database.write() as tx:
            account = _existing(tx, name)
            ended, now = tx.accounts.drop_sessions(account.name), self.clock()
            note(tx, now, by, Action.USER, account.name, {"what": "sessions ended"})
            release_all(tx, account.name, now, actor=by, because="sessions ended")
        return ended

    def _change(self, name: str, by: str, what: str, change: Callable[[Account], Account], *, forget: bool = False) -> None:
        with self.database.write() as tx:
            account, could = _existing(tx, name), self.can_administer(tx)
            tx.accounts.put_account(change(account))
            tx.accounts.drop_sessions(account.name)
            tx.accounts.drop_tokens(account.name)
            if could and not self.can_administer(tx):  # nothing of the above is kept then
                raise LastAdministrator(
                    f"{account.name} is the last who may look after accounts; give another one that role first"
                )
            if forget:
                tx.accounts.drop_guesses(guessed(account.name))
            now = self.clock()
            note(tx, now, by, Action.USER, account.name, {"what": what})
            release_all(tx, account.name, now, actor=by, because="sessions ended")

    def can_administer(self, tx: Transaction) -> bool:
        """See :func:`triage.services.administrators.can_administer`."""
        return can_administer(tx, passwords_allowed=self.passwords_allowed)

    def _hashed(self, password: str, name: str) -> str:
        check_password(password, name)
        return self.passwords.hash(password)


def _existing(tx: Transaction, name: str) -> Account:
    account = tx.accounts.account(name.strip().lower())
    if account is None:
        raise UnknownAccount("no account has this name; see: triage users list")
    return account
