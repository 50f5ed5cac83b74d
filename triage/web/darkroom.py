"""Making previews and full frames in a process of its own (:mod:`triage.web.child`)."""

import sys
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

from triage.imaging import preview
from triage.imaging.header import read_dataset
from triage.web.child import Child, Said, work

DEADLINE_SECONDS = 10.0
PRINT_BYTES = 2 * preview.MAX_PIXELS
"""The values of the largest film that is developed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A preview or frame without its pixels; see :class:`triage.imaging.preview.Preview`."""

    width: int
    height: int
    rows: int
    columns: int
    slope: float
    intercept: float
    low: float
    high: float
    inverted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A finished preview or frame. ``raw``: 16-bit values, little endian, row by row; ``png``: 8 bit, under the default
    window, of a preview only.
    """

    facts: Facts
    raw: bytes
    png: bytes

    @property
    def size_bytes(self) -> int:
        """How much room it takes."""
        return len(self.raw) + len(self.png)


class Darkroom:
    """Develops one film at a time. ``whole``: at full resolution."""

    def __init__(
        self, deadline_seconds: float = DEADLINE_SECONDS, command: tuple[str, ...] | None = None, *, whole: bool = False
    ) -> None:
        self._child = Child(command or (sys.executable, "-m", __name__), deadline_seconds, PRINT_BYTES)
        self._whole = whole

    def develop(self, film: bytes) -> Print:
        """The preview, or the frame, of a file object.

        Raises:
            PixelError: there is none, with the reason; ``timed_out`` when it took longer than the deadline.
        """
        return self._child.ask({"whole": self._whole}, film, _printed)

    def close(self) -> None:
        """End the child, whatever it does."""
        self._child.close()


def _printed(answer: dict[str, Any], parts: list[bytes]) -> Print:
    raw, picture = parts
    facts = Facts(**answer["facts"])
    if len(raw) != 2 * facts.width * facts.height:
        raise ValueError("more or fewer values than the film has")
    return Print(facts=facts, raw=raw, png=picture)


def _develop(question: dict[str, Any], data: bytes) -> Said:
    dataset = read_dataset(BytesIO(data))
    film = preview.frame(dataset) if question["whole"] else preview.preview(dataset)
    names = ("rows", "columns", "slope", "intercept", "low", "high", "inverted")
    height, width = film.values.shape
    facts = Facts(**{name: getattr(film, name) for name in names}, height=height, width=width)
    return {"facts": asdict(facts)}, [film.values.astype("<u2").tobytes(), b"" if question["whole"] else preview.png(film)]


if __name__ == "__main__":
    work(_develop)
