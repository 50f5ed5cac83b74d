"""Read films again, in turn and a slice at a time: silent damage is found while the film can still be sent again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from triage.domain.errors import ArchiveAway
from triage.domain.fault import Checked, Fault, Upkeep
from triage.domain.instance import Instance
from triage.domain.level import HeadStarts
from triage.services.condition import note_condition
from triage.services.ports import Archive, Clock, Database

PAGE = 256
"""Films whose checks are noted together."""
PAGE_BYTES = 128 << 20
"""Bytes that are read before what was found is noted; a stop loses no more work than that."""
_MICROSECOND = timedelta(microseconds=1)
MASS = 20
"""So many films in a row that are not there, and none that is: a disk that is not mounted, not films that were lost."""


@dataclass(slots=True, kw_only=True)
class Scrubbed:
    """What a slice read and found. ``faulty``: damaged or missing now; ``mended``: were so, and are whole again."""

    films: int = 0
    size_bytes: int = 0
    faulty: list[Instance] = field(default_factory=list)
    mended: list[Instance] = field(default_factory=list)


def share(upkeep: Upkeep, every: timedelta, interval: timedelta, most_bytes: int) -> int:
    """Bytes of a slice, so that slices ``interval`` apart read the whole archive every ``every``; at most ``most_bytes``."""
    part = upkeep.size_bytes * (interval // _MICROSECOND) // (every // _MICROSECOND)  # a timedelta has no room for terabytes
    return min(most_bytes, part + 1)


def keeps_up(upkeep: Upkeep, every: timedelta, interval: timedelta, most_bytes: int) -> bool:
    """Whether slices of at most ``most_bytes`` are enough for that."""
    return share(upkeep, every, interval, upkeep.size_bytes + 1) <= most_bytes


def scrub(
    archive: Archive,
    database: Database,
    head_starts: HeadStarts,
    clock: Clock,
    budget_bytes: int,
    go_on: Callable[[], None] = lambda: None,
) -> Scrubbed:
    """Films known to be faulty once more (a page of them); then those that were not read for longest, one at least, until
    ``budget_bytes`` are read or every film was. ``go_on``: called before each film; what it raises ends the slice.

    Raises:
        ArchiveAway: the disk does not answer as a disk does; nothing is noted of what it did not answer.
    """
    done, begun = Scrubbed(), clock()
    with database.read() as transaction:
        known = sorted(transaction.faulty(), key=lambda one: one.checked_at)
    _check(_due(known[:PAGE], begun, PAGE_BYTES), archive, database, head_starts, clock, go_on, done)
    left = budget_bytes
    while left > 0:
        with database.read() as transaction:
            page = _due(transaction.longest_unchecked(PAGE), begun, left)
        if not page:
            break
        _check(page, archive, database, head_starts, clock, go_on, done)
        left -= sum(one.instance.size_bytes for one in page)
    return done


def _due(page: list[Checked], begun: datetime, budget_bytes: int) -> list[Checked]:
    """Of a page those that this slice has not read yet and has room for, the first in any case."""
    due: list[Checked] = []
    room = min(budget_bytes, PAGE_BYTES)
    for one in page:
        if one.checked_at >= begun or (due and one.instance.size_bytes > room):
            break
        due.append(one)
        room -= one.instance.size_bytes
    return due


def _check(
    page: list[Checked],
    archive: Archive,
    database: Database,
    head_starts: HeadStarts,
    clock: Clock,
    go_on: Callable[[], None],
    done: Scrubbed,
) -> None:
    found: list[tuple[Checked, Fault | None]] = []
    for one in page:
        go_on()
        found.append((one, archive.fault(one.instance.digest)))
    if len(found) >= MASS and all(fault is Fault.MISSING and one.fault is None for one, fault in found):
        raise ArchiveAway(f"{len(found)} films in a row are not in the archive; is its disk mounted?")
    if found:
        with database.write() as transaction:
            now = clock()
            for one, fault in found:
                fault = note_condition(transaction, archive, one.instance, fault, head_starts, now)
                if fault is not None:
                    done.faulty.append(one.instance)
                elif one.fault is not None:
                    done.mended.append(one.instance)
    done.films += len(found)
    done.size_bytes += sum(one.instance.size_bytes for one, _ in found)
