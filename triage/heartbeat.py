"""A role's sign of life: written every few seconds, so that /readyz and the list can say who fell silent."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from triage.domain.errors import TriageError
from triage.domain.role import STOPPED, RoleStatus
from triage.notify import READY, notify
from triage.services.ports import Clock, Database
from triage.services.tally import Tally

INTERVAL = timedelta(seconds=2)
COUNTED_EVERY = 5
"""Beats between two times that what was counted is added to the database's rows."""
KEPT = timedelta(days=30)
"""So long the last words of a machine that is gone stay in the table; in health and metrics they count for a day."""


class Heartbeat:
    """Use as a context manager around a role's work. ``trouble``, ``model`` and ``state`` are asked at every beat.

    ``tally``: what this process counts.
    """

    def __init__(
        self,
        database: Database,
        role: str,
        *,
        clock: Clock,
        restarts: int = 0,
        trouble: Callable[[], str | None] = lambda: None,
        model: Callable[[], str | None] = lambda: None,
        state: Callable[[], str] = lambda: "running",
        tally: Tally | None = None,
        interval: timedelta = INTERVAL,
    ) -> None:
        self._database = database
        self._role = role
        self._clock = clock
        self._restarts = restarts
        self._trouble = trouble
        self._model = model
        self._state = state
        self._tally = tally or Tally()
        self._interval = interval
        self._started_at = clock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{role}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._forget()
        self.beat()
        self._thread.start()
        notify(READY)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.write()
        self.beat(STOPPED)

    def beat(self, state: str | None = None) -> None:
        """Write one sign of life; a database that does not answer is somebody else's alarm."""
        status = RoleStatus(
            role=self._role,
            pid=os.getpid(),
            started_at=self._started_at,
            beat_at=self._clock(),
            state=state or self._state(),
            restarts=self._restarts,
            trouble=self._trouble(),
            model=self._model(),
        )
        try:
            with self._database.write() as transaction:
                transaction.put_role(status)
        except TriageError as error:
            structlog.get_logger().warning("no heartbeat", cause=str(error))

    def write(self) -> None:
        """Add what was counted to the database's rows."""
        try:
            self._tally.write(self._database)
        except TriageError as error:
            structlog.get_logger().warning("figures are kept for now", cause=str(error))

    def _run(self) -> None:
        beats = 0
        while not self._over.wait(self._interval.total_seconds()):
            self.beat()
            beats += 1
            if beats % COUNTED_EVERY == 0:
                self.write()

    def _forget(self) -> None:
        try:
            with self._database.write() as transaction:
                transaction.forget_roles(self._clock() - KEPT)
        except TriageError as error:
            structlog.get_logger().warning("old signs of life stay for now", cause=str(error))
