"""Previews and full frames, each film opened in a child of its own (:mod:`triage.sandbox`)."""

from dataclasses import dataclass
from typing import Any, BinaryIO

from triage.domain.errors import FilmsUnavailable, PixelError
from triage.domain.reason import Reason
from triage.imaging import preview
from triage.sandbox.child import COMMAND, Child
from triage.web.shelf import Busy

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
        self, deadline_seconds: float = DEADLINE_SECONDS, command: tuple[str, ...] = COMMAND, *, whole: bool = False
    ) -> None:
        self._child = Child(deadline_seconds, PRINT_BYTES, command)
        self._question = {"do": "frame" if whole else "preview"}

    def develop(self, film: BinaryIO) -> Print:
        """The preview, or the frame, of a file object.

        Raises:
            PixelError: there is none, with the reason; ``timed_out`` when it took longer than the deadline.
            Busy: no film can be opened at this moment.
        """
        try:
            return self._child.ask(self._question, film, _printed)
        except FilmsUnavailable as error:
            raise Busy(str(error)) from None

    def close(self) -> None:
        """End the child, whatever it does."""
        self._child.close()


def _printed(answer: dict[str, Any], parts: list[bytes]) -> Print:
    if "reason" in answer:
        raise PixelError(Reason.from_code(answer["reason"]))
    raw, picture = parts
    facts = Facts(**answer["facts"])
    if len(raw) != 2 * facts.width * facts.height:
        raise ValueError("more or fewer values than the film has")
    return Print(facts=facts, raw=raw, png=picture)
