"""How a film becomes an input tensor, as data with an id."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

NEWEST = "grey-area-percentile-2"
ALGORITHMS = frozenset({"grey-area-percentile-1", NEWEST})
"""Released algorithms. A released one is never edited: a change gets a new name, the old stays while a bundle names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessingSpec:
    """Parameters of :func:`triage.imaging.preprocess.preprocess`. ``height`` and ``width`` in pixels.

    Raises:
        ValueError: an unknown algorithm or an impossible size.
    """

    algorithm: str = NEWEST
    height: int = 128
    width: int = 128

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"unknown preprocessing algorithm {self.algorithm!r}; known: {sorted(ALGORITHMS)}")
        if not (16 <= self.height <= 2048 and 16 <= self.width <= 2048):
            raise ValueError("input height and width lie within 16..2048")

    @property
    def spec_id(self) -> str:
        """SHA-256 of the canonical JSON."""
        return sha256(json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """For ``preprocessing.json``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PreprocessingSpec":
        """The spec of a ``preprocessing.json``.

        Raises:
            ValueError: an unknown or missing key, or a value out of range.
        """
        if set(values) != set(cls.__dataclass_fields__):
            raise ValueError(f"a preprocessing spec has exactly the keys {sorted(cls.__dataclass_fields__)}")
        return cls(**values)
