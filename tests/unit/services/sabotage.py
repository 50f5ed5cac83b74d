"""Study rules and identity checks that are wrong on purpose. A suite that lets one of them pass proves nothing."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from triage import worker
from triage.archive.memory import MemoryArchive
from triage.database.memory import MemoryTransaction
from triage.domain import assessment, identity, study
from triage.domain.assessment import Assessment, NotAssessed
from triage.domain.identity import Likeness
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.imaging import elements, header
from triage.services import assess, receive, set_aside

Patch = pytest.MonkeyPatch


def lowest_probability(patch: Patch) -> None:
    patch.setattr(Assessment, "probability", property(lambda one: min(score.probability for score in one.scores)))


def first_film_only(patch: Patch) -> None:
    patch.setattr(assess, "combine", lambda uid, model, scores, *rest: assessment.combine(uid, model, scores[:1], *rest))


def excuses_forgotten(patch: Patch) -> None:
    patch.setattr(assess, "combine", lambda uid, model, scores, _, now: assessment.combine(uid, model, scores, [], now))


def _as_if(patch: Patch, reason: Reason, blocks: bool) -> None:
    patch.setattr(reason, "blocks", blocks)


def child_does_not_block(patch: Patch) -> None:
    _as_if(patch, Reason.PAEDIATRIC, False)


def undecodable_does_not_block(patch: Patch) -> None:
    _as_if(patch, Reason.CANNOT_DECODE, False)


def lateral_blocks(patch: Patch) -> None:
    _as_if(patch, Reason.LATERAL_VIEW, True)


def one_out_of_scope_puts_the_study_out(patch: Patch) -> None:
    def combine(uid: Any, model: Any, scores: Any, excuses: Any, now: Any) -> Any:
        outcome = assessment.combine(uid, model, scores, excuses, now)
        hand = any(excuse.reason is Reason.NOT_A_CHEST_FILM for excuse in excuses)
        return replace(outcome, out_of_scope=True) if hand and isinstance(outcome, NotAssessed) else outcome

    patch.setattr(assess, "combine", combine)


def reason_by_arrival(patch: Patch) -> None:
    patch.setattr(assessment, "_telling", lambda excuses: next(iter(excuses), None))


def stale_outcome_counts(patch: Patch) -> None:
    """What was assessed counts, whatever came meanwhile."""
    write = worker.Worker._write

    def _write(self: Any, job: Any, outcome: Any) -> bool:
        written = write(self, job, outcome)
        with self._database.write() as tx:
            found = tx.study(job.study_instance_uid)
            tx.put_study(study.with_outcome(found, outcome, self._head_starts))
        return written

    patch.setattr(worker.Worker, "_write", _write)


def late_image_asks_for_nothing(patch: Patch) -> None:
    def _index(tx: Any, instance: Any, known: Any, *rest: Any) -> None:
        if known is None:
            return index(tx, instance, known, *rest)
        tx.put_study(replace(known, images=known.images + 1))
        return tx.add_instance(instance)

    index = receive.index
    patch.setattr(receive, "index", _index)


def last_outcome_lowers_a_flag(patch: Patch) -> None:
    def with_outcome(before: Any, outcome: Any, policy: Any) -> Any:
        fresh = replace(before, network_level=Level.PENDING, probability=None, reason=None)
        return study.with_outcome(fresh, outcome, policy)

    def with_image(before: Any, policy: Any) -> Any:
        return replace(study.with_image(before, policy), network_level=Level.PENDING, probability=None, reason=None)

    patch.setattr(worker, "with_outcome", with_outcome)
    patch.setattr(receive, "with_image", with_image)


def everybody_is_the_same(patch: Patch) -> None:
    patch.setattr(receive, "likeness", lambda kept, film: Likeness.SAME)


def names_are_not_compared(patch: Patch) -> None:
    likeness = receive.likeness

    def blind(kept: Any, film: Any) -> Likeness:
        return Likeness.SAME if (found := likeness(kept, film)) is Likeness.UNSURE else found

    patch.setattr(receive, "likeness", blind)


def conflict_leaves_no_mark(patch: Patch) -> None:
    patch.setattr(set_aside, "with_doubt", lambda before, doubt, policy: before)


def mark_does_not_outlast_an_outcome(patch: Patch) -> None:
    patch.setattr(worker, "with_outcome", lambda before, *rest: study.with_outcome(replace(before, doubt=None), *rest))


def mark_takes_the_flag(patch: Patch) -> None:
    def with_doubt(before: Any, doubt: Any, policy: Any) -> Any:
        lowered = replace(before, network_level=Level.NOT_ASSESSED, probability=None, reason=doubt.reason, images_covered=0)
        return study.with_doubt(lowered if before.network_level is Level.FLAGGED else before, doubt, policy)

    patch.setattr(set_aside, "with_doubt", with_doubt)


def refused_film_is_thrown_away(patch: Patch) -> None:
    patch.setattr(MemoryArchive, "set_aside", lambda archive, digest: archive.objects.pop(digest, None))


def refused_film_is_not_accounted_for(patch: Patch) -> None:
    patch.setattr(MemoryTransaction, "add_quarantined", lambda tx, one: True)


def new_version_replaces_the_first(patch: Patch) -> None:
    patch.setattr(receive, "_contradiction", lambda *about: None)


def issuers_are_not_compared(patch: Patch) -> None:
    likeness = receive.likeness

    def blind(kept: Facts, film: Facts) -> Likeness:
        return likeness(replace(kept, issuer_of_patient_id=None), replace(film, issuer_of_patient_id=None))

    patch.setattr(receive, "likeness", blind)


def numbers_alone_are_compared(patch: Patch) -> None:
    patch.setattr(identity, "_differences", lambda kept, film: 0)


def a_missing_number_is_any_number(patch: Patch) -> None:
    likeness = receive.likeness

    def blind(kept: Facts, film: Facts) -> Likeness:
        missing = kept.patient_id is None or film.patient_id is None
        return Likeness.SAME if missing else likeness(kept, film)

    patch.setattr(receive, "likeness", blind)


def _made_alike(patch: Patch, alike: Callable[[str], str]) -> None:
    differ = identity._differ
    patch.setattr(identity, "_differ", lambda mine, theirs: differ(mine and alike(mine), theirs and alike(theirs)))


def case_makes_no_difference(patch: Patch) -> None:
    _made_alike(patch, str.casefold)


def leading_zeros_make_no_difference(patch: Patch) -> None:
    _made_alike(patch, lambda value: value.lstrip("0"))


def letters_that_look_alike_are_alike(patch: Patch) -> None:
    _made_alike(patch, lambda value: unicodedata.normalize("NFKC", value))


def what_is_cleaned_is_alike(patch: Patch) -> None:
    patch.setattr(header, "identifier", elements.text)


def one_name_more_is_another_patient(patch: Patch) -> None:
    likeness = receive.likeness

    def strict(kept: Facts, film: Facts) -> Likeness:
        return Likeness.OTHER if (found := likeness(kept, film)) is Likeness.UNSURE else found

    patch.setattr(receive, "likeness", strict)


def names_as_they_are_typed(patch: Patch) -> None:
    patch.setattr(identity, "_name", lambda facts: (facts.patient_name, None, None))


def another_name_completes(patch: Patch) -> None:
    patch.setattr(receive, "completed", lambda kept, film: replace(kept, patient_name=film.patient_name or kept.patient_name))


def nothing_is_completed(patch: Patch) -> None:
    patch.setattr(receive, "completed", lambda kept, film: kept)


def whoever_comes_completes(patch: Patch) -> None:
    def completed(kept: Facts, film: Facts) -> Facts:
        return Facts(**{name: getattr(kept, name) or getattr(film, name) for name in Facts.__dataclass_fields__})

    patch.setattr(receive, "completed", completed)


IDENTITY: dict[str, Callable[[Patch], None]] = {
    sabotage.__name__: sabotage
    for sabotage in (
        everybody_is_the_same,
        names_are_not_compared,
        issuers_are_not_compared,
        numbers_alone_are_compared,
        a_missing_number_is_any_number,
        case_makes_no_difference,
        leading_zeros_make_no_difference,
        letters_that_look_alike_are_alike,
        what_is_cleaned_is_alike,
        one_name_more_is_another_patient,
        names_as_they_are_typed,
        another_name_completes,
        nothing_is_completed,
        whoever_comes_completes,
        conflict_leaves_no_mark,
        refused_film_is_thrown_away,
    )
}
"""For the pairs of headers (:mod:`tests.unit.services.test_identity`)."""
SABOTAGED: dict[str, Callable[[Patch], None]] = {
    sabotage.__name__: sabotage
    for sabotage in (
        lowest_probability,
        first_film_only,
        excuses_forgotten,
        child_does_not_block,
        undecodable_does_not_block,
        lateral_blocks,
        one_out_of_scope_puts_the_study_out,
        reason_by_arrival,
        stale_outcome_counts,
        late_image_asks_for_nothing,
        last_outcome_lowers_a_flag,
        everybody_is_the_same,
        names_are_not_compared,
        conflict_leaves_no_mark,
        mark_does_not_outlast_an_outcome,
        mark_takes_the_flag,
        refused_film_is_thrown_away,
        refused_film_is_not_accounted_for,
        new_version_replaces_the_first,
    )
}
"""For the orders of arrival (:mod:`tests.unit.services.test_arrivals`)."""
