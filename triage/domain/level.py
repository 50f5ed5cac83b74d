"""Levels and the head start that each gives; the one place where the reading order is defined."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum


class Level(StrEnum):
    """What decides a study's head start."""

    STAT = "stat"
    FLAGGED = "flagged"
    NOT_ASSESSED = "not_assessed"
    PENDING = "pending"
    OUT_OF_SCOPE = "out_of_scope"
    NOT_FLAGGED = "not_flagged"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadStarts:
    """Policy: by how much each level moves a study up the list. Field names are the levels'.

    Raises:
        ValueError: a head start is negative, or the order of levels would let an unflagged study outrank a flagged,
            pending or not-assessed one.
    """

    stat: timedelta = timedelta(days=30)
    flagged: timedelta = timedelta(hours=24)
    not_assessed: timedelta = timedelta(hours=24)
    pending: timedelta = timedelta(hours=24)
    out_of_scope: timedelta = timedelta(0)
    not_flagged: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if any(getattr(self, field.name) < timedelta(0) for field in fields(self)):
            raise ValueError("a head start cannot be negative")
        resting = max(self.out_of_scope, self.not_flagged)
        if min(self.flagged, self.not_assessed, self.pending) < resting:
            raise ValueError("flagged, not_assessed and pending need at least the head start of out_of_scope and not_flagged")
        if self.stat < max(self.flagged, self.not_assessed, self.pending):
            raise ValueError("stat needs the greatest head start: a human priority outranks the network")

    def of(self, level: Level) -> timedelta:
        """The head start of a level."""
        head_start: timedelta = getattr(self, level.value)
        return head_start


def reading_key(arrived_at: datetime, head_start: timedelta) -> datetime:
    """The key of a study: its arrival moved forward by its head start; the list is sorted by (key, arrival, UID).

    ``arrived_at`` is this server's receive time of the study's first instance, aware, UTC; never a header's time.
    """
    return arrived_at - head_start
