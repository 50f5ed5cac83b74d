"""SIGTERM and Ctrl-C during long work: at once where nothing is lost, else at the next step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
RESUMABLE = 75
"""Exit code of work that was interrupted and can be resumed (EX_TEMPFAIL of sysexits.h)."""


class Interrupted(Exception):
    """Someone asked the work to stop; it can be resumed."""


class Stop:
    """Whether someone asked. While the work is :meth:`stepping`, only :meth:`check` stops it; otherwise the signal does."""

    def __init__(self) -> None:
        self._asked = False
        self._stepping = False

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Work that must not be cut in the middle of a step."""
        self._stepping = True
        try:
            yield
        finally:
            self._stepping = False

    def check(self) -> None:
        """Between two steps.

        Raises:
            Interrupted: someone asked.
        """
        if self._asked:
            raise Interrupted

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if not self._stepping:
            raise Interrupted


@contextmanager
def on_signal() -> Iterator[Stop]:
    """Listens to SIGTERM and Ctrl-C; the handlers of before come back at the end."""
    stop = Stop()
    before = {number: signal.signal(number, stop._note) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
