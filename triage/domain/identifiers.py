"""Identifiers as the standard defines them; checked once, at the door."""

import re
from hashlib import sha256

from triage.domain.errors import CannotUnderstand, MissingIdentifier

UID_MAX_LENGTH = 64
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*", re.ASCII)
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)

DIGEST_PREFIXES = tuple(f"{number:02x}" for number in range(256))
"""The first two digits that a digest may have: what is too much to hold at once goes in these parts."""


def check_uid(value: str | None, keyword: str) -> str:
    """Return ``value`` when it is a UID (PS3.5 9.1: components without leading zeros, at most 64 characters).

    Raises:
        MissingIdentifier: absent or empty.
        CannotUnderstand: anything else; the value itself stays out of the message.
    """
    if not value:
        raise MissingIdentifier(f"{keyword} is missing")
    if len(value) > UID_MAX_LENGTH or not _UID.fullmatch(value):
        raise CannotUnderstand(f"{keyword} is not a UID")
    return value


UUID_ROOT = "2.25."
"""Root of UIDs that are an integer of 128 bits (PS3.5 B.2)."""


def derived_uid(*named: str) -> str:
    """A UID for what is named so: the same names, the same UID."""
    return UUID_ROOT + str(int.from_bytes(sha256("\n".join(named).encode()).digest()[:16], "big"))


def is_ae_title(value: str) -> bool:
    """Whether ``value`` is an AE title (PS3.5 6.2: 1 to 16 characters, no backslash, not only spaces)."""
    return bool(_AE_TITLE.fullmatch(value)) and value.strip() != ""


def digest_of(data: bytes | memoryview) -> str:
    """SHA-256 of ``data``, 64 lower-case hexadecimal digits."""
    return sha256(data).hexdigest()


def is_digest(value: str) -> bool:
    """Whether ``value`` is a digest as :func:`digest_of` writes it."""
    return bool(_DIGEST.fullmatch(value))
