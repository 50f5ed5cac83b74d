"""The reading list: its order, and how a row explains and writes itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from triage.domain.level import Level
from triage.domain.reading import Standing, as_of, standing
from triage.domain.study import Study

LEVEL_WORDS: dict[Level, str] = {
    Level.STAT: "STAT",
    Level.FLAGGED: "flagged",
    Level.NOT_ASSESSED: "not assessed",
    Level.PENDING: "analysing",
    Level.OUT_OF_SCOPE: "out of scope",
    Level.NOT_FLAGGED: "not flagged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistItem:
    """A study with its rank in the whole list of unread ones, 1 first; 0: read, it has no place any more."""

    rank: int
    study: Study


def order(study: Study) -> tuple[datetime, datetime, str]:
    """What the list is sorted by. Equal keys go by arrival, then UID: the order is total, the bound of overtaking strict."""
    return (study.key, study.arrived_at, study.study_instance_uid)


def ranked(studies: Iterable[Study]) -> list[WorklistItem]:
    """The list: studies by :func:`order`, whatever order they came in."""
    return [WorklistItem(rank=rank, study=study) for rank, study in enumerate(sorted(studies, key=order), start=1)]


def next_free(studies: Iterable[Study], reader: str, now: datetime, after: Study | None = None) -> Study | None:
    """The study to read next: the first unread one in ``studies`` (in reading order) that nobody else holds; a claim of one's
    own counts as free.

    Whoever passes ``after`` over, unread, goes on behind it, else two studies passed over would hide all others.
    """
    free = (one for one in studies if standing(one.reading, reader, now) in (Standing.FREE, Standing.MINE))
    if after is None or standing(after.reading, reader, now) is Standing.READ:
        return next(free, None)
    return next((one for one in free if order(one) > order(after)), None)


def span(duration: timedelta) -> str:
    """A duration for people: ``14 min``, ``3 h 05 min``, ``2 d 4 h``."""
    minutes = max(0, int(duration.total_seconds())) // 60
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def head_start_words(head_start: timedelta) -> str:
    """A head start for people, in hours up to two days: ``24 h``, ``30 d``, ``0 h``."""
    hours = head_start.total_seconds() / 3600
    return f"{hours / 24:g} d" if hours > 48 else f"{hours:g} h"


def level_words(study: Study, *, numbers: bool = True) -> str:
    """The level in words, with the reason or (``numbers``) the probability it rests on, and what else is doubtful."""
    network = LEVEL_WORDS[study.network_level]
    if study.probability is not None and numbers:
        network += f" (probability {study.probability:.2f})"
    elif study.reason is not None:
        network += f" ({study.reason.sentence})"
    if doubt := doubt_words(study):
        network += f"; {doubt}"
    return f"STAT, {network}" if study.stat else network


def doubt_words(study: Study) -> str:
    """Whose films these may not be, where the reason does not say it already; else nothing."""
    if study.doubt is None or (study.reason is not None and study.reason is study.doubt.reason):
        return ""
    return study.doubt.sentence


def why(study: Study, now: datetime, *, numbers: bool = True) -> str:
    """The arithmetic of a study's place in one sentence."""
    level, waited = level_words(study, numbers=numbers), span(now - study.arrived_at)
    sentence = f"{level}, arrived {waited} ago, head start {head_start_words(study.head_start)}"
    if study.probability is not None and study.images_covered < study.images:
        sentence += f", {study.images_covered} of {study.images} images covered"
    return sentence


def as_json(item: WorklistItem, now: datetime, *, numbers: bool = True) -> dict[str, Any]:
    """A row as the API and ``triage worklist --json`` give it; ``numbers``: probabilities too, which not every role may see."""
    study, facts, reading = item.study, item.study.facts, as_of(item.study.reading, now)
    return {
        "rank": item.rank or None,
        "study_instance_uid": study.study_instance_uid,
        "patient_id": facts.patient_id,
        "patient_name": facts.patient_name,
        "accession_number": facts.accession_number,
        "study_description": facts.study_description,
        "modality": facts.modality,
        "view": facts.view,
        "level": study.level.value,
        "reason": study.reason.code if study.reason else None,
        "doubt": study.doubt.code if study.doubt else None,
        "probability": study.probability if numbers else None,
        "model": study.model,
        "images": study.images,
        "images_covered": study.images_covered,
        "arrived_at": study.arrived_at.isoformat(),
        "assessed_at": study.assessed_at.isoformat() if study.assessed_at else None,
        "key": study.key.isoformat(),
        "head_start_seconds": int(study.head_start.total_seconds()),
        "waiting_seconds": max(0, int((now - study.arrived_at).total_seconds())),
        "why": why(study, now, numbers=numbers),
        "reading": {
            "state": reading.state.value,
            "reader": reading.reader,
            "since": reading.since.isoformat() if reading.since else None,
            "verdict": reading.verdict,
            "lease_until": reading.lease_until.isoformat() if reading.lease_until else None,
            "verdict_at": reading.verdict_at.isoformat() if reading.verdict_at else None,
        },
    }
