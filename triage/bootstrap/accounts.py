"""Accounts of a site: passwords, the hospital's identity provider, and the first administrator."""

import secrets
import sys
from typing import TYPE_CHECKING

from triage.clock import utc_now
from triage.config import Settings
from triage.domain.errors import ConfigError

if TYPE_CHECKING:
    from triage.bootstrap import Site
    from triage.oidc.provider import Provider
    from triage.services.accounts import Accounts
    from triage.web.external import External


def accounts_of(site: "Site") -> "Accounts":
    """The steps around accounts, on this home's database."""
    from triage.database.passwords import Argon2
    from triage.services.accounts import Accounts

    return Accounts(
        database=site.database,
        passwords=Argon2(),
        clock=utc_now,
        secret=lambda: secrets.token_urlsafe(32),
        limits=site.settings.sessions.limits,
        passwords_allowed=site.settings.oidc.password_sign_in,
    )


def provider_of(settings: Settings) -> "Provider | None":
    """The hospital's identity provider, where the settings name one.

    Raises:
        ConfigError: the extra ``[oidc]`` is not installed.
    """
    oidc = settings.oidc
    if not oidc.issuer:
        return None
    try:
        from triage.oidc.provider import Provider
    except ImportError as error:
        raise ConfigError("oidc.issuer needs a library; install it: pip install 'chest-triage[oidc]'") from error
    return Provider(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=oidc.secret(),
        scopes=oidc.scopes,
        clock=utc_now,
    )


def external_of(site: "Site", accounts: "Accounts") -> "External | None":
    """Sign-in by :func:`provider_of`, as the pages need it."""
    from triage.services.external_sign_in import ExternalSignIn
    from triage.web.external import External

    oidc, provider = site.settings.oidc, provider_of(site.settings)
    if provider is None:
        return None
    steps = ExternalSignIn(accounts=accounts, rules=oidc.rules)
    return External(provider=provider, steps=steps, label=oidc.label, passwords=oidc.password_sign_in)


def greet_first(site: "Site", *, demo: bool) -> None:
    """At the first start make the administrator and tell the one-time password on stderr: once, and in no log line.

    A demonstration makes its own accounts (:mod:`triage.cli.demo`); without passwords the provider names the administrators.
    """
    if demo or not site.settings.oidc.password_sign_in:
        return
    with site.database.read() as transaction:
        if transaction.accounts.accounts():
            return
    if made := accounts_of(site).first_run("(first start)"):
        name, password = made
        sys.stderr.write(f"First sign-in: {name} / {password}   (told once; it has to be changed then)\n")
        sys.stderr.flush()
