"""Finished previews, kept for a while: the next reader of the same film does not wait."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import BinaryIO

from triage.domain.errors import PixelError, TriageError
from triage.domain.reason import Reason
from triage.web.darkroom import Darkroom, Print

CAPACITY_BYTES = 96 << 20
"""About forty films of 1024 × 1024."""
WAITING = 8
"""Requests that may wait for a film to be made at the same time; each holds a thread that the list needs as well."""
LARGEST_OBJECT = 256 << 20
_SMALL = 1024

Films = Callable[[str], BinaryIO]
"""Opens a kept object by its digest; raises FileNotFoundError."""


class Busy(TriageError):
    """Too many films are being made; the same request may succeed in a second."""

    retry = True


class Previews:
    """Previews by digest, least recently wanted ones dropped beyond ``capacity_bytes``. Thread-safe.

    Films without a preview are remembered, too: one that kills its decoder does so once.
    """

    def __init__(self, films: Films, darkroom: Darkroom, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._films = films
        self._darkroom = darkroom
        self._capacity = capacity_bytes
        self._kept: OrderedDict[str, Print | Reason] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(WAITING)

    def of(self, digest: str) -> Print:
        """The preview of a kept object.

        Raises:
            PixelError: there is none; the reason's sentence is what the page shows.
            Busy: try again in a second.
        """
        kept = self._look(digest)
        if kept is None:
            if not self._places.acquire(blocking=False):
                raise Busy("too many previews are being made")
            try:
                kept = self._look(digest) or self._make(digest)
            finally:
                self._places.release()
        if isinstance(kept, Reason):
            raise PixelError(kept)
        return kept

    def close(self) -> None:
        """Forget all and end the child."""
        self._darkroom.close()
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """How much is kept."""
        return self._bytes

    def _look(self, digest: str) -> Print | Reason | None:
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
            return self._kept.get(digest)

    def _make(self, digest: str) -> Print | Reason:
        made: Print | Reason
        try:
            with self._films(digest) as stream:
                film = stream.read(LARGEST_OBJECT + 1)
        except FileNotFoundError:
            return Reason.NO_IMAGE  # not remembered: it may come back from a backup
        try:
            made = self._darkroom.develop(film) if len(film) <= LARGEST_OBJECT else Reason.CANNOT_DECODE
        except PixelError as error:
            made = error.reason
        with self._lock:
            self._bytes += _size(made) - (_size(self._kept.pop(digest)) if digest in self._kept else 0)
            self._kept[digest] = made
            while self._bytes > self._capacity and len(self._kept) > 1:
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        return made


def _size(kept: Print | Reason) -> int:
    return _SMALL if isinstance(kept, Reason) else len(kept.raw) + len(kept.png)
