"""Who is in which split: a salted hash of the patient decides, so that it stays so as data grow."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any


@dataclass(frozen=True, slots=True)
class Split:
    """The rule. ``salt`` keeps patient numbers from being guessed; ``train`` and ``val`` are shares, the rest is test.

    ``given``: the source names the split of every film itself, and only keys are made here.
    """

    salt: str
    train: float = 0.70
    val: float = 0.15
    given: bool = False

    def key(self, patient: str) -> str:
        """The patient's key in the manifest: 64 hexadecimal digits that do not tell the number."""
        return sha256(f"{self.salt}/{patient}".encode()).hexdigest()

    def of(self, patient: str) -> str:
        """``train``, ``val`` or ``test``; depends on salt, shares and the patient only."""
        place = int(sha256(f"{self.salt}/split/{patient}".encode()).hexdigest()[:12], 16) / 16**12
        return "train" if place < self.train else "val" if place < self.train + self.val else "test"

    def as_dict(self) -> dict[str, Any]:
        """For ``source.json``: the shares, and of the salt only its digest."""
        rule = {"by": "the source"} if self.given else {"by": "patient hash", "train": self.train, "val": self.val}
        return rule | {"salt_sha256": sha256(f"salt/{self.salt}".encode()).hexdigest()}
