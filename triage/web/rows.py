"""A row of the worklist, ready for the template: every value a short, visible text."""

from dataclasses import dataclass
from datetime import datetime

from triage.domain.level import Level
from triage.domain.reading import as_of
from triage.domain.selection import RowFacts
from triage.domain.study import Reading, ReadingState, Study
from triage.domain.worklist import LEVEL_WORDS, WorklistItem, doubt_words, head_start_words, span, why
from triage.web.text import age_and_sex, clock_time, full_time, person, plain

NO_FACTS = RowFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A level as shape (``kind`` names it), word and colour; ``detail``: the reason, where there is one."""

    kind: str
    word: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one line of the list shows, to whomever.

    ``rank`` 0: read, no place any more; ``lease``: of a claim; ``doubt``: the mark where the level's reason does not say it.
    """

    uid: str
    rank: int
    level: str
    network_level: str
    stat: bool
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
    priors: int
    images: int
    images_covered: int
    late: str
    doubt: str
    doubt_code: str
    assessed: str
    state: str
    reader: str
    since: str
    status: str
    lease: str
    why: str
    arithmetic: str


def row(item: WorklistItem, now: datetime, *, numbers: bool, beside: RowFacts = NO_FACTS) -> Row:
    """The row of a study; ``numbers``: whether the one who looks may see probabilities."""
    study, facts, reading = item.study, item.study.facts, as_of(item.study.reading, now)
    return Row(
        uid=study.study_instance_uid,
        rank=item.rank,
        level=study.level.value,
        network_level=study.network_level.value,
        stat=study.stat,
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
        priors=beside.priors,
        images=study.images,
        images_covered=study.images_covered,
        late=late(study, beside),
        doubt=doubt_words(study),
        doubt_code=study.doubt.code if study.doubt else "",
        assessed=study.assessed_at.isoformat() if study.assessed_at else "",
        state=reading.state.value,
        reader=plain(reading.reader),
        since=reading.since.isoformat() if reading.since else "",
        status=status(reading, now),
        lease=f"until {clock_time(reading.lease_until, now)}" if reading.lease_until else "",
        why=why(study, now, numbers=numbers),
        arithmetic=arithmetic(study),
    )


def marks(study: Study) -> tuple[Mark, ...]:
    """The person's mark, if any, then the network's."""
    reason = study.reason.sentence if study.reason else ""
    network = Mark(kind=study.network_level.value, word=word(study.network_level), detail=reason)
    return (Mark(kind=Level.STAT.value, word=word(Level.STAT)), network) if study.stat else (network,)


def word(level: Level) -> str:
    """The level's word as a label."""
    return LEVEL_WORDS[level][0].upper() + LEVEL_WORDS[level][1:]


def late(study: Study, beside: RowFacts) -> str:
    """That images came after the study had been assessed; empty: none did, or they are assessed by now."""
    if study.network_level is Level.FLAGGED and study.images > study.images_covered:
        more = study.images - study.images_covered
        return f"+{more} {'image' if more == 1 else 'images'}, not covered"
    if study.network_level is Level.PENDING and beside.assessed_before:
        return "a late image, re-analysing"
    return ""


def status(reading: Reading, now: datetime) -> str:
    """``Unread``, ``Reading – Dr X (12:03)``, ``Read – Dr X (12:20)``; ``reading`` as it counts now."""
    reading = as_of(reading, now)
    if reading.state is ReadingState.UNREAD:
        return "Unread"
    since = f" ({clock_time(reading.since, now)})" if reading.since else ""
    if reading.state is ReadingState.READ:
        return f"Read – {plain(reading.reader)}{since}" if reading.reader else "Read"
    return f"Reading – {plain(reading.reader)}{since}"


def arithmetic(study: Study) -> str:
    """Arrival less head start, in full."""
    return f"{full_time(study.arrived_at)} less {head_start_words(study.head_start)}: {full_time(study.key)}"
