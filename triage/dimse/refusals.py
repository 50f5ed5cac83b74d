"""Who was turned away goes into the audit: by a thread of its own, as the lobby waits for nobody, not even for the database."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue

import structlog

from triage.services.audit import A_LOOK

MOST_WAITING = 256
"""Refusals on their way to the audit; what is more stands in the log only."""
MOST_REMEMBERED = 4096


class Refusals:
    """``record(address, cause)`` puts one into the audit. Of one address the same cause counts once in a quarter of an hour."""

    def __init__(self, record: Callable[[str, str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._record = record
        self._now = now
        self._lock = threading.Lock()
        self._noted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._queue: Queue[tuple[str, str] | None] = Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def note(self, address: str, cause: str) -> None:
        """Somebody was refused. From any thread; does not wait."""
        if self._is_new((address, cause)):
            with suppress(Full):
                self._queue.put_nowait((address, cause))

    def stop(self, within: float) -> None:
        """Record what waits, within so many seconds."""
        with suppress(Full):
            self._queue.put(None, timeout=within)
        self._thread.join(within)

    def _is_new(self, refused: tuple[str, str]) -> bool:
        with self._lock:
            before = self._noted.get(refused)
            if before is not None and self._now() - before < A_LOOK.total_seconds():
                return False
            self._noted[refused] = self._now()
            self._noted.move_to_end(refused)
            if len(self._noted) > MOST_REMEMBERED:
                self._noted.popitem(last=False)
            return True

    def _run(self) -> None:
        while (refused := self._queue.get()) is not None:
            try:
                self._record(*refused)
            except Exception as error:
                structlog.get_logger().error("refusal not audited", address=refused[0], kind=type(error).__name__)
