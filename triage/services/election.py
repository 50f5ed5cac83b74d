"""One of several processes, on whatever hosts, does something alone: whoever holds the lease."""

import threading
from datetime import datetime

from triage.domain.errors import IndexUnavailable
from triage.domain.schedule import LEASE, MARGIN, Lease
from triage.services.ports import Clock, Database

RENEW_EVERY = LEASE / 5


class Election:
    """``holder`` is this process's own name, never used again by another. Use :meth:`step`, or :meth:`run` in a thread."""

    def __init__(self, database: Database, name: str, holder: str, clock: Clock) -> None:
        self._database, self._name, self._holder, self._clock = database, name, holder, clock
        self._lease: Lease | None = None

    @property
    def elected(self) -> bool:
        """Whether it is ours, for a while yet: one that could not be renewed is given up before its time is over."""
        lease, now = self._lease, self._clock()
        return lease is not None and now < lease.until - MARGIN and lease.until <= now + 2 * LEASE

    def step(self) -> bool:
        """Take or renew the lease; a database that is away changes nothing before the lease runs out."""
        now: datetime = self._clock()
        try:
            with self._database.write() as transaction:
                self._lease = transaction.leases.take(self._name, self._holder, now, now + LEASE)
        except IndexUnavailable:
            pass
        return self.elected

    def still(self) -> bool:
        """Whether the database says so at this moment, too: asked before each piece of work."""
        lease = self._lease
        if lease is None or not self.elected:
            return False
        try:
            with self._database.read() as transaction:
                return transaction.leases.holds(lease, self._clock())
        except IndexUnavailable:
            return False

    def resign(self) -> None:
        """Let another one have it at once."""
        self._lease = None
        try:
            with self._database.write() as transaction:
                transaction.leases.release(self._name, self._holder)
        except IndexUnavailable:
            pass  # it runs out by itself

    def run(self, stop: threading.Event) -> None:
        """Keep at it until ``stop``, then resign."""
        while not stop.is_set():
            self.step()
            stop.wait(RENEW_EVERY.total_seconds())
        self.resign()
