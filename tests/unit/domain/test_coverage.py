"""Which images the standing outcome is about."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain import make
from tests.unit.domain.make import NOW, OTHER_MODEL, POLICY
from triage.domain.assessment import Outcome
from triage.domain.coverage import Coverage, coverage, standing_outcome
from triage.domain.reason import Reason
from triage.domain.study import Study, with_image, with_outcome

LATER = NOW + timedelta(minutes=5)


def images(count: int) -> list[make.Instance]:
    return [make.instance(number=number) for number in range(1, count + 1)]


def after(*outcomes: Outcome) -> Study:
    study = make.study()
    for outcome in outcomes:
        study = with_outcome(study, outcome, POLICY)
    return study


def test_a_pending_study_covers_nothing() -> None:
    assert [(one.covered, one.reason) for one in coverage(make.study(), images(2), [])] == [(False, None)] * 2


def test_scored_images_have_their_own_probability() -> None:
    outcome = make.scored("1.2.3", 0.9, 0.2)
    assert [one.probability for one in coverage(after(outcome), images(2), [outcome])] == [0.9, 0.2]


def test_a_late_image_of_a_flagged_study_is_not_covered() -> None:
    outcome = make.scored("1.2.3", 0.9)
    study = with_image(after(outcome), POLICY)
    assert [one.covered for one in coverage(study, images(2), [outcome])] == [True, False]


def test_a_late_image_leaves_an_unflagged_study_without_cover() -> None:
    outcome = make.scored("1.2.3", 0.1)
    study = with_image(after(outcome), POLICY)
    assert [one.covered for one in coverage(study, images(2), [outcome])] == [False, False]


def test_a_lower_word_of_another_model_does_not_stand() -> None:
    first, second = make.scored("1.2.3", 0.9), make.scored("1.2.3", 0.6, at=LATER, model=OTHER_MODEL)
    study = after(first, second)
    assert standing_outcome(study, [first, second]) == first
    assert [one.probability for one in coverage(study, images(1), [first, second])] == [0.9]


def test_an_excuse_tells_its_reason() -> None:
    excuse = make.excuse()
    outcome = replace(make.excused(), excuses=(excuse,))
    (one,) = coverage(after(outcome), images(1), [outcome])
    assert (one.covered, one.reason) == (False, excuse.reason)


@given(st.lists(make.outcomes(uid="1.2.3"), max_size=4))
def test_what_stands_is_what_the_study_shows(outcomes: list[Outcome]) -> None:
    study = after(*outcomes)
    standing = standing_outcome(study, outcomes)
    assert (standing is None) == (not outcomes)
    if standing is not None:
        assert getattr(standing, "probability", None) == study.probability
        assert standing.model is None or study.model == standing.model.label


def test_of_one_image_it_is_said_that_it_is_a_lateral_view() -> None:
    one = Coverage(instance=images(1)[0], reason=Reason.LATERAL_VIEW)
    assert one.why_not == "a lateral or oblique view"
    assert Coverage(instance=images(1)[0], reason=Reason.CANNOT_DECODE).why_not == Reason.CANNOT_DECODE.sentence
