"""What the routes need of the world, handed in once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from triage.services.ports import Clock, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The database, the clock, the room left in the archive, and whether this is a demonstration.

    ``heartbeat_limit``: a role that was silent for longer counts as not running.
    """

    database: Database
    clock: Clock
    free_bytes: Callable[[], int]
    demo: bool = False
    heartbeat_limit: timedelta = timedelta(seconds=10)
