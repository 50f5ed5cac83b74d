"""Who the hospital's identity provider says somebody is: an account's name and role, from verified claims. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from triage.domain.account import AccountInvalid, Role, SignInRefused, account_name

ATTEMPT_LASTS = timedelta(minutes=10)
"""How long somebody may take at the provider."""
MAX_SUBJECT = 255
"""Characters of ``sub`` (OpenID Connect Core 1.0, 2)."""


class ExternalRefused(SignInRefused):
    """Not signed in by the provider. ``code`` is what the audit keeps; the message says what to do, and holds no claim.

    ``subject``: of one who has no role any more, see :class:`ExternalPerson`; for ending what they opened with the former one.
    """

    def __init__(self, code: str, message: str, who: str = "", subject: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.who = who
        self.subject = subject


class ProviderSilent(ExternalRefused):
    """The provider does not answer, or not as a provider does: nobody's fault at the keyboard."""

    def __init__(self, code: str) -> None:
        super().__init__(code, "the hospital's sign-in service does not answer as it should; try again in a moment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How claims are read. ``role_claim`` may be a dotted path; of ``roles`` the first that somebody has counts."""

    issuer: str
    name_claim: str = "preferred_username"
    role_claim: str = "groups"
    roles: Mapping[str, Role]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalPerson:
    """Somebody as the provider describes them. ``subject``: the issuer and its lasting, never reused name for them."""

    subject: str
    name: str
    role: Role


def person_of(claims: Mapping[str, Any], rules: Rules) -> ExternalPerson:
    """Who it is.

    Raises:
        ExternalRefused: no lasting name, none that an account can have, or no role.
    """
    subject = claims.get("sub")
    if not (isinstance(subject, str) and 0 < len(subject) <= MAX_SUBJECT and subject.isascii() and subject.isprintable()):
        raise ExternalRefused("no subject", "the hospital's sign-in service did not say who you are; tell the administrator")
    name = _name(claims, rules.name_claim)
    held = values_at(claims, rules.role_claim)
    role = next((role for value, role in rules.roles.items() if value in held), None)
    if role is None:
        message = "your account at the hospital has no role in this service; ask the administrator for one"
        raise ExternalRefused("no role", message, name, f"{rules.issuer} {subject}")
    return ExternalPerson(subject=f"{rules.issuer} {subject}", name=name, role=role)


def values_at(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """The texts at a claim: one, or a list of them. A name with dots in it goes before a path of that spelling."""
    found: Any = claims
    if path in claims:
        found = claims[path]
    else:
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    items = found if isinstance(found, list) else [found]
    return frozenset(item for item in items if isinstance(item, str))


def _name(claims: Mapping[str, Any], claim: str) -> str:
    values = values_at(claims, claim)
    unverified = claim == "email" and claims.get("email_verified") is not True
    try:
        if len(values) != 1 or unverified:
            raise AccountInvalid
        return account_name(*values)
    except AccountInvalid:
        message = "your name at the hospital cannot be the name of an account here; tell the administrator"
        raise ExternalRefused("no account name", message) from None


def is_loopback_url(url: str) -> bool:
    """Whether a URL leads to this machine itself, where plain http can be overheard by nobody else."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe_url(url: str, *, loopback: bool = True) -> bool:
    """Whether a provider may be asked there: https, or with ``loopback`` http on this machine; no login, no fragment."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        return False
    if not (url.isascii() and url.isprintable() and " " not in url and parts.hostname) or "@" in parts.netloc or parts.fragment:
        return False
    return parts.scheme == "https" or (loopback and parts.scheme == "http" and is_loopback_url(url))
