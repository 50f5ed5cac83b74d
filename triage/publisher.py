"""The publisher: one thread for each destination, so that one that does not answer holds up none of the others."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from triage.domain.delivery import LEASE_BEYOND
from triage.domain.errors import TriageError
from triage.services.ports import Clock, Database
from triage.services.publish import publish
from triage.services.transport import Transport

POLL = timedelta(seconds=1)
"""How often an idle publisher looks for results that nobody rings for: one indexed read."""
WATCH = timedelta(seconds=1)
DRAIN = timedelta(seconds=15)
"""So long the results at hand may take at SIGTERM; then their connections are closed, and they are sent again after the next
start."""
EXIT_HUNG = 70


class Publisher:
    """One destination. ``wait(stop, seconds)`` returns when there may be work, or after so many seconds."""

    def __init__(
        self,
        *,
        destination: str,
        transport: Transport,
        database: Database,
        within: timedelta,
        clock: Clock,
        chance: Callable[[], float],
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
        reached: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.destination = destination
        self._transport = transport
        self._database = database
        self._within = within
        self._clock = clock
        self._chance = chance
        self._wait = wait
        self._reached = reached
        self._since = float("inf")

    @property
    def hangs(self) -> bool:
        """Whether a step lasts longer than the claim that it was begun with."""
        return time.monotonic() - self._since > (self._within + LEASE_BEYOND).total_seconds()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``; the result at hand is sent first."""
        while not stop.is_set():
            try:
                busy = self.step()
            except Exception as error:  # nothing may end this thread: its results would never go out
                cause = str(error) if isinstance(error, TriageError) else type(error).__name__
                structlog.get_logger().error("publisher failed", destination=self.destination, cause=cause)
                busy = False
            if not busy:
                self._wait(stop, POLL.total_seconds())
        self._transport.close()

    def hang_up(self) -> None:
        """Close the connection at hand, from another thread."""
        self._transport.close()

    def step(self) -> bool:
        """Send one result if one is due; ``False``: none is."""
        self._since = time.monotonic()
        try:
            return publish(
                self._database,
                self.destination,
                self._transport,
                self._within,
                self._clock,
                self._chance,
                self._reached,
            )
        finally:
            self._since = float("inf")


def run_publishers(
    publishers: Sequence[Publisher],
    stop: threading.Event,
    hung: Callable[[], None] | None = None,
    drain: timedelta = DRAIN,
) -> None:
    """Each in its own thread, until ``stop``; returns when each has finished what it was at, or ``drain`` is over.

    ``hung``: called when one hangs in foreign code, which cannot be interrupted; without it the process ends itself, and what
    was under way is sent again.
    """
    threads = [threading.Thread(target=one.run, args=(stop,), name=f"publish to {one.destination}") for one in publishers]
    for thread in threads:
        thread.daemon = True
        thread.start()
    while not stop.wait(WATCH.total_seconds()):
        for one in publishers:
            if one.hangs:
                structlog.get_logger().error("delivery hangs", destination=one.destination)
                (hung or (lambda: os._exit(EXIT_HUNG)))()
    deadline = time.monotonic() + drain.total_seconds()
    for one, thread in zip(publishers, threads, strict=True):
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            structlog.get_logger().warning("delivery left unfinished", destination=one.destination)
            one.hang_up()


def trouble_of(database: Database, names: Sequence[str], clock: Clock) -> str | None:
    """What keeps results from these destinations, for the heartbeat, or ``None``."""
    try:
        with database.read() as transaction:
            found = [one for one in transaction.deliveries.destinations() if one.name in names]
    except TriageError:
        return None  # the database's own trouble
    troubles = [trouble for one in found if (trouble := one.trouble(clock()))]
    return "; ".join(troubles) or None
