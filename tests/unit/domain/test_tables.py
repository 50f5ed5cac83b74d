"""The tables that others rely on: identifiers, errors and statuses, reasons, levels and head starts."""

import string
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from triage.domain import errors
from triage.domain.errors import CannotUnderstand, MissingIdentifier, TriageError
from triage.domain.identifiers import check_uid, digest_of, is_ae_title, is_digest
from triage.domain.level import HeadStarts, Level
from triage.domain.reason import Reason


def is_uid(text: str) -> bool:
    """PS3.5 9.1, written another way than the code under test."""
    parts = text.split(".")
    return len(text) <= 64 and all(part and set(part) <= set(string.digits) and str(int(part)) == part for part in parts)


@given(st.text(alphabet="0123456789.", min_size=1, max_size=66) | st.text(min_size=1, max_size=8))
@example("1." + "1" * 62)
@example("1." + "1" * 63)
@example("1.2\n")
@example("١.٢")
@example("1.²")
@example("0.0")
@example("1.00")
def test_a_uid_is_what_the_standard_says(text: str) -> None:
    if is_uid(text):
        assert check_uid(text, "StudyInstanceUID") == text
    else:
        with pytest.raises(CannotUnderstand) as caught:
            check_uid(text, "StudyInstanceUID")
        assert str(caught.value) == "StudyInstanceUID is not a UID"


@pytest.mark.parametrize("absent", [None, ""])
def test_an_absent_uid_is_missing(absent: str | None) -> None:
    with pytest.raises(MissingIdentifier, match="StudyInstanceUID is missing"):
        check_uid(absent, "StudyInstanceUID")


@given(st.text(max_size=18) | st.text(alphabet=string.printable, max_size=18))
@example("A" * 16)
@example("A" * 17)
@example(" " * 16)
@example("A\\B")
@example("A\n")
def test_an_ae_title_is_what_the_standard_says(text: str) -> None:
    allowed = all(" " <= character <= "~" and character != "\\" for character in text)
    assert is_ae_title(text) == (1 <= len(text) <= 16 and allowed and bool(text.strip(" ")))


@given(st.binary(max_size=100))
def test_a_digest_is_recognised(data: bytes) -> None:
    assert is_digest(digest_of(data))
    assert digest_of(memoryview(data)) == digest_of(data)
    assert not is_digest(digest_of(data).upper().replace("0", "A"))
    assert not is_digest(digest_of(data) + "\n")


STATUSES = {
    "StorageFull": 0xA700,
    "IndexUnavailable": 0xA701,
    "DataSetMismatch": 0xA900,
    "CannotUnderstand": 0xC100,
    "MissingIdentifier": 0xC101,
    "TriageError": 0xC1FF,
}


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_each_error_carries_its_status(name: str, status: int) -> None:
    assert getattr(errors, name).status == status


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TriageError)]
)
def test_every_comment_fits_into_a_response(kind: type[TriageError]) -> None:
    assert 0 < len(kind.comment) <= 64
    assert kind.comment.isascii()


def test_only_what_passes_by_itself_is_worth_retrying() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TriageError)]
    assert {kind.__name__ for kind in kinds if kind.retry} == {
        "StorageFull",
        "ArchiveAway",
        "IndexUnavailable",
        "FilmsUnavailable",
    }
    alarming = {"StorageFull", "ArchiveAway", "IndexUnavailable", "FilmsUnavailable", "BundleError", "AuditBroken"} | {
        "BackupError"
    }
    assert {kind.__name__ for kind in kinds if kind.alarm} == alarming


BLOCKING = {
    "paediatric", "multi_frame", "cannot_decode", "numeric", "polarity_conflict", "no_model", "timed_out", "quarantined",
    "model_disagrees_with_itself", "not_a_chest_film", "no_image", "not_grayscale",
    "film_set_aside", "film_damaged", "identity_conflict", "not_upright", "cropped", "doubtful_image",
}  # fmt: skip


def test_the_codes_of_reasons_are_stable() -> None:
    harmless = {"lateral_view"}
    assert {reason.code for reason in Reason} == BLOCKING | harmless
    assert {reason.code for reason in Reason if reason.blocks} == BLOCKING


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_found_by_its_code(reason: Reason) -> None:
    assert Reason.from_code(reason.code) is reason
    assert reason.sentence
    assert "normal" not in reason.sentence


def test_an_unknown_code_is_an_error() -> None:
    with pytest.raises(ValueError, match="no reason"):
        Reason.from_code("tired")


def test_the_default_head_starts_are_the_documented_ones() -> None:
    hours = {level.value: HeadStarts().of(level) / timedelta(hours=1) for level in Level}
    assert hours == {"stat": 720, "flagged": 24, "not_assessed": 24, "pending": 24, "out_of_scope": 0, "not_flagged": 0}


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"flagged": -HOUR},
        {"not_flagged": -HOUR},
        {"not_flagged": 25 * HOUR},
        {"out_of_scope": 25 * HOUR},
        {"not_assessed": timedelta(0), "not_flagged": HOUR},
        {"pending": timedelta(0), "out_of_scope": HOUR},
        {"stat": 23 * HOUR},
        {"flagged": 31 * 24 * HOUR},
    ],
    ids=str,
)
def test_head_starts_that_break_a_promise_are_refused(wrong: dict[str, timedelta]) -> None:
    with pytest.raises(ValueError, match="head start"):
        HeadStarts(**wrong)


def test_equal_head_starts_are_first_come_first_served_and_allowed() -> None:
    assert HeadStarts(**{level.value: HOUR for level in Level})
