"""Rules that are wrong on purpose. A suite that lets one of them pass would prove nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.unit.domain.make import POLICY, digest
from tests.unit.domain.properties import Rules
from triage.domain.assessment import Outcome
from triage.domain.level import HeadStarts, Level
from triage.domain.study import Study, begin, placed, with_outcome

RANKS = {level: rank for rank, level in enumerate(Level)}


def strict_priority(study: Study) -> Any:
    """Flagged before unflagged, however long those wait: starves them."""
    return (RANKS[study.level], study.arrived_at, study.study_instance_uid)


def by_probability(study: Study) -> Any:
    """The most suspicious first; who has no score has none."""
    return (-(study.probability or 0.0), study.arrived_at, study.study_instance_uid)


def arrival_from_header(study: Study) -> Any:
    """The key from a time that the sender wrote, wrong by up to three days."""
    wrong_by = timedelta(minutes=int(digest(study.study_instance_uid)[:4], 16) % 4320)
    return (study.key - wrong_by, study.arrived_at, study.study_instance_uid)


def head_start_added(study: Study) -> Any:
    """The sign of the head start is wrong: who should gain loses."""
    return (study.arrived_at + study.head_start, study.arrived_at, study.study_instance_uid)


def head_start_ignored_for_not_assessed(study: Study) -> Any:
    """What could not be assessed is ordered as if it were unflagged."""
    head_start = timedelta(0) if study.level is Level.NOT_ASSESSED else study.head_start
    return (study.arrived_at - head_start, study.arrived_at, study.study_instance_uid)


def pending_ignored(study: Study) -> Any:
    """What was not assessed yet goes behind what was, unflagged."""
    head_start = -POLICY.pending if study.level is Level.PENDING else study.head_start
    return (study.arrived_at - head_start, study.arrived_at, study.study_instance_uid)


def last_in_first_out(study: Study) -> Any:
    """The newest first."""
    return (-study.key.timestamp(), study.study_instance_uid)


def unstable_ties(study: Study) -> Any:
    """Equal keys stay in whatever order the database gave them."""
    return study.key


def ties_by_uid_alone(study: Study) -> Any:
    """A flagged study may overtake one that arrived a whole head start before it."""
    return (study.key, study.study_instance_uid)


def head_start_in_minutes(study: Study) -> Any:
    """A unit mistaken: a flag moves a study up by sixty days."""
    return (study.arrived_at - study.head_start * 60, study.arrived_at, study.study_instance_uid)


def image_clears_the_flag(study: Study, policy: HeadStarts) -> Study:
    """A late image starts the study over."""
    return placed(replace(begin(study.study_instance_uid, study.facts, study.arrived_at, policy), stat=study.stat), policy)


def image_restarts_the_wait(study: Study, policy: HeadStarts) -> Study:
    """A late image makes the study arrive now."""
    return begin(study.study_instance_uid, study.facts, study.arrived_at + timedelta(hours=2), policy)


def image_changes_nothing(study: Study, policy: HeadStarts) -> Study:
    """A late image leaves *not flagged* standing although nobody assessed it."""
    return replace(study, images=study.images + 1)


def last_outcome_counts(study: Study, outcome: Outcome, policy: HeadStarts) -> Study:
    """A later outcome may lower a flagged study."""
    fresh = replace(study, network_level=Level.PENDING, probability=None, reason=None)
    return with_outcome(fresh, outcome, policy)


SABOTAGED: dict[str, Rules] = {
    **{
        order.__name__: Rules(order=order)
        for order in (
            strict_priority,
            by_probability,
            arrival_from_header,
            head_start_added,
            head_start_ignored_for_not_assessed,
            pending_ignored,
            last_in_first_out,
            unstable_ties,
            ties_by_uid_alone,
            head_start_in_minutes,
        )
    },
    "image_clears_the_flag": Rules(with_image=image_clears_the_flag),
    "image_restarts_the_wait": Rules(with_image=image_restarts_the_wait),
    "image_changes_nothing": Rules(with_image=image_changes_nothing),
    "last_outcome_counts": Rules(with_outcome=last_outcome_counts),
}
