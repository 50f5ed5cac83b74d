"""What a reader wants to see of the list for the moment: some levels, some states, some words, another order. Pure.

The reading order is left only for the moment and only when asked; a place (rank) is always the one in the whole list.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.reading import as_of
from triage.domain.study import Reading, ReadingState, Study
from triage.domain.worklist import order

MOST_WORDS, LONGEST_WORD = 8, 64
"""Of a search; what is longer is cut: no header holds more."""


class Status(StrEnum):
    """Which states of reading are shown."""

    WAITING = "waiting"
    FREE = "free"
    CLAIMED = "claimed"
    MINE = "mine"
    READ = "read"
    ALL = "all"


class Sort(StrEnum):
    """By what the list is sorted; every sort ends in the reading order."""

    PLACE = "place"
    PRIORITY = "priority"
    ARRIVED = "arrived"
    PATIENT = "patient"
    MRN = "mrn"
    EXAM = "exam"
    STATUS = "status"


LEVEL_RANK: dict[Level, int] = {level: rank for rank, level in enumerate(Level)}
"""For :attr:`Sort.PRIORITY`: the levels as they are listed, most urgent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """No ``levels``: every level. ``within``: arrived so long ago at most. ``text``: words that must all occur."""

    levels: frozenset[Level] = frozenset()
    status: Status = Status.WAITING
    within: timedelta | None = None
    text: str = ""
    sort: Sort = Sort.PLACE
    descending: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """What is searched for, folded as :func:`search_text` folds; a comma ends a word: rows show *Family, Given*."""
        return tuple(word[:LONGEST_WORD] for word in folded(self.text.replace(",", " ")).split()[:MOST_WORDS])

    @property
    def is_whole(self) -> bool:
        """Whether it leaves out nothing that waits."""
        return not (self.levels or self.within or self.words) and self.status is Status.WAITING

    @property
    def is_reading_order(self) -> bool:
        """Whether the list's own order holds."""
        return self.sort is Sort.PLACE and not self.descending


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """Shown beside the study's own values. ``priors``: the patient's earlier studies; ``assessed_before``: any outcome yet."""

    priors: int = 0
    assessed_before: bool = False


def folded(text: str) -> str:
    """Text as it is compared in a search: compatibility forms and case make no difference (NFKC, casefold)."""
    return unicodedata.normalize("NFKC", text).casefold()


def search_text(study_instance_uid: str, facts: Facts) -> str:
    """What a search looks through: name, numbers, description and the UID; a name's parts (PS3.5 6.2.1) are words."""
    name = (facts.patient_name or "").replace("^", " ").replace("=", " ")
    parts = (name, facts.patient_id, facts.accession_number, facts.study_description, study_instance_uid)
    # half a surrogate pair cannot be stored; nobody searches for one
    return folded(" ".join(part for part in parts if part)).encode("utf-8", "replace").decode()


def shows(selection: Selection, study: Study, reader: str | None, now: datetime) -> bool:
    """Whether the study is among those that ``selection`` asks for, for ``reader``, now."""
    if selection.levels and study.level not in selection.levels:
        return False
    if selection.within is not None and study.arrived_at < now - selection.within:
        return False
    if not _STATUS[selection.status](as_of(study.reading, now), reader):
        return False
    text = search_text(study.study_instance_uid, study.facts)
    return all(word in text for word in selection.words)


def arranged(selection: Selection, studies: Iterable[Study]) -> list[Study]:
    """Studies sorted as ``selection`` asks. Descending turns only the column that was asked for; ties stay in reading order."""
    in_order = sorted(studies, key=order)
    if selection.sort is Sort.PLACE:
        return in_order[::-1] if selection.descending else in_order
    return sorted(in_order, key=_SORT[selection.sort], reverse=selection.descending)


_STATUS: dict[Status, Callable[[Reading, str | None], bool]] = {
    Status.WAITING: lambda reading, _: reading.state is not ReadingState.READ,
    Status.FREE: lambda reading, _: reading.state is ReadingState.UNREAD,
    Status.CLAIMED: lambda reading, _: reading.state is ReadingState.CLAIMED,
    Status.MINE: lambda reading, reader: reading.state is ReadingState.CLAIMED and reading.reader == reader,
    Status.READ: lambda reading, _: reading.state is ReadingState.READ,
    Status.ALL: lambda _, __: True,
}


def _absent_first(value: str | None) -> tuple[bool, str]:
    return value is not None, value or ""


_SORT: dict[Sort, Callable[[Study], Any]] = {
    Sort.PRIORITY: lambda study: LEVEL_RANK[study.level],
    Sort.ARRIVED: lambda study: study.arrived_at,
    Sort.PATIENT: lambda study: _absent_first(study.facts.patient_name),
    Sort.MRN: lambda study: _absent_first(study.facts.patient_id),
    Sort.EXAM: lambda study: _absent_first(study.facts.study_description),
    Sort.STATUS: lambda study: study.reading.state.value,
}
