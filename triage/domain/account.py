"""Who may do what: roles and permissions as a table, accounts, sessions, and what a password must be. Pure."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from triage.domain.errors import TriageError


class Role(StrEnum):
    """What an account is for. Values are stored: add, never rename."""

    VIEWER = "viewer"
    RADIOLOGIST = "radiologist"
    PACS_ADMIN = "pacs_admin"
    ML_ADMIN = "ml_admin"
    AUDITOR = "auditor"
    SERVICE = "service"


class Permission(StrEnum):
    """What a route can ask for."""

    ACCOUNT = "account"
    """To be signed in: sign out, change the own password, the description of the API."""
    VIEW = "view"
    """The list, studies, previews."""
    PROBABILITY = "probability"
    """The network's number; without it a page shows the level alone."""
    FRAMES = "frames"
    """Full-resolution frames, where the setting allows them at all."""
    HEAT_MAP = "heat_map"
    """Where the network looked, where the setting allows it at all."""
    ANALYTICS = "analytics"
    """Waiting, volume, agreement, the miss ledger."""
    READ = "read"
    """Claim, release, finish a study; set and clear STAT."""
    STORE = "store"
    """Films in by DICOMweb, where the setting allows it at all."""
    METRICS = "metrics"
    """Counts and times for monitoring."""
    SYSTEM = "system"
    """Roles, disk, senders, destinations, policy."""
    USERS = "users"
    """Accounts and their roles."""
    MODELS = "models"
    """Bundles: see, activate, roll back."""
    AUDIT = "audit"
    """The audit chain."""


_P = Permission
_EVERYBODY = frozenset({_P.ACCOUNT})
_FILMS = frozenset({_P.PROBABILITY, _P.FRAMES, _P.HEAT_MAP, _P.ANALYTICS})
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _EVERYBODY | {_P.VIEW},
    Role.RADIOLOGIST: _EVERYBODY | _FILMS | {_P.VIEW, _P.READ},
    Role.PACS_ADMIN: _EVERYBODY | {_P.VIEW, _P.PROBABILITY, _P.ANALYTICS, _P.METRICS, _P.SYSTEM, _P.USERS},
    Role.ML_ADMIN: _EVERYBODY | _FILMS | {_P.VIEW, _P.METRICS, _P.MODELS},
    Role.AUDITOR: _EVERYBODY | {_P.AUDIT},
    Role.SERVICE: _EVERYBODY | _FILMS | {_P.VIEW, _P.READ, _P.METRICS, _P.STORE},
}
"""What each role may do; what is not here is denied."""


class AccountInvalid(TriageError):
    """What was given for an account cannot be used; the message says what to give."""


class LastAdministrator(AccountInvalid):
    """The change would leave nobody who may look after accounts."""


class UnknownAccount(TriageError):
    """No account has that name."""


class SignInRefused(TriageError):
    """Not signed in. The message is one and the same whatever was wrong."""


class SignInThrottled(SignInRefused):
    """Too many guesses; ``wait`` says for how long nothing is tried."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("too many attempts; wait a little and try again")
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person's or a script's account. ``password_hash`` ``None``: no sign-in by password. Times aware, UTC.

    ``external``: signs in by the identity provider; ``subject``: whom the provider means by it (``None``: nobody came yet).
    """

    name: str
    role: Role
    created_at: datetime
    password_hash: str | None = None
    must_change: bool = False
    disabled: bool = False
    external: bool = False
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser. ``digest``: of the secret in its cookie, which is stored nowhere."""

    digest: str
    account: str
    signed_in_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInAttempt:
    """A browser sent to the identity provider. ``digest``: of the secret in its cookie; ``next``: where it goes afterwards."""

    digest: str
    begun_at: datetime
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A script's credential, by its digest."""

    digest: str
    account: str
    issued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks. ``csrf``: what a change must bring along; ``None``: came with a token, which no browser sends by itself.

    ``session``: digest of the session it came with; shown nowhere. ``external``: see :class:`Account`. ``by_token``: a program.
    """

    name: str
    role: Role
    must_change: bool = False
    csrf: str | None = None
    session: str | None = field(default=None, repr=False)
    external: bool = False
    by_token: bool = False

    def may(self, permission: Permission) -> bool:
        """Whether the role grants it."""
        return permission in GRANTS.get(self.role, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long a session lasts: without a sign of its person, and at all."""

    idle: timedelta = timedelta(minutes=15)
    absolute: timedelta = timedelta(hours=12)

    def alive(self, session: Session, now: datetime) -> bool:
        """Whether the session still counts."""
        return now - session.seen_at < self.idle and now - session.signed_in_at < self.absolute


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """After ``free`` failures each further one doubles the wait, from ``first`` up to ``most``.

    ``forgives``: the time in which one failure is forgiven; ``None``: only a success makes up for them.
    """

    free: int
    first: timedelta
    most: timedelta
    forgives: timedelta | None = None

    def wait_after(self, failures: int) -> timedelta:
        """How long nothing is tried after that many failures in a row."""
        if failures < self.free:
            return timedelta(0)
        return min(self.most, self.first * (1 << min(failures - self.free, 30)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """Failures of one account or address, and until when nothing more is tried; ``None``: no wait.

    ``last_at``: up to when failures were forgiven, at most one such time before the last of them.
    """

    failures: int = 0
    until: datetime | None = None
    last_at: datetime | None = None

    def waits(self, now: datetime, throttle: Throttle) -> timedelta:
        """The wait left; never longer than the throttle's most, whatever the clock did meanwhile."""
        return timedelta(0) if self.until is None else max(timedelta(0), min(self.until - now, throttle.most))

    def failed(self, now: datetime, throttle: Throttle) -> "Guesses":
        """One more failure, after those that are forgiven by now."""
        left = self._left(now, throttle)
        failures = left.failures + 1
        wait = throttle.wait_after(failures)
        return Guesses(failures=failures, until=now + wait if wait else None, last_at=left.last_at or now)

    def succeeded(self, now: datetime, throttle: Throttle) -> "Guesses":
        """One failure less: it was counted in advance of a try that went well. Others meanwhile stay counted."""
        failures = max(0, self.failures - 1)
        wait = min(throttle.wait_after(failures), self.waits(now, throttle))
        return replace(self, failures=failures, until=now + wait if wait else None)

    def _left(self, now: datetime, throttle: Throttle) -> "Guesses":
        if throttle.forgives is None:
            return replace(self, last_at=now)
        if self.last_at is None or now < self.last_at:  # the clock was set back: begin to forgive from here
            return replace(self, last_at=now)
        forgiven = (now - self.last_at) // throttle.forgives
        if forgiven >= self.failures:
            return Guesses(last_at=now)
        return replace(self, failures=self.failures - forgiven, last_at=self.last_at + forgiven * throttle.forgives)


PER_ACCOUNT = Throttle(free=5, first=timedelta(seconds=1), most=timedelta(minutes=15))
PER_ADDRESS = Throttle(free=30, first=timedelta(seconds=1), most=timedelta(minutes=1), forgives=timedelta(seconds=30))
"""An address can be a whole hospital behind one proxy: it waits later and shorter, and what its people mistype is forgiven."""
GUESSES_FORGOTTEN_AFTER = timedelta(days=1)

MIN_PASSWORD, MAX_PASSWORD = 12, 1024
REFUSED_PASSWORDS = frozenset(
    {
        "123456789012", "1234567890123", "012345678901", "qwertyuiop12", "qwertyuiopas", "password1234", "passwordpassword",
        "password12345", "administrator", "administrator1", "adminadminadmin", "radiologist1", "radiologist123",
        "chestxraytriage", "letmeinletmein", "iloveyouiloveyou", "changemechangeme", "welcome12345", "welcomewelcome",
        "correcthorsebatterystaple",
    }
)  # fmt: skip
"""Guessed first; compared without case, spaces and punctuation."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


def account_name(text: str) -> str:
    """A name as it is stored: lower case.

    Raises:
        AccountInvalid: not 1 to 64 letters, digits, dots, dashes, underscores or @.
    """
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise AccountInvalid("name: give 1 to 64 letters, digits, dots, dashes, underscores or @, a letter or digit first")
    return name


def check_password(password: str, name: str) -> None:
    """Refuse a password that would be guessed.

    Raises:
        AccountInvalid: too short, too long, well known, or made of the name.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise AccountInvalid(f"password: give {MIN_PASSWORD} to {MAX_PASSWORD} characters, for example several words")
    bare = "".join(character for character in password.casefold() if character.isalnum())
    if bare in REFUSED_PASSWORDS or len(set(password)) < 5 or (len(name) > 3 and name in password.casefold()):
        raise AccountInvalid("password: too easily guessed; give several words that do not contain the name")
