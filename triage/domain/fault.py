"""What can become of a kept film on its disk."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from triage.domain.instance import Instance


class Fault(Enum):
    """(code, sentence). ``code`` is stable and goes to the database, the audit and ``triage verify``."""

    DAMAGED = ("damaged", "the bytes are not those that were received")
    MISSING = ("missing", "the film is not in the archive")

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        self.sentence = sentence

    @classmethod
    def from_code(cls, code: str) -> "Fault":
        """The fault of a stored code.

        Raises:
            ValueError: no such code.
        """
        for fault in cls:
            if fault.code == code:
                return fault
        raise ValueError(f"no fault has the code {code!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A kept film and when it was last compared with its digest; first, as it came. ``fault`` ``None``: as it should be."""

    instance: Instance
    checked_at: datetime
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How the archive stands: ``objects`` and ``size_bytes`` in all, ``faulty`` of them damaged or missing, ``unchecked`` never
    read again since they came; ``oldest_check``: what was not read for longest."""

    objects: int = 0
    size_bytes: int = 0
    faulty: int = 0
    unchecked: int = 0
    oldest_check: datetime | None = None
