"""Other processes that receive beside the intake: many at a time, and none while it puts the archive right at its start.

The intake itself receives only after that, so it needs no place. The locks are the kernel's: they end with whoever held them.
All go in by a turnstile, which the intake holds while it waits: those who receive one after another would never let it in.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from triage.archive.strays import RECEIVING_LOCK, TURNSTILE_LOCK
from triage.domain.errors import ArchiveAway

ENDED_WITHIN = 60.0
"""Seconds in which a receipt that is under way has ended: what it copies lies on this machine's disk already."""


@contextmanager
def receiving(root: Path) -> Iterator[None]:
    """A place to receive one object in the archive at ``root``.

    Raises:
        ArchiveAway: the intake puts the archive right; try again.
    """
    away = "the intake puts the archive right; try again in a minute"
    with ExitStack() as place:
        with _locked(root, TURNSTILE_LOCK, fcntl.LOCK_SH, 0.0, away):
            place.enter_context(_locked(root, RECEIVING_LOCK, fcntl.LOCK_SH, 0.0, away))
        yield


@contextmanager
def nobody_receives(root: Path, within: float = ENDED_WITHIN) -> Iterator[None]:
    """No other process receives meanwhile; waits for those that do.

    Raises:
        ArchiveAway: one does not come to its end.
    """
    away = "another process has received an object for long; stop the web role"
    with _locked(root, TURNSTILE_LOCK, fcntl.LOCK_EX, within, away), _locked(root, RECEIVING_LOCK, fcntl.LOCK_EX, within, away):
        yield


@contextmanager
def _locked(root: Path, name: str, kind: int, within: float, otherwise: str) -> Iterator[None]:
    descriptor = os.open(root / "incoming" / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + within
        while not _had(descriptor, kind):
            if time.monotonic() >= deadline:
                raise ArchiveAway(otherwise)
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _had(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
