"""How a row explains and writes itself."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain import make
from tests.unit.domain.make import NOW, POLICY
from triage.domain.reason import Reason
from triage.domain.study import Reading, ReadingState, Study, placed, with_image, with_outcome
from triage.domain.worklist import WorklistItem, as_json, head_start_words, next_free, order, ranked, span, why

LATER = NOW + timedelta(minutes=14)
SHAPE = {
    "rank": int, "study_instance_uid": str, "patient_id": str, "patient_name": str, "accession_number": str,
    "study_description": str, "modality": str, "view": str, "level": str, "reason": str, "doubt": str,
    "probability": float, "model": str,
    "images": int, "images_covered": int, "arrived_at": str, "assessed_at": str, "key": str, "head_start_seconds": int,
    "waiting_seconds": int, "why": str, "reading": dict,
}  # fmt: skip
ALWAYS = {"rank", "study_instance_uid", "level", "images", "images_covered", "arrived_at", "key", "why", "reading"}


def after(*outcomes: object) -> Study:
    study = make.study()
    for outcome in outcomes:
        study = with_outcome(study, outcome, POLICY)  # type: ignore[arg-type]
    return study


@given(make.studies())
def test_every_row_has_the_documented_shape(study: Study) -> None:
    row = as_json(WorklistItem(rank=1, study=study), LATER)
    assert list(row) == list(SHAPE)
    for name, kind in SHAPE.items():
        assert isinstance(row[name], kind) or (row[name] is None and name not in ALWAYS), name
    assert list(row["reading"]) == ["state", "reader", "since", "verdict", "lease_until", "verdict_at"]
    assert row["reading"]["state"] in ("unread", "claimed", "read")
    for name in ("arrived_at", "key", "assessed_at"):
        assert row[name] is None or datetime.fromisoformat(row[name]).tzinfo is not None
    assert row["waiting_seconds"] >= 0


@given(make.studies())
def test_a_probability_is_shown_exactly_where_an_assessment_stands(study: Study) -> None:
    row = as_json(WorklistItem(rank=1, study=study), LATER)
    assert (row["probability"] is not None) == (study.network_level in ("flagged", "not_flagged"))
    assert row["probability"] is None or row["reason"] is None


def test_the_row_of_the_documentation() -> None:
    study = after(make.scored("1.2.3", 0.91))
    row = as_json(ranked([study])[0], LATER)
    assert row == {
        "rank": 1,
        "study_instance_uid": "1.2.3",
        "patient_id": "P-1",
        "patient_name": "Doe^Jane",
        "accession_number": None,
        "study_description": None,
        "modality": "DX",
        "view": "PA",
        "level": "flagged",
        "reason": None,
        "doubt": None,
        "probability": 0.91,
        "model": "net@1+abababab",
        "images": 1,
        "images_covered": 1,
        "arrived_at": "2026-03-02T08:00:00+00:00",
        "assessed_at": "2026-03-02T08:00:00+00:00",
        "key": "2026-03-01T08:00:00+00:00",
        "head_start_seconds": 86400,
        "waiting_seconds": 840,
        "why": "flagged (probability 0.91), arrived 14 min ago, head start 24 h",
        "reading": {
            "state": "unread",
            "reader": None,
            "since": None,
            "verdict": None,
            "lease_until": None,
            "verdict_at": None,
        },
    }


def test_a_claim_is_told() -> None:
    claim = Reading(state=ReadingState.CLAIMED, reader="dr", since=NOW, lease_until=NOW + timedelta(minutes=15))
    study = replace(make.study(), reading=claim)
    assert as_json(WorklistItem(rank=1, study=study), LATER)["reading"] == {
        "state": "claimed",
        "reader": "dr",
        "since": "2026-03-02T08:00:00+00:00",
        "verdict": None,
        "lease_until": "2026-03-02T08:15:00+00:00",
        "verdict_at": None,
    }


def test_a_claim_whose_lease_is_over_shows_as_unread() -> None:
    claim = Reading(state=ReadingState.CLAIMED, reader="dr", since=NOW, lease_until=LATER)
    row = as_json(WorklistItem(rank=1, study=replace(make.study(), reading=claim)), LATER)
    assert (row["reading"]["state"], row["reading"]["reader"]) == ("unread", None)


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        (make.study(), "analysing, arrived 14 min ago, head start 24 h"),
        (after(make.scored("1.2.3", 0.126)), "not flagged (probability 0.13), arrived 14 min ago, head start 0 h"),
        (
            after(make.excused(reason=Reason.PAEDIATRIC)),
            "not assessed (patient below the intended age), arrived 14 min ago, head start 24 h",
        ),
        (
            after(make.excused(reason=Reason.NOT_A_CHEST_FILM, out_of_scope=True)),
            "out of scope (not a chest radiograph by its tags), arrived 14 min ago, head start 0 h",
        ),
        (
            placed(replace(after(make.scored("1.2.3", 0.1)), stat=True), POLICY),
            "STAT, not flagged (probability 0.10), arrived 14 min ago, head start 30 d",
        ),
        (
            with_image(after(make.scored("1.2.3", 0.9)), POLICY),
            "flagged (probability 0.90), arrived 14 min ago, head start 24 h, 1 of 2 images covered",
        ),
    ],
)
def test_a_row_says_its_arithmetic_in_one_sentence(study: Study, sentence: str) -> None:
    assert why(study, LATER) == sentence


@given(make.studies())
def test_no_row_calls_anybody_normal(study: Study) -> None:
    assert "normal" not in why(study, LATER)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(-5, "0 min"), (0, "0 min"), (59.9, "59 min"), (60, "1 h"), (185, "3 h 05 min"), (1440, "1 d"), (3120, "2 d 4 h")],
)
def test_a_duration_for_people(minutes: float, words: str) -> None:
    assert span(timedelta(minutes=minutes)) == words


@pytest.mark.parametrize(("hours", "words"), [(0, "0 h"), (1.5, "1.5 h"), (48, "48 h"), (72, "3 d"), (720, "30 d")])
def test_a_head_start_for_people(hours: float, words: str) -> None:
    assert head_start_words(timedelta(hours=hours)) == words


HELD_BY = (
    st.just(Reading())
    | st.builds(
        Reading,
        state=st.just(ReadingState.CLAIMED),
        reader=st.sampled_from(["dr", "other"]),
        since=st.just(NOW),
        lease_until=st.sampled_from([NOW, NOW + timedelta(minutes=1)]),
    )
    | st.just(Reading(state=ReadingState.READ, reader="other", since=NOW))
)


@given(st.lists(HELD_BY, min_size=1, max_size=8), st.data())
def test_the_next_study_is_the_first_that_nobody_else_holds(readings: list[Reading], data: st.DataObject) -> None:
    listed = [
        replace(make.study(f"1.2.{place}", NOW + timedelta(minutes=place)), reading=reading)
        for place, reading in enumerate(readings)
    ]
    free = [
        one
        for one in listed
        if one.reading.state is ReadingState.UNREAD
        or (one.reading.state is ReadingState.CLAIMED and (one.reading.reader == "dr" or one.reading.lease_until == NOW))
    ]
    assert next_free(listed, "dr", NOW) == next(iter(free), None)
    here = data.draw(st.sampled_from(listed))
    behind = [one for one in free if here.reading.state is ReadingState.READ or order(one) > order(here)]
    assert next_free([one for one in listed if one != here], "dr", NOW, here) == next(iter(behind), None)
