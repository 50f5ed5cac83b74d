"""The report of a result: what it says, what it never says, the same bytes each time, whatever the film's header holds."""

import re
from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.size import size
from tests.unit.domain.make import MODEL
from tests.unit.reporting.results import AT, DEVICE, KINDS, STUDY, excused, films, header, header_of, results, scored
from triage.domain.level import Level
from triage.domain.ours import NOTICE, is_ours
from triage.domain.reason import Reason
from triage.domain.result import Result
from triage.reporting.structured_report import REPORT, structured_report

DENIALS = re.compile(r"\b(normal|unremarkable|negative|clear|healthy|no (finding|abnormality|evidence)s?)\b", re.IGNORECASE)


def built(result: Result, *films: Dataset, predecessors: tuple[Result, ...] = ()) -> Dataset:
    return dcmread(BytesIO(structured_report(result, predecessors, films or [header()], DEVICE).content))


def items(dataset: Dataset, name: str) -> list[Dataset]:
    """Content items anywhere in the tree, by the meaning of their concept name."""
    found = []
    for item in dataset.get("ContentSequence", []):
        if item.ConceptNameCodeSequence[0].CodeMeaning == name:
            found.append(item)
        found += items(item, name)
    return found


def told(dataset: Dataset) -> list[str]:
    """Every text that a viewer may show."""
    shown = [element.value for element in dataset.iterall() if element.VR in ("LO", "SH", "UT", "ST")]
    return [str(value) for value in shown]


def numbers(dataset: Dataset, name: str) -> list[str]:
    return [str(item.MeasuredValueSequence[0].NumericValue) for item in items(dataset, name)]


def test_a_flagged_study_comes_with_its_number_its_threshold_and_its_image() -> None:
    report = built(scored(0.873))
    assert numbers(report, "Certainty of Finding") == ["87.3"]
    assert numbers(report, "Operating point: flagged at or above it") == ["50.0"]
    assert [one.ConceptCodeSequence[0].CodeValue for one in items(report, "Triage level")] == ["FLAGGED"]
    source = items(report, "Source of Measurement")[0].ReferencedSOPSequence[0]
    assert source.ReferencedSOPInstanceUID == f"{STUDY}.1.1"
    assert [one.TextValue for one in items(report, "Algorithm Name")] == [MODEL.name]
    assert [one.TextValue for one in items(report, "Algorithm Version")] == [f"1+{MODEL.bundle_id[:8]}"]
    assert (report.PreliminaryFlag, report.CompletionFlag, report.VerificationFlag) == ("PRELIMINARY", "COMPLETE", "UNVERIFIED")
    assert report.SeriesNumber >= 900
    assert (report.ContentDate, report.ContentTime) == ("20260302", "080005")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_is_not(kind: str) -> None:
    result = KINDS[kind]
    report = built(result)
    comments = [item.TextValue for item in items(report, "Comment")]
    print(kind, *comments, sep="\n  ")
    assert comments[0] == NOTICE
    assert not [text for text in told(report) if DENIALS.search(text)]
    has_number = result.probability is not None
    assert bool(numbers(report, "Certainty of Finding")) == has_number
    assert bool(items(report, "Why no number was given")) != has_number
    if result.level is Level.NOT_FLAGGED:
        assert "not a statement that nothing is there" in comments[1]
        assert "not a statement that nothing is there" in items(report, "Triage level")[0].ConceptCodeSequence[0].CodeMeaning


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_told_in_full(reason: Reason) -> None:
    report = built(excused(reason))
    assert f"Reason: {reason.sentence}." in [item.TextValue for item in items(report, "Comment")]
    code = items(report, "Why no number was given")[0].ConceptCodeSequence[0]
    assert len(code.CodeValue) <= 16
    assert len(code.CodeMeaning) <= 64


def test_reasons_have_codes_of_their_own() -> None:
    codes = [items(built(excused(reason)), "Why no number was given")[0].ConceptCodeSequence[0].CodeValue for reason in Reason]
    assert len(set(codes)) == len(Reason)


def test_a_later_report_names_those_that_it_replaces() -> None:
    first, second = scored(0.2), scored(0.4, number=2)
    third = built(scored(0.9, number=3), predecessors=(first, second))
    named = [
        (study.StudyInstanceUID, series.SeriesInstanceUID, document.ReferencedSOPInstanceUID)
        for study in third.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for document in series.ReferencedSOPSequence
    ]
    reports = [built(first), built(second, predecessors=(first,))]
    assert named == [(one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID) for one in reports]
    assert any("it replaces result 2" in item.TextValue for item in items(third, "Comment"))
    assert "PredecessorDocumentsSequence" not in reports[0]


def test_images_that_were_not_scored_are_named_and_are_no_source() -> None:
    report = built(KINDS["two_films"], header(), header())
    assert len(items(report, "Source of Measurement")) == 1
    said = " ".join(item.TextValue for item in items(report, "Comment"))
    assert "Images scored: 1 of 2." in said
    assert f"Image 2 was not scored: {Reason.LATERAL_VIEW.sentence}." in said
    evidence = [
        one.ReferencedSOPInstanceUID
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in report.get(keyword, [])
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]
    assert sorted(evidence) == [f"{STUDY}.1.1", f"{STUDY}.1.2"]


def test_it_is_known_as_ours() -> None:
    report = built(scored())
    assert is_ours(report.SOPClassUID, [report.DeviceUID], report.ManufacturerModelName)


def test_the_same_result_gives_the_same_bytes_and_another_another_uid() -> None:
    once, again = (structured_report(scored(), [], [header()], DEVICE) for _ in range(2))
    assert once == again
    others = [scored(0.92), scored(number=2), excused(), replace(scored(), decided_at=AT.replace(second=6))]
    assert (
        len({once.sop_instance_uid} | {structured_report(one, [], [header()], DEVICE).sop_instance_uid for one in others}) == 5
    )


@settings(max_examples=size(10, 300), deadline=None)
@given(results(), st.lists(films(), max_size=2))
def test_whatever_the_headers_hold_a_report_is_made_and_is_the_same_again(result: Result, given: list[bytes]) -> None:
    films = [header_of(one) for one in given]
    predecessors = [replace(result, number=number) for number in range(1, min(result.number, 3))]
    once = structured_report(result, predecessors, films, DEVICE)
    assert structured_report(result, predecessors, films, DEVICE) == once
    report = dcmread(BytesIO(once.content))
    assert report.StudyInstanceUID == STUDY
    assert (report.SOPInstanceUID, report.SeriesInstanceUID) == (
        REPORT.sop_instance_uid(result),
        REPORT.series_instance_uid(result),
    )
    assert bool(numbers(report, "Certainty of Finding")) == (result.probability is not None)
    assert not any(element.tag.is_private for element in report.iterall())


@settings(max_examples=size(15, 300), deadline=None)
@given(results())
def test_shown_numbers_stand_on_the_side_on_which_the_level_is(result: Result) -> None:
    if result.probability is None or result.model is None:
        return
    report = built(result)
    shown = [float(numbers(report, name)[0]) for name in ("Certainty of Finding", "Operating point: flagged at or above it")]
    exact = result.probability, result.model.threshold
    if abs(exact[0] - exact[1]) > 1e-11 or result.level is Level.FLAGGED:
        assert (shown[0] >= shown[1]) == (result.level is Level.FLAGGED), (shown, exact)
