"""Previews and full frames, each film opened in a child of its own (:mod:`triage.sandbox`)."""

import math
import struct
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from triage.domain.errors import DeadlyFilm, FilmsUnavailable, PixelError
from triage.domain.reason import Reason
from triage.imaging import preview
from triage.sandbox.child import COMMAND, Child
from triage.web.shelf import Busy

DEADLINE_SECONDS = 10.0
PRINT_BYTES = 2 * preview.MAX_PIXELS
"""The values of the largest film that is developed."""
PNG_FRAMING = 4096
"""Bytes that a PNG may have beside its pixels, which compression may make a little longer."""


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
        self, deadline_seconds: float = DEADLINE_SECONDS, command: tuple[str, ...] = COMMAND, *, whole: bool = False
    ) -> None:
        self._child = Child(deadline_seconds, PRINT_BYTES, command)
        self._whole = whole
        self._question = {"do": "frame" if whole else "preview"}

    def develop(self, film: BinaryIO) -> Print:
        """The preview, or the frame, of a file object.

        Raises:
            PixelError: there is none, with the reason; ``timed_out`` when it took longer than the deadline.
            Busy: no film can be opened at this moment.
        """
        try:
            return self._child.ask(self._question, film, partial(printed, whole=self._whole))
        except (FilmsUnavailable, DeadlyFilm) as error:
            raise Busy(str(error)) from None

    def close(self) -> None:
        """End the child, whatever it does."""
        self._child.close()


def printed(answer: dict[str, Any], parts: list[bytes], *, whole: bool = False) -> Print:
    """The print that a child says. ``whole``: a frame, which has every pixel of its film and no picture.

    Raises:
        PixelError: it says that there is none, with the reason.
        ValueError, TypeError, KeyError, OverflowError: it is none.
    """
    if "reason" in answer:
        raise PixelError(Reason.from_code(answer["reason"]))
    raw, png = parts
    facts = _facts(answer["facts"])
    size, film = (facts.height, facts.width), (facts.rows, facts.columns)
    longest = max(film) if whole else preview.LONGEST_SIDE
    if max(size) > longest or size[0] > film[0] or size[1] > film[1] or (whole and size != film):
        raise ValueError("not the size of its film")
    if len(raw) != 2 * facts.width * facts.height:
        raise ValueError("more or fewer values than the film has")
    if png if whole else not _is_picture(png, facts):
        raise ValueError("not the picture of these values")
    return Print(facts=facts, raw=raw, png=png)


def _facts(said: dict[str, Any]) -> Facts:
    """Facts of the right types, within bounds: they go into pages as they are."""
    facts = Facts(**said)
    sides = (facts.width, facts.height, facts.rows, facts.columns)
    numbers = (facts.slope, facts.intercept, facts.low, facts.high)
    if not all(type(side) is int and side >= 1 for side in sides) or facts.rows * facts.columns > preview.MAX_PIXELS:
        raise ValueError("no size")
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise ValueError("no numbers")
    if not (facts.slope > 0 and facts.low <= facts.high and type(facts.inverted) is bool):
        raise ValueError("no values")
    return facts


def _is_picture(png: bytes, facts: Facts) -> bool:
    """Whether it begins as an 8-bit grey PNG of this size does (ISO/IEC 15948, 11.2.2), and is no longer than one may be."""
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", facts.width, facts.height, 8, 0)
    return png.startswith(header) and len(png) <= 2 * facts.width * facts.height + PNG_FRAMING
