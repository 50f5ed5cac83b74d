"""Who is in which split: a salted hash of the patient decides, so that it stays so as data grow."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

HASH = "patient hash"
SOURCE = "the source"
"""The source names the split of every film, and only keys are made here."""
OFFICIAL_TEST = "official test list, the rest by patient hash"


@dataclass(frozen=True, slots=True)
class Split:
    """The rule. ``salt`` keeps patient numbers from being guessed; ``train`` and ``val`` are shares, the rest is test.

    ``by``: who decides: :data:`HASH`, :data:`SOURCE` or :data:`OFFICIAL_TEST`.
    """

    salt: str
    train: float = 0.70
    val: float = 0.15
    by: str = HASH

    def key(self, patient: str) -> str:
        """The patient's key in the manifest: 64 hexadecimal digits that do not tell the number."""
        return sha256(f"{self.salt}/{patient}".encode()).hexdigest()

    def of(self, patient: str) -> str:
        """``train``, ``val`` or ``test``; depends on salt, shares and the patient only."""
        place = self._place(patient)
        return "train" if place < self.train else "val" if place < self.train + self.val else "test"

    def of_rest(self, patient: str) -> str:
        """``train`` or ``val``, in the proportion of their shares: where the source itself says who is in test."""
        return "train" if self._place(patient) < self.train / (self.train + self.val) else "val"

    def as_dict(self) -> dict[str, Any]:
        """For ``source.json``: the shares, and of the salt only its digest."""
        shares = {} if self.by == SOURCE else {"train": self.train, "val": self.val}
        return {"by": self.by, **shares, "salt_sha256": sha256(f"salt/{self.salt}".encode()).hexdigest()}

    def _place(self, patient: str) -> float:
        """Where in 0..1 a patient falls."""
        return int(sha256(f"{self.salt}/split/{patient}".encode()).hexdigest()[:12], 16) / 16**12
