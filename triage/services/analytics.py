"""Analytics of a period: what the database holds of it, worked out."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from triage.domain.analytics import (
    ArrivalHour,
    AssessedDay,
    JudgedReading,
    Miss,
    Moments,
    ScoreBin,
    StillWaiting,
    misses,
)
from triage.domain.level import Level
from triage.domain.period import Offset, Period, pieces
from triage.domain.waiting import LEFT_LYING, Waited, by_arrival
from triage.services.analytics_store import AnalyticsStore
from triage.services.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytics:
    """All that the page shows. ``readings``, ``moments``, ``misses``: of what was read in the period; ``hours``, ``days``,
    ``scores``: of what arrived in it; ``still_waiting`` and ``left_lying`` (how many take no place in the comparison): now.
    """

    period: Period
    now: datetime
    readings: list[JudgedReading]
    moments: Moments
    misses: list[Miss]
    hours: list[ArrivalHour]
    days: list[AssessedDay]
    scores: list[ScoreBin]
    still_waiting: list[StillWaiting]
    left_lying: int


def analytics(database: Database, period: Period, now: datetime, offset: Offset) -> Analytics:
    """Everything of a period, from one snapshot; ``offset``: the local clock's.

    Raises:
        IndexUnavailable: the database does not answer.
    """
    parts = pieces(period, offset)
    with database.read() as tx:
        store = tx.analytics
        readings = store.readings(period.since, period.until)
        line, left_lying = _line(store, readings, period, now)
        hours = Counter[tuple[int, Level]]()
        for part in parts:
            hours.update({(one.hour, one.level): one.n for one in store.arrivals_by_hour(part)})
        days = [day for part in parts for day in store.assessed_by_day(part)]
        scores = store.scores(period.since, period.until)
        still_waiting = store.still_waiting()
    moments = by_arrival(line)
    return Analytics(
        period=period,
        now=now,
        readings=readings,
        moments=moments,
        misses=misses(readings, moments),
        hours=sorted(ArrivalHour(*key, n) for key, n in hours.items()),
        days=days,
        scores=scores,
        still_waiting=still_waiting,
        left_lying=left_lying,
    )


def _line(store: AnalyticsStore, readings: list[JudgedReading], period: Period, now: datetime) -> tuple[list[Waited], int]:
    """The whole line from the arrival of the first study that was read in the period on.

    What was read before that arrival is no longer in the line, and in either order took as many moments as studies, so it can
    be left out. Readings after the period count for up to :data:`LEFT_LYING`: in order of arrival a study's turn can be then.
    """
    inside = [Waited(one.study_instance_uid, one.arrived_at, one.read_at) for one in readings if one.first and not one.stat]
    if not inside:
        return [], 0
    before = store.line(min(one.arrived_at for one in inside), period.since)
    after = store.line(period.until, min(now, period.until + LEFT_LYING))
    unread = [one for one in store.never_read() if one.arrived_at < period.until]
    waiting = [one for one in unread if one.arrived_at >= now - LEFT_LYING]
    return before + inside + after + waiting, len(unread) - len(waiting)
