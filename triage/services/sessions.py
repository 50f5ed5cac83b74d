"""Signing in and out, and who a secret belongs to. Secrets are stored only as digests, every step is audited."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256

from triage.domain.account import (
    GUESSES_FORGOTTEN_AFTER,
    PER_ACCOUNT,
    PER_ADDRESS,
    Account,
    Identity,
    Session,
    SessionLimits,
    SignInRefused,
    SignInThrottled,
)
from triage.domain.audit import Action, AuditEntry
from triage.services.account_store import Passwords
from triage.services.audit import NOBODY, via_of, with_way
from triage.services.ports import Clock, Database, Transaction
from triage.services.reading import release_all

SEEN_EVERY = timedelta(seconds=30)
"""A session's last sign is written at most so often: a page must not cost a disk sync."""
REFUSED_AGAIN = timedelta(minutes=1)
"""For how long somebody who asks again and again for what is refused leaves one record: a page that polls must not fill it."""
REFUSED = "name or password is wrong"
NO_ACCOUNT = "(no such account)"
"""What the audit calls a name that no account has; a name that was typed can be a password."""


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """The steps of everybody who comes in and goes. ``secret`` gives 256 random bits as text that fits a URL.

    ``passwords_allowed``: whether people may sign in by them; else only the identity provider and tokens open.
    """

    database: Database
    passwords: Passwords
    clock: Clock
    secret: Callable[[], str]
    limits: SessionLimits = field(default_factory=SessionLimits)
    passwords_allowed: bool = True

    @cached_property
    def _dummy(self) -> str:
        """Compared against where there is no such account: it must take as long as a real one."""
        return self.passwords.hash(self.secret())

    def warm_up(self) -> None:
        """Before the first sign-in: making the dummy must not be what takes time there."""
        self._dummy  # noqa: B018 - made when it is asked for

    def sign_in(self, name: str, password: str, address: str, former: str = "") -> str:
        """Check a password; returns the new session's secret, for the cookie. ``former``: a session that this one replaces.

        Raises:
            SignInThrottled: too many guesses; not even looked at.
            SignInRefused: wrong name or password, or disabled; does not say which.
        """
        known = name.strip().lower()
        keys = ((guessed(known), PER_ACCOUNT), (digest_of(f"address:{address}"), PER_ADDRESS))
        with self.database.write() as tx:  # counted before it is tried: parallel guesses cannot slip through
            now = self.clock()  # after the lock was had: a wait that began meanwhile counts
            guesses = [(key, throttle, tx.accounts.guesses(key)) for key, throttle in keys]
            wait = max(one.waits(now, throttle) for _, throttle, one in guesses)
            if wait > timedelta(0):
                raise SignInThrottled(wait)
            for key, throttle, one in guesses:
                tx.accounts.put_guesses(key, one.failed(now, throttle))
            account = tx.accounts.account(known)
        right = self.passwords.verify(account.password_hash if account and account.password_hash else self._dummy, password)
        secret = self.secret()
        with self.database.write() as tx:
            now, current = self.clock(), tx.accounts.account(known)  # disabled or changed while it was compared: too late
            granted = right and current is not None and current == account and not current.disabled and current.password_hash
            if granted and current:
                (own, _), (shared, throttle) = keys
                tx.accounts.drop_guesses(own)
                tx.accounts.put_guesses(shared, tx.accounts.guesses(shared).succeeded(now, throttle))
                self.open_session(tx, current, secret, now, former)
                note(tx, now, known, Action.SIGN_IN, known, {"address": address})
            else:
                subject = current.name if current else NO_ACCOUNT
                note(tx, now, NOBODY, Action.REFUSED, subject, {"what": "sign-in", "address": address})
        if not granted:
            raise SignInRefused(REFUSED)
        return secret

    def open_session(self, tx: Transaction, account: Account, secret: str, now: datetime, former: str) -> None:
        """The account's new session, in place of the ``former`` one, whoever's it was; what is over is swept away."""
        tx.accounts.sweep(now - self.limits.idle, now - self.limits.absolute, now - GUESSES_FORGOTTEN_AFTER)
        before = tx.accounts.session(digest_of(former)) if former else None
        if before is not None and before.account == account.name:
            tx.accounts.drop_session(before.digest)
        elif before is not None:
            self._leave(tx, before, now)
        tx.accounts.put_session(Session(digest=digest_of(secret), account=account.name, signed_in_at=now, seen_at=now))

    def by_session(self, secret: str, *, renew: bool = True) -> Identity | None:
        """Who the cookie's session is; ``renew``: a person asked, so the idle time begins anew."""
        now = self.clock()
        with self.database.read() as tx:
            session = tx.accounts.session(digest_of(secret))
            account = tx.accounts.account(session.account) if session else None
        if session is None or account is None or account.disabled or not self.limits.alive(session, now):
            return None
        if renew and now - session.seen_at >= SEEN_EVERY:
            with self.database.write() as tx:
                if tx.accounts.session(session.digest) is None:  # revoked meanwhile: must not come back
                    return None
                tx.accounts.put_session(replace(session, seen_at=now))
        return Identity(
            name=account.name,
            role=account.role,
            must_change=account.must_change,
            csrf=csrf_of(secret),
            session=session.digest,
            external=account.external,
        )

    def by_token(self, secret: str) -> Identity | None:
        """Who the bearer token is; of one who has to choose a password first it opens nothing."""
        with self.database.read() as tx:
            token = tx.accounts.token(digest_of(secret))
            account = tx.accounts.account(token.account) if token else None
        if account is None or account.disabled or account.must_change:
            return None
        return Identity(name=account.name, role=account.role, external=account.external, by_token=True)

    def sign_out(self, secret: str) -> None:
        """End the session for good; with a person's last one the claims are given back."""
        with self.database.write() as tx:
            session = tx.accounts.session(digest_of(secret))
            if session:
                self._leave(tx, session, self.clock())

    def _leave(self, tx: Transaction, session: Session, now: datetime) -> None:
        name = session.account
        tx.accounts.drop_session(session.digest)
        note(tx, now, name, Action.SIGN_OUT, name)
        if not self.open_sessions(tx, name, now):
            release_all(tx, name, now, actor=name, because="signed out")

    def open_sessions(self, tx: Transaction, name: str, now: datetime) -> list[Session]:
        """An account's sessions that are alive, the oldest first."""
        return [one for one in tx.accounts.sessions_of(name) if self.limits.alive(one, now)]

    def my_sessions(self, name: str) -> list[Session]:
        """See :meth:`open_sessions`."""
        with self.database.read() as tx:
            return self.open_sessions(tx, name, self.clock())

    def end_others(self, who: Identity) -> int:
        """End every session of the one who asks, save the one that asks; returns how many ended. With none left: the claims."""
        with self.database.write() as tx:
            now, ended = self.clock(), 0
            for one in tx.accounts.sessions_of(who.name):
                if one.digest != who.session:
                    tx.accounts.drop_session(one.digest)
                    ended += self.limits.alive(one, now)
            note(tx, now, who.name, Action.USER, who.name, {"what": f"other sessions ended: {ended}"})
            if not self.open_sessions(tx, who.name, now):
                release_all(tx, who.name, now, actor=who.name, because="sessions ended")
        return ended

    def refused(self, who: Identity, what: str) -> None:
        """Note that somebody asked for what the role does not grant; the same again within :data:`REFUSED_AGAIN` is one."""
        details = {"what": what, **via_of(who)}
        with self.database.read() as tx:
            last = tx.latest_audit_about(who.name, Action.REFUSED, who.name, json.dumps(details, sort_keys=True))
        if last is None or not timedelta(0) <= self.clock() - last.entry.at < REFUSED_AGAIN:
            with self.database.write() as tx:
                note(tx, self.clock(), who.name, Action.REFUSED, who.name, details)


def digest_of(secret: str) -> str:
    """What is stored of a secret: SHA-256; 256 random bits need no salt and no slowness."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_of(secret: str) -> str:
    """What a change in that session must bring along; tells nothing about the session's secret."""
    return sha256(b"csrf:" + secret.encode("utf-8", "surrogatepass")).hexdigest()


def guessed(name: str) -> str:
    """The key of what was guessed at an account."""
    return digest_of(f"account:{name}")


def note(
    tx: Transaction, at: datetime, actor: str, action: Action, subject: str, details: Mapping[str, str] | None = None
) -> None:
    """Audit what was done to an account."""
    tx.append_audit(AuditEntry(at=at, actor=actor, action=action, subject=subject, details=with_way(details or {})))
