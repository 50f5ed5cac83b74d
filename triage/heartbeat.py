"""A role's sign of life: written every few seconds, so that /readyz and the list can say who fell silent."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from triage.domain.errors import TriageError
from triage.domain.role import RoleStatus
from triage.services.ports import Clock, Database

INTERVAL = timedelta(seconds=2)


class Heartbeat:
    """Use as a context manager around a role's work. ``trouble``, ``model`` and ``state`` are asked at every beat."""

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
        interval: timedelta = INTERVAL,
    ) -> None:
        self._database = database
        self._role = role
        self._clock = clock
        self._restarts = restarts
        self._trouble = trouble
        self._model = model
        self._state = state
        self._interval = interval
        self._started_at = clock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{role}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self.beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.beat("stopped")

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

    def _run(self) -> None:
        while not self._over.wait(self._interval.total_seconds()):
            self.beat()
