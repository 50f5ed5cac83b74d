"""A row of the worklist, ready for the template: every value a short, visible text."""

from dataclasses import dataclass
from datetime import datetime

from triage.domain.level import Level
from triage.domain.reading import as_of
from triage.domain.study import Reading, ReadingState, Study
from triage.domain.worklist import LEVEL_WORDS, WorklistItem, span, why
from triage.web.text import age_and_sex, clock_time, full_time, person, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A level as shape (``kind`` names it), word and colour; ``detail``: the reason, where there is one."""

    kind: str
    word: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one line of the list shows."""

    uid: str
    rank: int
    level: str
    marks: tuple[Mark, ...]
    arrived_iso: str
    waiting: str
    received: str
    received_full: str
    name: str
    age_and_sex: str
    mrn: str
    accession: str
    exam: str
    modality_and_view: str
    images: int
    images_covered: int
    status: str
    why: str


def row(item: WorklistItem, now: datetime, *, numbers: bool) -> Row:
    """The row of a study; ``numbers``: whether the one who looks may see probabilities."""
    study, facts = item.study, item.study.facts
    return Row(
        uid=study.study_instance_uid,
        rank=item.rank,
        level=study.level.value,
        marks=marks(study),
        arrived_iso=study.arrived_at.isoformat(),
        waiting=span(now - study.arrived_at),
        received=clock_time(study.arrived_at, now),
        received_full=full_time(study.arrived_at),
        name=person(facts.patient_name),
        age_and_sex=age_and_sex(facts, study.arrived_at.date()),
        mrn=plain(facts.patient_id),
        accession=plain(facts.accession_number),
        exam=plain(facts.study_description),
        modality_and_view=", ".join(filter(None, (plain(facts.modality, 16), plain(facts.view, 16)))),
        images=study.images,
        images_covered=study.images_covered,
        status=status(study.reading, now),
        why=why(study, now, numbers=numbers),
    )


def marks(study: Study) -> tuple[Mark, ...]:
    """The person's mark, if any, then the network's."""
    reason = study.reason.sentence if study.reason else ""
    network = Mark(kind=study.network_level.value, word=word(study.network_level), detail=reason)
    return (Mark(kind=Level.STAT.value, word=word(Level.STAT)), network) if study.stat else (network,)


def word(level: Level) -> str:
    """The level's word as a label."""
    return LEVEL_WORDS[level][0].upper() + LEVEL_WORDS[level][1:]


def status(reading: Reading, now: datetime) -> str:
    """``Unread``, ``Reading – Dr X (12:03)``, ``Read``; a claim whose lease is over is no claim."""
    reading = as_of(reading, now)
    if reading.state is ReadingState.UNREAD:
        return "Unread"
    if reading.state is ReadingState.READ:
        return "Read"
    since = f" ({clock_time(reading.since, now)})" if reading.since else ""
    return f"Reading – {plain(reading.reader)}{since}"
