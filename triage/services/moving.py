"""Of all hosts that share an object store one moves objects between the kept ones and the quarantine at a time."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from triage.domain.errors import ArchiveAway
from triage.domain.schedule import LEASE
from triage.services.election import Election
from triage.services.ports import Clock, Database

NAME = "archive"
WITHIN = 2 * LEASE.total_seconds()
"""Seconds to wait: one that died in the middle is waited for until its lease is over."""
LOOK_EVERY = 0.05


@contextmanager
def moving(database: Database, clock: Clock, within: float = WITHIN) -> Iterator[None]:
    """Hold the lease, kept alive for as long as it takes.

    Raises:
        ArchiveAway: another one holds it for long, or the database does not answer.
    """
    election = Election(database, NAME, f"{NAME} {secrets.token_hex(8)}", clock)
    deadline = time.monotonic() + within
    while not election.step():
        if time.monotonic() > deadline:
            raise ArchiveAway("another host has moved objects for long: an intake starts, or a decision is written")
        time.sleep(LOOK_EVERY)
    stop = threading.Event()
    thread = threading.Thread(target=election.run, args=(stop,), name="moving", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
