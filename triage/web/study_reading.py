"""Who reads a study and who has read it, as the study page shows it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from triage.domain.reading import FinishedReading, as_of
from triage.domain.study import ReadingState, Study
from triage.domain.worklist import level_words
from triage.web.rows import word
from triage.web.text import clock_time, full_time, lines, plain

MOST_BETWEEN_RENEWALS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The present state; ``network_then``: what the network had said when the verdict was given; else what it says now."""

    state: str
    reader: str
    mine: bool
    since: str
    since_full: str
    since_iso: str
    verdict: str
    network: str
    network_then: str
    stat: bool
    words: str
    images: int
    assessed_iso: str
    renew_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A verdict of the history."""

    at_full: str
    reader: str
    verdict: str
    note: str
    network: str
    network_word: str
    model: str
    taken_back: str
    taken_back_by: str
    taken_back_why: str


def standing_of(
    study: Study, history: list[FinishedReading], reader: str, now: datetime, lease: timedelta, *, numbers: bool
) -> Standing:
    """How the study stands for ``reader``; ``numbers``: whether that one may see probabilities."""
    reading = as_of(study.reading, now)
    read = reading.state is ReadingState.READ
    return Standing(
        state=reading.state.value,
        reader=plain(reading.reader, 128),
        mine=reading.reader == reader,
        since=clock_time(reading.since, now) if reading.since else "",
        since_full=full_time(reading.since) if reading.since else "",
        since_iso=reading.since.isoformat() if reading.since else "",
        verdict=reading.verdict or "",
        network=study.network_level.value,
        network_then=history[-1].network_level.value if read and history else study.network_level.value,
        stat=study.stat,
        words=level_words(study, numbers=numbers),
        images=study.images,
        assessed_iso=study.assessed_at.isoformat() if study.assessed_at else "",
        renew_seconds=min(lease / 3, MOST_BETWEEN_RENEWALS).total_seconds(),
    )


def finished(reading: FinishedReading) -> Finished:
    """A line of the history."""
    return Finished(
        at_full=full_time(reading.read_at),
        reader=plain(reading.reader, 128),
        verdict=reading.verdict.value if reading.verdict else "",
        note=lines(reading.note, 2000),
        network=reading.network_level.value,
        network_word=word(reading.network_level),
        model=plain(reading.model, 128) or "none",
        taken_back=full_time(reading.taken_back_at) if reading.taken_back_at else "",
        taken_back_by=plain(reading.taken_back_by, 128),
        taken_back_why=plain(reading.taken_back_why, 400),
    )
