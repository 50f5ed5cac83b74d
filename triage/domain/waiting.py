"""How long studies waited, and how long they would have waited in order of arrival. Pure.

First come first served with the same reading moments needs no simulation step by step. Every study that was read had arrived
before its moment, so by the k-th moment at least k studies had arrived: the k-th to arrive is there to be read at the k-th
moment, and that is what first come first served does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from math import ceil
from typing import NamedTuple

LEFT_LYING = timedelta(days=7)
"""A study unread for longer takes no place in the comparison: readers passed it by, and would have in any order."""


class Waited(NamedTuple):
    """A study in the line, and when it was first read; ``None``: not yet. A tuple, as there are many of them."""

    study_instance_uid: str
    arrived_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long ``n`` studies waited: median and 95th percentile, each a wait that occurred (nearest rank).

    ``still``: how many of them were still waiting. They count as longer than all others: ``None`` where the quantile is one
    of them, or there is no study.
    """

    n: int
    still: int
    median: timedelta | None
    p95: timedelta | None


def by_arrival(line: Sequence[Waited]) -> dict[str, datetime | None]:
    """When each study would have been read had the same moments of reading been given to studies in order of arrival.

    The line has to be whole: every study that was waiting at some time between the first and the last moment. Equal arrivals
    go by UID. ``None``: there were not enough moments for it.
    """
    arrivals = sorted((one.arrived_at, one.study_instance_uid) for one in line)
    moments = sorted(one.read_at for one in line if one.read_at is not None)
    return {uid: moment for (_, uid), moment in zip_longest(arrivals, moments)}


def waits(durations: Iterable[timedelta | None]) -> Waits:
    """The summary; ``None``: still waiting."""
    every = list(durations)
    known = sorted(one for one in every if one is not None)
    return Waits(n=len(every), still=len(every) - len(known), median=_rank(known, every, 0.5), p95=_rank(known, every, 0.95))


def _rank(known: Sequence[timedelta], every: Sequence[timedelta | None], share: float) -> timedelta | None:
    place = ceil(share * len(every)) - 1
    return known[place] if 0 <= place < len(known) else None
