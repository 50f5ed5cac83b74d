"""Jobs: one per study; how long a lease lasts, how often a film may fail, how long to wait in between."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class JobState(StrEnum):
    """``waiting -> running -> done``; back to ``waiting`` after a failure, ``quarantined`` after too many."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """``lease``: how long a worker that fell silent keeps a job. ``max_attempts``: failures until quarantine."""

    max_attempts: int = 3
    lease: timedelta = timedelta(seconds=15)
    first_backoff: timedelta = timedelta(seconds=1)
    max_backoff: timedelta = timedelta(seconds=30)

    def backoff(self, attempts: int) -> timedelta:
        """The wait before the next try after ``attempts`` failures: doubling, capped."""
        doublings = min(max(0, attempts - 1), 30)  # beyond that a timedelta overflows
        return min(self.first_backoff * (1 << doublings), self.max_backoff)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A claimed job. ``token`` is the fencing token: a newer claim of the same study has a greater one.

    ``generation`` counts the study's arrivals at the time of the claim: if it moved on, the work is stale.
    """

    study_instance_uid: str
    token: int
    generation: int
    attempts: int
    lease_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """How many jobs are in which state, and since when the oldest waiting one waits."""

    waiting: int = 0
    running: int = 0
    quarantined: int = 0
    oldest_waiting_since: datetime | None = None
