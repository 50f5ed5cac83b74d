"""What the list would look like under other head starts. Pure; changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from triage.domain.duration import duration_text
from triage.domain.level import HeadStarts
from triage.domain.study import Study, placed
from triage.domain.worklist import order


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A study's place now and then, 1 first; ``study`` is placed as it would be then."""

    study: Study
    now: int
    then: int

    @property
    def by(self) -> int:
        """How many places up; negative: down."""
        return self.now - self.then


def preview(studies: Sequence[Study], policy: HeadStarts) -> list[Move]:
    """Every study in the order that ``policy`` would give."""
    before = {study.study_instance_uid: place for place, study in enumerate(sorted(studies, key=order), start=1)}
    after = sorted((placed(study, policy) for study in studies), key=order)
    return [Move(study=study, now=before[study.study_instance_uid], then=place) for place, study in enumerate(after, start=1)]


def moved(moves: Sequence[Move]) -> int:
    """How many studies would have another place."""
    return sum(move.now != move.then for move in moves)


def bound(policy: HeadStarts) -> timedelta:
    """By how much later a flagged study may arrive than one it overtakes that is not flagged."""
    return policy.flagged - policy.not_flagged


def bound_words(policy: HeadStarts) -> str:
    """The promise in one sentence."""
    if not bound(policy):
        return "A flagged study overtakes no study that is not flagged: the two are read first come, first served."
    return (
        f"A flagged study may overtake studies not flagged that arrived at most {duration_text(bound(policy))} before it, "
        "and no others."
    )
