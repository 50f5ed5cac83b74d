"""From images to the study's outcome."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain import make
from tests.unit.domain.make import MODEL, NOW
from triage.domain.assessment import Assessment, InstanceExcuse, InstanceScore, NotAssessed, Outcome, combine
from triage.domain.level import Level
from triage.domain.reason import Reason

LATERAL, HAND = make.excuse(Reason.LATERAL_VIEW, 2), make.excuse(Reason.NOT_A_CHEST_FILM, 3, out_of_scope=True)
DAMAGED, CHILD = make.excuse(Reason.CANNOT_DECODE, 4), make.excuse(Reason.PAEDIATRIC, 5)


def score(probability: float, number: int = 1) -> InstanceScore:
    return InstanceScore(sop_instance_uid="1.2", digest=make.digest("1.2.3", number), probability=probability)


def study_of(scores: list[InstanceScore], excuses: list[InstanceExcuse]) -> Outcome:
    return combine("1.2.3", MODEL, scores, excuses, NOW)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -0.001, 1.001])
def test_a_score_is_a_probability(wrong: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        score(wrong)


def test_an_assessment_without_a_score_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one score"):
        Assessment(study_instance_uid="1.2.3", model=MODEL, scores=(), assessed_at=NOW)


def test_the_operating_point_itself_is_flagged() -> None:
    outcome = study_of([score(MODEL.threshold)], [])
    assert isinstance(outcome, Assessment)
    assert outcome.flagged


@pytest.mark.parametrize("excuses", [[], [LATERAL], [HAND], [LATERAL, HAND]])
def test_an_excuse_that_does_not_block_lets_the_score_stand(excuses: list[InstanceExcuse]) -> None:
    outcome = study_of([score(0.1)], excuses)
    assert isinstance(outcome, Assessment)
    assert not outcome.flagged
    assert outcome.considered == {score(0.1).digest, *(excuse.digest for excuse in excuses)}


@pytest.mark.parametrize("blocking", [DAMAGED, CHILD])
def test_an_excuse_that_blocks_keeps_the_study_from_being_unflagged(blocking: InstanceExcuse) -> None:
    outcome = study_of([score(0.1)], [LATERAL, blocking])
    assert isinstance(outcome, NotAssessed)
    assert (outcome.reason, outcome.out_of_scope) == (blocking.reason, False)


@pytest.mark.parametrize(
    ("scores", "excuses", "level"),
    [
        ([0.9], [LATERAL], Level.FLAGGED),
        ([0.1], [], Level.NOT_FLAGGED),
        ([], [LATERAL, HAND], Level.NOT_ASSESSED),
        ([], [HAND], Level.OUT_OF_SCOPE),
    ],
)
def test_the_level_of_an_outcome(scores: list[float], excuses: list[InstanceExcuse], level: Level) -> None:
    assert study_of([score(one) for one in scores], excuses).level is level


def test_an_excuse_that_blocks_does_not_hide_a_flag() -> None:
    assert isinstance(study_of([score(0.9)], [DAMAGED]), Assessment)


@pytest.mark.parametrize(
    ("excuses", "reason", "outside"),
    [
        ([], Reason.NO_IMAGE, False),
        ([LATERAL], Reason.LATERAL_VIEW, False),
        ([HAND], Reason.NOT_A_CHEST_FILM, True),
        ([HAND, LATERAL], Reason.LATERAL_VIEW, False),
        ([LATERAL, DAMAGED], Reason.CANNOT_DECODE, False),
        ([HAND, DAMAGED], Reason.CANNOT_DECODE, False),
    ],
)
def test_without_a_score_the_telling_excuse_gives_the_reason(
    excuses: list[InstanceExcuse], reason: Reason, outside: bool
) -> None:
    outcome = study_of([], excuses)
    assert isinstance(outcome, NotAssessed)
    assert (outcome.reason, outcome.out_of_scope) == (reason, outside)
    assert outcome.excuses == tuple(excuses)


@given(st.lists(make.scores, max_size=4), st.lists(make.excuses, max_size=4))
def test_every_image_is_considered_and_nothing_else(scores: list[InstanceScore], excuses: list[InstanceExcuse]) -> None:
    assert study_of(scores, excuses).considered == {one.digest for one in (*scores, *excuses)}


@given(st.lists(make.scores, max_size=4), st.lists(make.excuses, max_size=4))
def test_only_an_assessment_without_a_block_is_unflagged(scores: list[InstanceScore], excuses: list[InstanceExcuse]) -> None:
    outcome = study_of(scores, excuses)
    if isinstance(outcome, Assessment) and not outcome.flagged:
        assert outcome.probability == max(one.probability for one in scores) < MODEL.threshold
        assert not any(excuse.reason.blocks and not excuse.out_of_scope for excuse in excuses)
    if isinstance(outcome, NotAssessed) and outcome.out_of_scope:
        assert not scores
        assert all(excuse.out_of_scope for excuse in excuses)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.LATERAL_VIEW])
def test_an_image_nobody_looked_at_keeps_the_study_from_being_unflagged(reason: Reason) -> None:
    outcome = study_of([score(0.1, 1)], [make.excuse(reason, 2)])
    assert isinstance(outcome, NotAssessed)
    assert (outcome.reason, outcome.out_of_scope) == (reason, False)


def test_the_label_of_a_model_is_name_version_and_eight_digits() -> None:
    assert MODEL.label == "net@1+abababab"
