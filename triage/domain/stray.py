"""What lies in the archive and has no business there."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """(code, sentence, remedy). ``remedy`` empty: the next start of the intake sees to it."""

    FILE = ("file", "a file whose name is not that of an object", "")
    MISPLACED = ("misplaced", "an object in a folder that is not its own", "")
    DIRECTORY = (
        "directory",
        "a folder where none belongs",
        "move it out of the archive; nothing in it counts",
    )
    LINK = ("link", "a symbolic link where only files belong", "put the file itself there, or remove the link")
    SPECIAL = ("special", "neither file nor folder", "remove it")

    def __init__(self, code: str, sentence: str, remedy: str) -> None:
        self.code = code
        self.sentence = sentence
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """``place``: where it lies, from the archive's folder on; ``digest``: the object that its name speaks of, if it does."""

    place: str
    kind: Kind
    digest: str | None = None
