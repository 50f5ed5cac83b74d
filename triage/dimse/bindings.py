"""Which AE titles a certificate may use: its common name is its AE title, unless the settings bind it to others."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from triage.domain.identifiers import is_ae_title

_FINGERPRINT = re.compile(r"(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE | re.ASCII)
NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bindings:
    """What the settings bind. Two tables: a common name may hold 64 characters, and so could pose as a fingerprint."""

    by_name: Mapping[str, frozenset[str]] = field(default_factory=dict)
    by_fingerprint: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, bound: Mapping[str, Sequence[str]]) -> "Bindings":
        """From a table of common name or SHA-256 fingerprint (colons or not) → AE titles.

        Raises:
            ValueError: an empty name, no AE title, or something that is none.
        """
        by_name: dict[str, frozenset[str]] = {}
        by_fingerprint: dict[str, frozenset[str]] = {}
        for key, titles in bound.items():
            if not key.strip() or not titles or not all(is_ae_title(title) for title in titles):
                raise ValueError(f"{key!r}: give a common name or a SHA-256 fingerprint, and the AE titles it may use")
            allowed = frozenset(title.strip() for title in titles)
            if _FINGERPRINT.fullmatch(key):
                by_fingerprint[key.replace(":", "").lower()] = allowed
            else:
                by_name[key] = allowed
        return cls(by_name, by_fingerprint)

    def titles(self, common_name: str, fingerprint: str) -> frozenset[str]:
        """The AE titles of a certificate. ``common_name`` empty: it has none, or more than one."""
        bound = self.by_fingerprint.get(fingerprint) or self.by_name.get(common_name)
        if bound:
            return bound
        return frozenset({common_name.strip()}) if is_ae_title(common_name) else NOBODY
