"""The identity provider: where to send a browser, and what a code that comes back is worth. Only its own issuer is asked."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

from triage.domain.external import ExternalRefused, ProviderSilent, is_loopback_url, is_safe_url
from triage.oidc.fetch import Fetcher
from triage.oidc.id_token import UNTRUSTED, Expected, verified

WELL_KNOWN = "/.well-known/openid-configuration"
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
REMEMBERED_SECONDS = 60
"""How long a discovery document serves: a provider that is away is noticed, a crowd at eight o'clock does not ask each time."""


@dataclass(kw_only=True)
class Provider:
    """See :class:`triage.services.external_sign_in.Provider`. Without ``client_secret``: a public client, with PKCE alone."""

    issuer: str
    client_id: str
    clock: Callable[[], datetime]
    client_secret: str = field(default="", repr=False)
    scopes: str = "openid profile"
    fetcher: Fetcher = field(default_factory=Fetcher)
    _known: tuple[datetime, dict[str, Any]] | None = field(default=None, init=False, repr=False)

    def authorization_url(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where to send the browser (RFC 6749, 4.1.1; RFC 7636, 4.3)."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        return _with_query(self._document()["authorization_endpoint"], asked)

    def claims(self, code: str, redirect_uri: str, *, verifier: str, nonce: str, issuer: str | None) -> Mapping[str, Any]:
        """Exchange the code for an ID token and verify it."""
        document = self._document()
        told = document.get("authorization_response_iss_parameter_supported") is True
        if (issuer is not None or told) and issuer != self.issuer:  # RFC 9207: another provider's answer
            raise ExternalRefused("mix-up", UNTRUSTED)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        headers: dict[str, str] = {}
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self.client_secret and "client_secret_basic" in methods:
            headers = {"Authorization": _basic(self.client_id, self.client_secret)}
        else:
            form |= {"client_id": self.client_id} | ({"client_secret": self.client_secret} if self.client_secret else {})
        answer = self.fetcher.fetch(document["token_endpoint"], form, headers)
        if answer.status in (400, 401, 403):
            raise ExternalRefused("code", "the hospital's sign-in service does not know this sign-in; begin again")
        token = (answer.body or {}).get("id_token")
        if answer.status != 200 or not isinstance(token, str):
            raise ProviderSilent("provider: no token")
        keys = self.fetcher.fetch(document["jwks_uri"])
        if keys.status != 200 or keys.body is None:
            raise ProviderSilent("provider: no keys")
        expected = Expected(issuer=self.issuer, client_id=self.client_id, nonce=nonce, now=self.clock())
        return verified(token, keys.body, expected)

    @property
    def end_session_url(self) -> str | None:
        """See :class:`triage.services.external_sign_in.Provider`."""
        url = self._known[1].get("end_session_endpoint") if self._known else None
        return _with_query(url, {"client_id": self.client_id}) if isinstance(url, str) and self._is_safe(url) else None

    def _document(self) -> dict[str, Any]:
        """The discovery document (OpenID Connect Discovery 1.0, 4)."""
        now = self.clock()
        if self._known and 0 <= (now - self._known[0]).total_seconds() < REMEMBERED_SECONDS:
            return self._known[1]
        answer = self.fetcher.fetch(self.issuer.rstrip("/") + WELL_KNOWN)
        document = answer.body
        if answer.status != 200 or document is None:
            raise ProviderSilent("provider: no discovery document")
        if document.get("issuer") != self.issuer:
            raise ProviderSilent("provider: discovery document of another issuer")
        if not all(isinstance(document.get(name), str) and self._is_safe(document[name]) for name in NEEDED):
            raise ProviderSilent("provider: discovery document without safe addresses")
        self._known = (now, document)
        return document

    def _is_safe(self, url: str) -> bool:
        return is_safe_url(url, loopback=is_loopback_url(self.issuer))


def _challenge(verifier: str) -> str:
    """What is told of the verifier beforehand (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def _basic(client_id: str, secret: str) -> str:
    """Client authentication (RFC 6749, 2.3.1): both parts are form-encoded first."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


def _with_query(url: str, more: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(more)}"
