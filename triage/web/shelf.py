"""Finished work, kept for a while: the next reader of the same film does not wait."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from triage.domain.errors import PixelError, TriageError
from triage.domain.reason import Reason

PASSING = frozenset({Reason.NO_IMAGE, Reason.NO_MODEL})
"""Reasons that are not remembered: a film may come back from a backup, a model may be activated."""
TIMED_OUT_SECONDS = 60.0
"""So long it is remembered that a film took too long: perhaps the machine was busy, not the film slow."""
_SMALL = 1024


class Busy(TriageError):
    """Too many films are being worked on; the same request may succeed in a second."""

    retry = True


class Sized(Protocol):
    """What can be kept."""

    @property
    def size_bytes(self) -> int:
        """How much room it takes."""


T = TypeVar("T", bound=Sized)


class Shelf(Generic[T]):
    """Work by key, least recently wanted dropped beyond ``capacity_bytes`` (one piece that is larger stays alone). Thread-safe.

    At most ``waiting`` callers make something or wait for it at the same time. Failures are remembered, too: a film that
    kills its decoder does so once, and one that took too long does so once a minute. ``clock`` counts seconds.
    """

    def __init__(self, capacity_bytes: int, waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity_bytes
        self._clock = clock
        self._kept: OrderedDict[str, tuple[T | Reason, float]] = OrderedDict()
        """What, and until when it counts."""
        self._bytes = 0
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(waiting)

    def get(self, key: str, make: Callable[[], T]) -> T:
        """What is kept under ``key``, else what ``make`` gives.

        Raises:
            PixelError: there is none; raised by ``make`` now or before.
            Busy: try again in a second.
        """
        kept = self._look(key)
        if kept is None:
            if not self._places.acquire(blocking=False):
                raise Busy("too many films are being worked on")
            try:
                kept = self._look(key) or self._made(key, make)
            finally:
                self._places.release()
        if isinstance(kept, Reason):
            raise PixelError(kept)
        return kept

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """How much is kept."""
        return self._bytes

    def _look(self, key: str) -> T | Reason | None:
        with self._lock:
            kept, until = self._kept.get(key, (None, math.inf))
            if kept is None or self._clock() >= until:
                return None
            self._kept.move_to_end(key)
            return kept

    def _made(self, key: str, make: Callable[[], T]) -> T | Reason:
        made: T | Reason
        try:
            made = make()
        except PixelError as error:
            made = error.reason
        if isinstance(made, Reason) and made in PASSING:
            return made
        until = self._clock() + TIMED_OUT_SECONDS if made is Reason.TIMED_OUT else math.inf
        with self._lock:
            self._bytes += _size(made) - (_size(self._kept.pop(key)[0]) if key in self._kept else 0)
            self._kept[key] = (made, until)
            while self._bytes > self._capacity and len(self._kept) > 1:
                self._bytes -= _size(self._kept.popitem(last=False)[1][0])
        return made


def _size(kept: Sized | Reason) -> int:
    return _SMALL if isinstance(kept, Reason) else kept.size_bytes
