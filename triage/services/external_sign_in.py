"""Signing in by the hospital's identity provider: the attempt in a browser, then the account that follows the claims."""

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

from triage.domain.account import PER_ADDRESS, Account, SignInAttempt, SignInThrottled
from triage.domain.audit import Action
from triage.domain.external import ATTEMPT_LASTS, ExternalPerson, ExternalRefused, ProviderSilent, Rules, person_of
from triage.services.accounts import Accounts
from triage.services.audit import NOBODY
from triage.services.ports import Transaction
from triage.services.reading import release_all
from triage.services.sessions import NO_ACCOUNT, digest_of, note

logger = logging.getLogger(__name__)
BY = "oidc"
"""What the audit calls this way in."""
MOST_ATTEMPTS = 1000
"""Open at the same time; to begin one takes no account, so of more the newest stay."""
START_AGAIN = "this sign-in was not begun in this browser, took too long, or was used already; begin again"
ACCOUNT_SHUT = "your account here is shut; ask the administrator"
NAME_TAKEN = "another account has your name here; ask the administrator to make it one of the hospital's sign-in"


class NotBegun(ExternalRefused):
    """A browser that was not sent to the provider comes back from there."""


class Provider(Protocol):
    """The identity provider. Adapter: :mod:`triage.oidc.provider`."""

    def authorization_url(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where to send the browser.

        Raises:
            ProviderSilent: the provider does not answer.
        """

    def claims(self, code: str, redirect_uri: str, *, verifier: str, nonce: str, issuer: str | None) -> Mapping[str, Any]:
        """What the provider says of the one who came back with ``code``, verified. ``issuer``: who sent the code, if told.

        Raises:
            ExternalRefused: it does not say, or what it says cannot be trusted.
        """

    @property
    def end_session_url(self) -> str | None:
        """Where a browser ends its session at the provider; ``None``: nowhere, or not known. Does not ask the provider."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What goes with an attempt, all drawn from the one secret in the browser's cookie: nothing else needs to be kept."""

    secret: str

    @property
    def state(self) -> str:
        """Binds the answer to the browser (RFC 6749, 10.12)."""
        return self._drawn("state")

    @property
    def nonce(self) -> str:
        """Binds the token to the attempt (OpenID Connect Core 1.0, 3.1.2.1)."""
        return self._drawn("nonce")

    @property
    def verifier(self) -> str:
        """Proves that who brings the code is who asked for it (RFC 7636, 4.1)."""
        return self._drawn("verifier")

    def _drawn(self, purpose: str) -> str:
        return sha256(f"{purpose}:{self.secret}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ExternalSignIn:
    """The steps. Refusals are counted by address, as guesses of passwords are, and audited."""

    accounts: Accounts
    rules: Rules

    def begin(self, next_page: str) -> str:
        """A new attempt; returns the secret for the browser's cookie."""
        secret = self.accounts.secret()
        with self.accounts.database.write() as tx:
            now = self.accounts.clock()
            tx.accounts.drop_attempts(now - ATTEMPT_LASTS, MOST_ATTEMPTS - 1)
            tx.accounts.put_attempt(SignInAttempt(digest=digest_of(secret), begun_at=now, next=next_page))
        return secret

    def resume(self, secret: str, state: str, address: str) -> SignInAttempt:
        """The attempt that this browser began; it can be resumed once.

        The state is judged first: an answer that is not for this browser does not depend on what its address did.

        Raises:
            NotBegun: this browser brings no attempt; nothing is counted, as anybody can send anybody here.
            ExternalRefused: the answer is another attempt's, there is no such attempt, or it is too old.
            SignInThrottled: this address was refused too often.
        """
        if not secret:
            raise NotBegun("state", START_AGAIN)
        if not hmac.compare_digest(state.encode("utf-8", "surrogatepass"), Keys(secret).state.encode()):
            raise ExternalRefused("state", START_AGAIN)
        with self.accounts.database.write() as tx:
            now = self.accounts.clock()
            wait = tx.accounts.guesses(_key(address)).waits(now, PER_ADDRESS)
            if wait > timedelta(0):
                raise SignInThrottled(wait)
            attempt = tx.accounts.take_attempt(digest_of(secret))
        if attempt is None or not timedelta(0) <= now - attempt.begun_at < ATTEMPT_LASTS:
            raise ExternalRefused("state", START_AGAIN)
        return attempt

    def enter(self, claims: Mapping[str, Any], address: str, former: str = "") -> str:
        """Open a session for whom the claims describe; returns its secret. ``former``: a session that this one replaces.

        Raises:
            ExternalRefused: no name, no role, a name that is somebody else's, or a shut account.
        """
        try:
            person = person_of(claims, self.rules)
        except ExternalRefused as refusal:
            if refusal.subject:
                self._end_all(refusal.subject)
            raise
        secret = self.accounts.secret()
        with self.accounts.database.write() as tx:
            now = self.accounts.clock()
            account = self._account(tx, person, now)
            self.accounts.open_session(tx, account, secret, now, former)
            tx.accounts.drop_guesses(_key(address))
            note(tx, now, account.name, Action.SIGN_IN, account.name, {"by": BY, "address": address})
        return secret

    def refused(self, refusal: ExternalRefused, address: str) -> None:
        """Count and audit that somebody was not signed in, unless the address waits. Of the name only an account's is kept."""
        with self.accounts.database.write() as tx:
            now, key = self.accounts.clock(), _key(address)
            if tx.accounts.guesses(key).waits(now, PER_ADDRESS) > timedelta(0):
                return  # or anybody could fill the audit
            if not isinstance(refusal, ProviderSilent):  # no guess of the person's
                tx.accounts.put_guesses(key, tx.accounts.guesses(key).failed(now, PER_ADDRESS))
            known = tx.accounts.account(refusal.who) if refusal.who else None
            details = {"what": "sign-in", "by": BY, "why": refusal.code, "address": address}
            note(tx, now, NOBODY, Action.REFUSED, known.name if known else NO_ACCOUNT, details)

    def _end_all(self, subject: str) -> None:
        """Whom the provider gives no role any more: what they opened with the former one is over; the account stays."""
        with self.accounts.database.write() as tx:
            now, account = self.accounts.clock(), tx.accounts.account_of_subject(subject)
            if account is None:
                return
            ended, revoked = tx.accounts.drop_sessions(account.name), tx.accounts.drop_tokens(account.name)
            if ended or revoked:
                details = {"what": "role taken away", "by": BY, "sessions": str(ended), "tokens": str(revoked)}
                note(tx, now, account.name, Action.USER, account.name, details)
            release_all(tx, account.name, now, actor=account.name, because="sessions ended")

    def _account(self, tx: Transaction, person: ExternalPerson, now: datetime) -> Account:
        """The person's account as the claims want it: made, bound at the first sign-in, or given the claims' role."""
        account = tx.accounts.account_of_subject(person.subject)
        if account is None:
            account = tx.accounts.account(person.name)
            if account is not None and (not account.external or account.subject is not None):
                raise ExternalRefused("name taken", NAME_TAKEN, person.name)
        if account is not None and account.disabled:
            raise ExternalRefused("disabled", ACCOUNT_SHUT, account.name)
        if account is None:
            made = Account(name=person.name, role=person.role, created_at=now, external=True, subject=person.subject)
            tx.accounts.put_account(made)
            note(tx, now, person.name, Action.USER, person.name, {"what": "added", "role": person.role.value, "by": BY})
            return made
        current, could = replace(account, role=person.role, subject=person.subject), self.accounts.can_administer(tx)
        if current != account:
            tx.accounts.put_account(current)
        if current.subject != account.subject:
            note(tx, now, account.name, Action.USER, account.name, {"what": "bound to the provider's account", "by": BY})
        if current.role is not account.role:
            tx.accounts.drop_sessions(account.name)  # what was opened with another role is over
            tx.accounts.drop_tokens(account.name)
            note(tx, now, account.name, Action.USER, account.name, {"what": f"role {person.role.value}", "by": BY})
            release_all(tx, account.name, now, actor=account.name, because="sessions ended")
        if could and not self.accounts.can_administer(tx):  # not ours to refuse: the provider decides on its people
            logger.warning("the identity provider left nobody who may look after accounts; see: triage users add")
        return current


def _key(address: str) -> str:
    """Counted apart from passwords: who fails at one way in does not shut the other."""
    return digest_of(f"{BY}:{address}")
