"""What the readings of a period tell: waiting, agreement with the network, and the misses. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from triage.domain.level import Level
from triage.domain.share import Share
from triage.domain.verdict import LABELS, Label, Verdict
from triage.domain.waiting import Waits, waits

ASSESSED = (Level.FLAGGED, Level.NOT_FLAGGED)
SCORE_BINS = 20


class JudgedReading(NamedTuple):
    """A finished reading beside its study: the network's word as it stood then. A tuple, as there are many of them.

    One that was taken back is none. ``first``: no earlier reading of the study; ``again``: a later one.
    """

    study_instance_uid: str
    arrived_at: datetime
    stat: bool
    reader: str
    read_at: datetime
    verdict: Verdict | None
    network_level: Level
    probability: float | None
    model: str | None
    first: bool
    again: bool

    @property
    def level(self) -> Level:
        """What decided its place: a person's STAT outranks the network."""
        return Level.STAT if self.stat else self.network_level

    @property
    def wait(self) -> timedelta:
        """From arrival to reading; a clock that was put back makes no wait negative."""
        return max(timedelta(0), self.read_at - self.arrived_at)

    @property
    def found_abnormal(self) -> bool:
        """Whether the verdict says that the film shows something, whatever the network said."""
        return self.verdict is not None and LABELS.get((self.network_level, self.verdict)) is Label.ABNORMAL


class AssessedDay(NamedTuple):
    """How many studies that arrived on a (local) day one model flagged and did not flag, by the assessment that stands."""

    day: date
    model: str
    flagged: int
    not_flagged: int


class ArrivalHour(NamedTuple):
    """How many studies that arrived in one hour of the (local) day, 0 to 23, stand at one level of the network."""

    hour: int
    level: Level
    n: int


class ScoreBin(NamedTuple):
    """How many studies at one level have a probability in one of :data:`SCORE_BINS` equal bins."""

    bin: int
    level: Level
    n: int


class StillWaiting(NamedTuple):
    """Unread studies of one level, and since when the oldest waits."""

    level: Level
    n: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Waits as they were, beside those in order of arrival. ``difference``: the mean of the first minus the second, where both
    are known; above zero: they waited longer.
    """

    actual: Waits
    by_arrival: Waits
    difference: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What readers said of one word of the network."""

    agree: int
    disagree: int
    not_assessable: int
    no_verdict: int

    @property
    def agreed(self) -> Share:
        """Of those that were judged."""
        return Share(self.agree, self.agree + self.disagree)

    @property
    def disagreed(self) -> Share:
        """Of those that were judged."""
        return Share(self.disagree, self.agree + self.disagree)


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A study that the network had not flagged when a reader found it abnormal.

    ``by_arrival``: the wait in order of arrival; ``None``: it would still be waiting. A STAT study keeps its own.
    """

    reading: JudgedReading
    by_arrival: timedelta | None

    @property
    def difference(self) -> timedelta | None:
        """By how much longer it waited than in order of arrival; below zero: shorter."""
        return None if self.by_arrival is None else self.reading.wait - self.by_arrival


Moments = Mapping[str, datetime | None]
"""By study: when it would have been read in order of arrival (:func:`triage.domain.waiting.by_arrival`)."""


def wait_by_arrival(reading: JudgedReading, moments: Moments) -> timedelta | None:
    """The wait in order of arrival; a study that is not in the line (STAT, a later reading) keeps its own."""
    moment = moments.get(reading.study_instance_uid, reading.read_at) if reading.first else reading.read_at
    return None if moment is None else max(timedelta(0), moment - reading.arrived_at)


def compared(readings: Iterable[JudgedReading], moments: Moments) -> Compared:
    """The two kinds of waiting of the same studies."""
    pairs = [(one.wait, wait_by_arrival(one, moments)) for one in readings]
    both = [actual - other for actual, other in pairs if other is not None]
    return Compared(
        actual=waits(actual for actual, _ in pairs),
        by_arrival=waits(other for _, other in pairs),
        difference=sum(both, timedelta(0)) / len(both) if both else None,
    )


def waiting_by_level(readings: Iterable[JudgedReading], moments: Moments) -> dict[Level, Compared]:
    """First readings by the level that counted then; levels without one are left out."""
    groups: dict[Level, list[JudgedReading]] = {level: [] for level in Level}
    for one in readings:
        if one.first:
            groups[one.level].append(one)
    return {level: compared(group, moments) for level, group in groups.items() if group}


def agreement(readings: Iterable[JudgedReading]) -> dict[Level, Agreement]:
    """Verdicts on *flagged* and on *not flagged*, every reading of the period; a person's STAT plays no part."""
    counts = Counter((one.network_level, one.verdict) for one in readings)
    return {
        level: Agreement(
            agree=counts[level, Verdict.AGREE],
            disagree=counts[level, Verdict.DISAGREE],
            not_assessable=counts[level, Verdict.NOT_ASSESSABLE],
            no_verdict=counts[level, None],
        )
        for level in ASSESSED
    }


def misses(readings: Iterable[JudgedReading], moments: Moments) -> list[Miss]:
    """Every study not flagged at the reading and found abnormal, each once, the last read first."""
    found: dict[str, JudgedReading] = {}
    for one in sorted(readings, key=lambda one: one.read_at):
        if one.network_level is Level.NOT_FLAGGED and one.found_abnormal:
            found.setdefault(one.study_instance_uid, one)
    return [Miss(reading=one, by_arrival=wait_by_arrival(one, moments)) for one in reversed(found.values())]


def rate(days: Iterable[AssessedDay]) -> Share:
    """How many of the assessed studies are flagged."""
    pairs = [(one.flagged, one.flagged + one.not_flagged) for one in days]
    return Share(sum(hits for hits, _ in pairs), sum(n for _, n in pairs))


def rates_by_day(days: Sequence[AssessedDay]) -> dict[date, Share]:
    """The flag rate of each day that has an assessed study, the first day first."""
    return {day: rate(one for one in days if one.day == day) for day in sorted({one.day for one in days})}


def rates_by_model(days: Sequence[AssessedDay]) -> dict[str, Share]:
    """The flag rate of each model, in the order in which they first appear."""
    order = dict.fromkeys(one.model for one in sorted(days))
    return {model: rate(one for one in days if one.model == model) for model in order}


def changes_of_model(days: Iterable[AssessedDay]) -> dict[date, str]:
    """On which days a model appears that was not there before, the very first left out."""
    first: dict[str, date] = {}
    for one in sorted(days):
        first.setdefault(one.model, one.day)
    start = min(first.values(), default=None)
    return {day: model for model, day in first.items() if day != start}
