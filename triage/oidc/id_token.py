"""The ID token: who signed it, for whom, when, and for which attempt (OpenID Connect Core 1.0, 3.1.3.7)."""

import hmac
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from joserfc.jws import JWSRegistry

from triage.domain.external import ATTEMPT_LASTS, ExternalRefused

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with a private key only: neither ``none`` nor HS256, whose key would be one that is public."""
LEEWAY = timedelta(seconds=60)
"""By how much the provider's clock may differ from ours."""
MIN_RSA_BITS, BITS_A_CHARACTER = 2048, 6
"""The modulus ``n`` comes in base64url (RFC 7518, 6.3.1.1); too short a one is not even made a key."""
UNTRUSTED = "the hospital's sign-in service gave an answer that cannot be trusted; try again, then tell the administrator"
Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the token has to say."""

    issuer: str
    client_id: str
    nonce: str
    now: datetime


def verified(token: str, keys: Mapping[str, Any], expected: Expected) -> Claims:
    """The claims of a token that holds; ``keys``: the provider's key set (RFC 7517).

    Raises:
        ExternalRefused: its ``code`` says which check it failed.
    """
    try:
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        claims = jwt.decode(token, KeySet(_signing_keys(keys)), ALGORITHMS, registry).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise ExternalRefused("token: signature", UNTRUSTED) from None  # the cause may quote the token
    for name, holds in CHECKS.items():
        if not holds(claims, expected):
            raise ExternalRefused(f"token: {name}", UNTRUSTED)
    return claims


def _signing_keys(keys: Mapping[str, Any]) -> list[Key]:
    """What may sign; keys for other purposes, of other kinds, weak or malformed ones are passed over."""
    found: list[Key] = []
    for one in keys.get("keys") or []:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":
            continue
        try:
            if one.get("kty") == "RSA":
                found += [RSAKey.import_key(one)] if len(one["n"]) * BITS_A_CHARACTER >= MIN_RSA_BITS else []
            elif one.get("kty") == "EC":
                found.append(ECKey.import_key(one))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return found


def _audience(claims: Claims, expected: Expected) -> bool:
    """We are meant."""
    given = claims.get("aud")
    return expected.client_id in (given if isinstance(given, list) else [given])


def _party(claims: Claims, expected: Expected) -> bool:
    """Where others are meant, too, it was issued to us."""
    given = claims.get("aud")
    several = isinstance(given, list) and len(given) > 1
    return claims["azp"] == expected.client_id if "azp" in claims else not several


def _expiry(claims: Claims, expected: Expected) -> bool:
    """It is not over."""
    return _number(claims.get("exp")) > (expected.now - LEEWAY).timestamp()


def _issued(claims: Claims, expected: Expected) -> bool:
    """Made just now: not in times to come, not before the attempt can have begun."""
    earliest, latest = expected.now - ATTEMPT_LASTS - LEEWAY, expected.now + LEEWAY
    return earliest.timestamp() <= _number(claims.get("iat")) <= latest.timestamp()


def _begun(claims: Claims, expected: Expected) -> bool:
    """It counts already, where it says from when."""
    return "nbf" not in claims or _number(claims["nbf"]) <= (expected.now + LEEWAY).timestamp()


def _nonce(claims: Claims, expected: Expected) -> bool:
    """Made for this attempt."""
    given = claims.get("nonce")
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.nonce.encode())


CHECKS: dict[str, Callable[[Claims, Expected], bool]] = {
    "issuer": lambda claims, expected: claims.get("iss") == expected.issuer,
    "audience": _audience,
    "authorized party": _party,
    "expired": _expiry,
    "issued at": _issued,
    "not before": _begun,
    "nonce": _nonce,
}
"""Each by the name that the audit keeps."""


def _number(value: Any) -> float:
    """Seconds since 1970; what is no number fails every comparison."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 else math.nan
