"""Previews and full frames by the digest of their film, each on a shelf of its own: frames push no preview out."""

from collections.abc import Callable
from typing import BinaryIO

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.web.darkroom import Darkroom, Print
from triage.web.shelf import Shelf

CAPACITY_BYTES = 96 << 20
"""About forty previews of 1024 × 1024; six frames of 15 MB, or one of the largest (80 MB)."""
WAITING = 8
"""Requests that may wait for a preview to be made at the same time; each holds a thread that the list needs as well."""
FRAMES_WAITING = 2
"""The same for frames, of up to 80 MB each."""

Films = Callable[[str], BinaryIO]
"""Opens a kept object by its digest; raises FileNotFoundError."""


class Previews:
    """Finished prints of kept films. Thread-safe."""

    def __init__(self, films: Films, darkroom: Darkroom, capacity_bytes: int = CAPACITY_BYTES, waiting: int = WAITING) -> None:
        self._films = films
        self._darkroom = darkroom
        self._shelf: Shelf[Print] = Shelf(capacity_bytes, waiting)

    def of(self, digest: str) -> Print:
        """The print of a kept object.

        Raises:
            PixelError: there is none; the reason's sentence is what the page shows.
            Busy: try again in a second.
        """
        return self._shelf.get(digest, lambda: self._make(digest))

    def close(self) -> None:
        """Forget all and end the child."""
        self._darkroom.close()
        self._shelf.clear()

    def _make(self, digest: str) -> Print:
        with taken_out(self._films, digest) as film:
            return self._darkroom.develop(film)

    @property
    def held_bytes(self) -> int:
        """How much is kept."""
        return self._shelf.held_bytes


def taken_out(films: Films, digest: str) -> BinaryIO:
    """A kept film, open.

    Raises:
        PixelError: it is not there.
    """
    try:
        return films(digest)
    except FileNotFoundError:
        raise PixelError(Reason.NO_IMAGE, "the object is not in the archive") from None
