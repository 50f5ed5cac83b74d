"""How images and outcomes change a study: never *not flagged* unseen, a flag stays, a number only where it is earned."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.domain import make
from tests.unit.domain.make import FACTS, MODEL, NOW, POLICY
from triage.domain.assessment import InstanceExcuse, InstanceScore, combine
from triage.domain.doubt import Doubt, graver
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.study import (
    Reading,
    ReadingState,
    Study,
    begin,
    placed,
    with_doubt,
    with_doubt_settled,
    with_film_replaced,
    with_image,
    with_outcome,
    without_model,
)

READ = Reading(state=ReadingState.READ, reader="dr", since=NOW, verdict="agree")


def assessed(*probabilities: float) -> Study:
    study = make.study()
    for _ in probabilities[1:]:
        study = with_image(study, POLICY)
    return with_outcome(study, make.scored("1.2.3", *probabilities), POLICY)


def test_a_study_begins_pending_and_placed() -> None:
    study = begin("1.2", FACTS, NOW, POLICY)
    assert (study.level, study.images, study.key) == (Level.PENDING, 1, NOW - POLICY.pending)
    assert (study.probability, study.reason, study.reading.state) == (None, None, ReadingState.UNREAD)


def test_an_assessment_places_the_study() -> None:
    flagged, unflagged = assessed(0.5), assessed(0.499)
    assert (flagged.level, flagged.key) == (Level.FLAGGED, NOW - POLICY.flagged)
    assert (unflagged.level, unflagged.key) == (Level.NOT_FLAGGED, NOW)
    assert (unflagged.model, unflagged.images_covered, unflagged.assessed_at) == (MODEL.label, 1, NOW)


def test_what_could_not_be_assessed_says_why_and_has_no_number() -> None:
    study = with_outcome(make.study(), make.excused(), POLICY)
    assert (study.level, study.reason, study.probability) == (Level.NOT_ASSESSED, Reason.CANNOT_DECODE, None)
    assert study.key == NOW - POLICY.not_assessed


def test_out_of_scope_is_a_level_of_its_own() -> None:
    study = with_outcome(make.study(), make.excused(reason=Reason.NOT_A_CHEST_FILM, out_of_scope=True), POLICY)
    assert (study.level, study.reason, study.key) == (Level.OUT_OF_SCOPE, Reason.NOT_A_CHEST_FILM, NOW)


def test_a_late_image_takes_an_unflagged_study_back_to_pending() -> None:
    study = with_image(assessed(0.1), POLICY)
    assert study == replace(make.study(), images=2)


def test_a_late_image_leaves_a_flag_and_shows_that_it_is_not_covered() -> None:
    study = with_image(assessed(0.9), POLICY)
    assert (study.level, study.probability, study.images, study.images_covered) == (Level.FLAGGED, 0.9, 2, 1)


def test_a_lower_score_of_the_larger_set_does_not_clear_a_flag() -> None:
    before = with_image(assessed(0.9), POLICY)
    assert with_outcome(before, make.scored("1.2.3", 0.1, 0.2), POLICY) == before, (
        "the number stays with the model that gave it"
    )


def test_a_higher_score_of_the_larger_set_takes_the_place_of_the_lower() -> None:
    study = with_outcome(with_image(assessed(0.9), POLICY), make.scored("1.2.3", 0.1, 0.95), POLICY)
    assert (study.level, study.probability, study.images_covered) == (Level.FLAGGED, 0.95, 2)


def test_a_failure_on_the_larger_set_does_not_clear_a_flag() -> None:
    before = with_image(assessed(0.9), POLICY)
    assert with_outcome(before, make.excused(), POLICY) == before


def test_a_late_image_brings_a_read_study_back() -> None:
    read = replace(assessed(0.1), reading=READ)
    assert with_image(read, POLICY).reading == Reading()


def test_a_late_image_does_not_end_a_claim() -> None:
    claim = Reading(state=ReadingState.CLAIMED, reader="dr", since=NOW)
    assert with_image(replace(assessed(0.1), reading=claim), POLICY).reading == claim


def test_a_stat_study_stays_stat_whatever_the_network_says() -> None:
    urgent = placed(replace(make.study(), stat=True), POLICY)
    for outcome in (make.scored("1.2.3", 0.1), make.scored("1.2.3", 0.9), make.excused()):
        after = with_outcome(urgent, outcome, POLICY)
        assert (after.level, after.key) == (Level.STAT, NOW - POLICY.stat)
        assert after.network_level is with_outcome(make.study(), outcome, POLICY).network_level


def test_without_a_model_only_pending_studies_change() -> None:
    pending = without_model(make.study(), POLICY)
    assert (pending.level, pending.reason, pending.key) == (Level.NOT_ASSESSED, Reason.NO_MODEL, make.study().key)
    for other in (assessed(0.9), assessed(0.1), with_outcome(make.study(), make.excused(), POLICY)):
        assert without_model(other, POLICY) == other


def test_a_doubt_with_a_reason_is_the_reason_of_whatever_rests() -> None:
    for resting in (
        assessed(0.1),
        with_outcome(make.study(), make.excused(), POLICY),
        with_outcome(make.study(), make.excused(reason=Reason.NOT_A_CHEST_FILM, out_of_scope=True), POLICY),
        without_model(make.study(), POLICY),
    ):
        study = with_doubt(resting, Doubt.IDENTITY_CONFLICT, POLICY)
        assert (study.level, study.reason, study.probability) == (Level.NOT_ASSESSED, Reason.IDENTITY_CONFLICT, None)
        assert (study.key, study.images_covered) == (NOW - POLICY.not_assessed, 0)


def test_a_doubt_without_a_reason_is_a_mark_only() -> None:
    before = replace(assessed(0.1), reading=READ)
    assert with_doubt(before, Doubt.NAMES_DIFFER, POLICY) == replace(before, doubt=Doubt.NAMES_DIFFER)


def test_a_doubt_leaves_a_flag_and_a_pending_study_where_they_are() -> None:
    for before in (assessed(0.9), make.study()):
        assert with_doubt(before, Doubt.IDENTITY_CONFLICT, POLICY) == replace(before, doubt=Doubt.IDENTITY_CONFLICT)


def test_a_doubt_is_never_lowered() -> None:
    study = with_doubt(with_doubt(make.study(), Doubt.IDENTITY_CONFLICT, POLICY), Doubt.NAMES_DIFFER, POLICY)
    assert study.doubt is Doubt.IDENTITY_CONFLICT


class StudyLife(RuleBasedStateMachine):
    """Images, outcomes of present and past image sets, readers and people, in any order, as the worker applies them."""

    @initialize()
    def arrive(self) -> None:
        self.study = make.study()
        self.digests = [make.digest(0)]
        self.covered: frozenset[str] = frozenset()
        self.was_flagged = False

    @rule()
    def late_image(self) -> None:
        self.digests.append(make.digest(len(self.digests)))
        self.study = with_image(self.study, POLICY)

    @rule(data=st.data(), stale=st.booleans())
    def outcome(self, data: st.DataObject, stale: bool) -> None:
        seen = self.digests[:-1] if stale else self.digests
        scores, excuses = [], []
        for number, digest in enumerate(seen):
            uid = f"1.2.3.{number}"
            if data.draw(st.booleans()):
                probability = data.draw(make.probabilities)
                scores.append(InstanceScore(sop_instance_uid=uid, digest=digest, probability=probability))
            else:
                reason, outside = data.draw(make.reasons), data.draw(st.booleans())
                excuses.append(InstanceExcuse(sop_instance_uid=uid, digest=digest, reason=reason, out_of_scope=outside))
        outcome = combine("1.2.3", MODEL, scores, excuses, NOW)
        if outcome.considered == set(self.digests):  # the worker's guard: a stale outcome goes to the history only
            self.study = with_outcome(self.study, outcome, POLICY)
            self.covered = frozenset(score.digest for score in scores)
            assert len(seen) == self.study.images
            blocked = any(excuse.reason.blocks and not excuse.out_of_scope for excuse in excuses)
            assert self.study.network_level is not Level.NOT_FLAGGED or not blocked

    @rule()
    def no_model(self) -> None:
        self.study = without_model(self.study, POLICY)

    @rule(doubt=st.sampled_from(Doubt))
    def mark(self, doubt: Doubt) -> None:
        before = self.study.doubt
        self.study = with_doubt(self.study, doubt, POLICY)
        assert self.study.doubt is graver(before, doubt)

    @rule()
    def read(self) -> None:
        self.study = replace(self.study, reading=READ)

    @rule()
    def person(self) -> None:
        self.study = placed(replace(self.study, stat=not self.study.stat), POLICY)

    @invariant()
    def counts_agree(self) -> None:
        assert self.study.images == len(self.digests)
        assert 0 <= self.study.images_covered <= self.study.images

    @invariant()
    def a_number_exactly_where_an_assessment_stands(self) -> None:
        scored = self.study.network_level in (Level.FLAGGED, Level.NOT_FLAGGED)
        assert (self.study.probability is not None) == scored
        assert (self.study.reason is not None) == (self.study.network_level in (Level.NOT_ASSESSED, Level.OUT_OF_SCOPE))

    @invariant()
    def never_unflagged_unseen(self) -> None:
        if self.study.network_level is Level.NOT_FLAGGED:
            assert self.covered
            assert self.covered <= set(self.digests)
            assert self.study.images_covered == len(self.covered)

    @invariant()
    def nothing_rests_in_doubt(self) -> None:
        if self.study.doubt is not None and self.study.doubt.reason is not None:
            assert self.study.network_level not in (Level.NOT_FLAGGED, Level.OUT_OF_SCOPE)

    @invariant()
    def a_flag_stays(self) -> None:
        self.was_flagged = self.was_flagged or self.study.network_level is Level.FLAGGED
        assert not self.was_flagged or self.study.network_level is Level.FLAGGED

    @invariant()
    def the_key_follows_the_level(self) -> None:
        assert self.study.arrived_at == NOW
        assert self.study.key == NOW - POLICY.of(self.study.level)

    @precondition(lambda self: self.study.network_level is Level.PENDING)
    @rule()
    def waits_no_longer_than_its_arrival_says(self) -> None:
        assert self.study.head_start >= max(POLICY.not_flagged, POLICY.out_of_scope, timedelta(0))


TestStudyLife = StudyLife.TestCase
TestStudyLife.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


def test_what_is_settled_leaves_the_mark_that_still_stands() -> None:
    resting = with_outcome(make.study(), make.scored("1.2.3", 0.1), POLICY)
    for doubt in (Doubt.FILM_SET_ASIDE, Doubt.FILM_DAMAGED, Doubt.IDENTITY_CONFLICT):
        marked = with_doubt(resting, doubt, POLICY)
        assert marked.network_level is Level.NOT_ASSESSED
        assert with_doubt_settled(marked, None, make.scored("1.2.3", 0.1), POLICY) == resting
        pending = with_doubt_settled(marked, None, None, POLICY)
        assert (pending.network_level, pending.probability) == (Level.PENDING, None)
        left = with_doubt_settled(marked, Doubt.FILM_SET_ASIDE, make.scored("1.2.3", 0.1), POLICY)
        assert (left.network_level, left.doubt) == (Level.NOT_ASSESSED, Doubt.FILM_SET_ASIDE)


def test_a_flag_and_other_reasons_outlast_what_is_settled() -> None:
    flagged = with_doubt(with_outcome(make.study(), make.scored("1.2.3", 0.9), POLICY), Doubt.FILM_DAMAGED, POLICY)
    after = with_doubt_settled(flagged, None, None, POLICY)
    assert (after.network_level, after.probability, after.doubt) == (Level.FLAGGED, 0.9, None)
    resting = with_outcome(make.study(), make.scored("1.2.3", 0.1), POLICY)
    named = with_doubt(resting, Doubt.NAMES_DIFFER, POLICY)
    assert with_doubt_settled(named, None, None, POLICY) == resting


def test_a_film_that_is_replaced_takes_what_rested_on_it_along() -> None:
    flagged = with_outcome(make.study(), make.scored("1.2.3", 0.9), POLICY)
    facts = replace(FACTS, patient_name="Dough^Jane")
    after = with_film_replaced(flagged, facts, POLICY)
    assert (after.network_level, after.probability, after.images, after.facts) == (Level.PENDING, None, 1, facts)


@pytest.mark.parametrize("doubt", Doubt)
def test_only_what_its_reader_could_not_know_brings_a_study_back(doubt: Doubt) -> None:
    read = replace(make.study(), reading=Reading(state=ReadingState.READ, reader="dr"))
    after = with_doubt(read, doubt, POLICY)
    assert (after.reading.state is ReadingState.UNREAD) is (doubt in (Doubt.FILM_SET_ASIDE, Doubt.IDENTITY_CONFLICT))
