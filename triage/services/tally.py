"""What one process counts until it is written: a dictionary under a lock, some ten microseconds a film."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from triage.domain.errors import TriageError
from triage.domain.fault import Upkeep
from triage.domain.figures import (
    ARCHIVED,
    ARCHIVED_BYTES,
    BYTES,
    FAULTY,
    FILMS,
    LISTED,
    OTHER,
    SCRUBBED_FROM,
    SENDERS,
    UNSCRUBBED,
    Figure,
    Key,
    bound_of,
)
from triage.domain.identifiers import is_ae_title
from triage.services.ports import Database


@dataclass(slots=True)
class Counted:
    """What was added since the last time, and what stands now."""

    added: dict[Key, float] = field(default_factory=dict)
    values: dict[Key, float] = field(default_factory=dict)


class Tally:
    """Thread-safe. What cannot be written is kept for the next time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = Counted()
        self._senders: set[str] = set()

    def add(self, figure: Figure, amount: float = 1.0, **labels: str) -> None:
        """Count."""
        with self._lock:
            self._add(figure.name, labels, amount)

    def observe(self, figure: Figure, value: float, **labels: str) -> None:
        """A value of a histogram; one before its time (a clock that was set) counts as 0."""
        value = max(0.0, value)
        with self._lock:
            self._add(f"{figure.name}_bucket", {**labels, "le": bound_of(figure, value)}, 1.0)
            self._add(f"{figure.name}_sum", labels, value)

    def put(self, figure: Figure, value: float, **labels: str) -> None:
        """What stands now."""
        with self._lock:
            self._counted.values[_key(figure.name, labels)] = value

    def film(self, sender: str, status: int, size_bytes: int, seconds: float) -> None:
        """A film was answered, after so long."""
        sender = self._sender(sender)
        self.add(FILMS, sender=sender, status=f"{status:04X}")
        if status == 0:
            self.add(BYTES, size_bytes, sender=sender)
            self.observe(LISTED, seconds)

    @contextmanager
    def timed(self, figure: Figure, **labels: str) -> Iterator[None]:
        """Observe how long the block takes, however it ends."""
        begun = monotonic()
        try:
            yield
        finally:
            self.observe(figure, monotonic() - begun, **labels)

    def write(self, database: Database) -> None:
        """Add it to the rows of the database, if there is anything.

        Raises:
            IndexUnavailable: it is kept for the next time.
        """
        with self._lock:
            counted, self._counted = self._counted, Counted()
        if not counted.added and not counted.values:
            return
        try:
            with database.write() as transaction:
                transaction.figures.add(counted.added)
                transaction.figures.put(counted.values)
        except TriageError:
            self._keep(counted)
            raise

    def _keep(self, counted: Counted) -> None:
        with self._lock:
            for (name, labels), amount in counted.added.items():
                self._add(name, dict(labels), amount)
            self._counted.values = counted.values | self._counted.values

    def _add(self, name: str, labels: dict[str, str], amount: float) -> None:
        key = _key(name, labels)
        self._counted.added[key] = self._counted.added.get(key, 0.0) + amount

    def _sender(self, title: str) -> str:
        """AE titles are text of the caller's choice: few of them, and only such that are some, have a series of their own."""
        if not is_ae_title(title):
            return OTHER
        with self._lock:
            if title not in self._senders and len(self._senders) >= SENDERS:
                return OTHER
            self._senders.add(title)
        return title


def tell_upkeep(tally: Tally, upkeep: Upkeep) -> None:
    """How the archive stands."""
    tally.put(ARCHIVED, upkeep.objects)
    tally.put(ARCHIVED_BYTES, upkeep.size_bytes)
    tally.put(FAULTY, upkeep.faulty)
    tally.put(UNSCRUBBED, upkeep.unchecked)
    if upkeep.oldest_check is not None:
        tally.put(SCRUBBED_FROM, upkeep.oldest_check.timestamp())


def _key(name: str, labels: dict[str, str]) -> Key:
    return name, tuple(sorted(labels.items()))
