"""Do something with a peer and wait for it no longer than is allowed, however slowly it answers, or not at all."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from triage.domain.delivery import PeerAway

Answer = TypeVar("Answer")


class Within:
    """One piece of work at a time, in a thread of its own: libraries limit each wait, this limits all of them together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: threading.Thread | None = None

    def run(self, work: Callable[[float], Answer], give_up: Callable[[], None] = lambda: None) -> Answer:
        """What ``work`` gives; it is told the moment (monotonic) until which it has time. ``give_up`` ends it where it hangs.

        Raises:
            PeerAway: not done in time, or a piece of work before it still hangs.
        """
        if self._last is not None and self._last.is_alive():
            raise PeerAway("the try before has not ended yet")
        job = _Job(work, time.monotonic() + self._seconds)
        self._last = job
        job.start()
        job.join(self._seconds)
        if job.is_alive():
            give_up()
            raise PeerAway(f"no answer within {self._seconds:g} s")
        return job.answer()


class _Job(threading.Thread, Generic[Answer]):
    def __init__(self, work: Callable[[float], Answer], deadline: float) -> None:
        super().__init__(name="delivery", daemon=True)
        self._work, self._deadline = work, deadline
        self._answers: list[Answer] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._answers.append(self._work(self._deadline))
        except BaseException as error:  # handed over to the thread that waits
            self._error = error

    def answer(self) -> Answer:
        if self._error is not None:
            raise self._error
        return self._answers[0]
