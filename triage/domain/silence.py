"""When a modality that usually sends has fallen silent: learned for each AE title and hour of the week.

Silence is judged by how many films would usually have come since the last one. Films come in bursts (a study, a round on a
ward), so that a Poisson count of films would be far too sure: :data:`BURST` films count as one event. Of the weeks before, the
median of each hour counts: a holiday makes the usual no smaller, a busy day no larger.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp
from statistics import median

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
LEARNED_FROM = 6
"""Weeks that are looked at, the present one not among them."""
AT_LEAST = 3
"""Weeks of history without which nothing is said of a sender."""
BURST = 3.0
"""Films that come as one: to be on the safe side of false alarms."""
UNLIKELY = 1e-4
"""So unlikely a silence has to be. Looked at every ten minutes, it makes about one false alarm a sender in some years."""
GONE_AFTER = timedelta(days=21)
"""A sender that is silent for longer has been taken away, or replaced: no more is said of it."""
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedHour:
    """Films that came in under one calling AE title in one hour. ``hour``: when it began, aware, UTC."""

    calling_ae_title: str
    hour: datetime
    films: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A sender that has fallen silent. ``expected``: films that usually come in this time; ``an_hour``: at this hour."""

    calling_ae_title: str
    since: datetime
    expected: float
    an_hour: float

    @property
    def words(self) -> str:
        """For an administrator and for the list."""
        return (
            f"{self.calling_ae_title} has sent nothing since {self.since.astimezone():%a %H:%M}; "
            f"about {self.expected:.0f} films are usual in that time"
        )


def hour_of(moment: datetime) -> datetime:
    """When its hour began."""
    return moment - (moment - _EPOCH) % HOUR


def silent(received: Iterable[ReceivedHour], last: Mapping[str, datetime], now: datetime) -> list[Silent]:
    """Which senders are silent beyond what chance does, by AE title. ``last``: when each sent last; ``received`` reaches back
    :data:`LEARNED_FROM` weeks and one more."""
    counts: dict[str, dict[datetime, int]] = defaultdict(dict)
    for one in received:
        counts[one.calling_ae_title][one.hour] = one.films
    found = (_judge(title, counts[title], since, now) for title, since in sorted(last.items()) if title in counts)
    return [one for one in found if one is not None]


def _judge(title: str, films: Mapping[datetime, int], since: datetime, now: datetime) -> Silent | None:
    if not since < now or now - since > GONE_AFTER or min(films) > since - AT_LEAST * WEEK:
        return None
    expected, at = 0.0, hour_of(since)
    while at < now:
        part = (min(now, at + HOUR) - max(since, at)) / HOUR
        expected += part * _usual(films, at, since)
        at += HOUR
    if exp(-expected / BURST) >= UNLIKELY:
        return None
    return Silent(calling_ae_title=title, since=since, expected=expected, an_hour=_usual(films, hour_of(now), since))


def _usual(films: Mapping[datetime, int], hour: datetime, since: datetime) -> float:
    """Films of this hour of the week: the median of the weeks before the silence that are known."""
    first = min(films)
    weeks = [hour - number * WEEK for number in range(1, LEARNED_FROM + 4)]
    known = [films.get(one, 0) for one in weeks if first <= one < hour_of(since)][:LEARNED_FROM]
    return float(median(known)) if len(known) >= AT_LEAST else 0.0
