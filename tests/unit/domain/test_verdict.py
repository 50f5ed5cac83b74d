"""A verdict gives a label only for the assessment that the reader had in view."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.make import NOW, POLICY, excused, readings, scored, study
from triage.domain.doubt import Doubt
from triage.domain.study import Reading, ReadingState, Study, with_outcome
from triage.domain.verdict import Label, NoLabel, Verdict, label_of

LATER = NOW + timedelta(hours=1)


def read(probability: float | None, verdict: str | None, **changes: object) -> Study:
    """A study that was assessed at NOW, or excused, and read an hour later."""
    outcome = excused() if probability is None else scored("1.2.3", probability)
    reading = Reading(state=ReadingState.READ, reader="dr", since=LATER, verdict=verdict, verdict_at=LATER)
    return replace(with_outcome(study(), outcome, POLICY), **{"reading": reading, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("probability", "verdict", "label"),
    [
        (0.9, "agree", Label.ABNORMAL),
        (0.9, "disagree", Label.NORMAL),
        (0.1, "agree", Label.NORMAL),
        (0.1, "disagree", Label.ABNORMAL),
        (0.9, "not_assessable", NoLabel.NOT_ASSESSABLE),
        (0.9, None, NoLabel.NO_VERDICT),
        (0.9, "", NoLabel.NO_VERDICT),
        (0.9, "perhaps", NoLabel.UNKNOWN_VERDICT),
        (None, "agree", NoLabel.NOT_ASSESSED),
    ],
)
def test_the_label_of_level_and_verdict(probability: float | None, verdict: str | None, label: Label | NoLabel) -> None:
    assert label_of(read(probability, verdict)) is label
    assert label_of(read(probability, verdict, stat=True)) is label, "a person's STAT is not what the verdict is about"


def test_an_unread_study_has_none() -> None:
    claimed = Reading(state=ReadingState.CLAIMED, reader="dr", since=LATER, verdict="agree")
    assert label_of(read(0.9, "agree", reading=claimed)) is NoLabel.UNREAD


def test_a_verdict_on_another_assessment_counts_for_nothing() -> None:
    assert label_of(read(0.9, "agree", assessed_at=LATER + timedelta(seconds=1))) is NoLabel.LATER
    assert label_of(read(0.9, "agree", assessed_at=LATER)) is Label.ABNORMAL
    timeless = Reading(state=ReadingState.READ, reader="dr", since=LATER, verdict="agree")
    assert label_of(read(0.9, "agree", reading=timeless)) is NoLabel.NO_TIME


@given(probability=st.none() | st.floats(0, 1), reading=readings)
def test_a_label_needs_an_assessment_a_reader_and_a_word(probability: float | None, reading: Reading) -> None:
    found = label_of(read(probability, None, reading=reading))
    if isinstance(found, Label):
        assert probability is not None
        assert reading.state is ReadingState.READ
        assert reading.verdict in {Verdict.AGREE, Verdict.DISAGREE}
        flagged = probability >= 0.5
        assert (found is Label.ABNORMAL) == (flagged == (reading.verdict == "agree"))


def test_a_study_whose_films_are_in_doubt_gives_no_label() -> None:
    for doubt in Doubt:
        assert label_of(read(0.9, "agree", doubt=doubt)) is NoLabel.DOUBT
