"""Any result becomes a valid ORU^R01 that says what the result says, to parsers that are not ours, and nothing else."""

import re
from dataclasses import replace

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.make import NOW
from tests.unit.hl7.results import HOSTILE, result, results, texts, validated
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.hl7.message import NUMBER_MAX, Receiver, control_id, oru_r01
from triage.hl7.structure import Message, parse
from triage.hl7.text import Delimiters, bounded, escape, unescape

RIS = Receiver(application="RIS", facility="HOSP")
EXAMPLES = settings(max_examples=30, deadline=None)


def observed(message: Message) -> dict[str, str]:
    """The first component of each observation that is not deleted, by code."""
    return {one.value(3): one.value(5) for one in message.all("OBX") if one.value(11) == "P"}


def deleted(message: Message) -> set[str]:
    return {one.value(3) for one in message.all("OBX") if one.value(11) == "D"}


@given(one=results(), application=texts, facility=texts)
@EXAMPLES
def test_any_result_is_a_valid_message_that_says_it(one, application: str, facility: str) -> None:
    text = oru_r01(one, (), Receiver(application=application, facility=facility), NOW)
    validated(text)
    assert len(hl7.parse(text).segments("OBX")) == len(list(parse(text.encode()).all("OBX")))
    message = parse(text.encode())
    said = observed(message)
    assert ("111012" in said) == (one.probability is not None)
    if one.probability is not None:
        assert float(said["111012"]) == pytest.approx(one.probability * 100, abs=1e-4)
    assert ("REASON" in said) == (one.reason is not None)
    assert said["NOTICE"] == "AI triage, not a diagnosis"
    assert said["113014"] == one.study_instance_uid
    assert message.header.value(5) == bounded(application, 180)
    assert message.header.value(6) == bounded(facility, 180)
    whole = {name: bounded(getattr(one.facts, name), NUMBER_MAX + 1) for name in ("patient_id", "accession_number")}
    numbers = {name: value if len(value) <= NUMBER_MAX else "" for name, value in whole.items()}
    patient = message.first("PID")
    assert (patient is None) == (not numbers["patient_id"])
    if patient is not None:
        assert patient.value(3) == numbers["patient_id"]
    order = message.first("OBR")
    assert order is not None
    assert order.value(3) == order.value(18) == numbers["accession_number"]


@given(one=results(), two=results(number=2))
@EXAMPLES
def test_what_supersedes_says_so_and_deletes_what_it_does_not_say_again(one, two) -> None:
    text = oru_r01(two, (one,), RIS, NOW)
    validated(text)
    message, before = parse(text.encode()), parse(oru_r01(one, (), RIS, NOW).encode())
    assert observed(message)["REPLACES"] == before.control_id
    assert observed(message)["RESULT_NUMBER"] == "2"
    assert deleted(message) == observed(before).keys() - observed(message).keys()
    assert {one.value(25) for one in message.all("OBR")} == {"P"}


@given(value=texts)
@EXAMPLES
def test_what_is_escaped_comes_back_and_ends_nothing(value: str) -> None:
    value = bounded(value, 80)
    told = escape(value)
    assert unescape(told) == value
    assert not set(told) & set("|^~&\r\n\x0b\x1c\x00")


@given(value=st.text(st.sampled_from("\\.spXHFE0123456789dA|"), max_size=60))
def test_no_escape_grows(value: str) -> None:
    assert len(unescape(value)) <= len(value)


@pytest.mark.parametrize(
    ("told", "means"),
    [
        ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"),
        ("M\\XC3BC\\ller", "Müller"),
        ("\\H\\bold\\N\\", "bold"),
        ("one\\.sp999999999\\two", "one two"),
        ("no end \\F", "no end \\F"),
        ("\\Zxyz\\", "\\Zxyz\\"),
        ("\\XGG\\", "\\XGG\\"),
    ],
)
def test_escapes_mean_what_the_standard_says(told: str, means: str) -> None:
    assert unescape(told) == means


def test_others_delimiters_are_theirs() -> None:
    assert unescape("a!F!b", Delimiters("*", "#", "%", "!", "$")) == "a*b"


def test_hostile_values_stay_in_their_fields() -> None:
    evil = "X\rOBX|9|ST|111012^Certainty of Finding^DCM||0|||||F"
    text = oru_r01(result(facts=replace(result().facts, patient_name=evil, accession_number=evil[:60])), (), RIS, NOW)
    validated(text)
    assert text.count("\rOBX|") == 7
    assert not re.search("[\x00-\x0c\x0e-\x1f]", text)
    parsed = parse(text.encode())
    assert parsed.first("OBR").value(3) == evil[:60]
    assert HOSTILE


def test_the_same_result_has_the_same_control_id_and_another_another() -> None:
    one = result()
    assert control_id(one) == control_id(replace(one)) != control_id(replace(one, number=2))
    assert re.fullmatch("[A-Z2-7]{20}", control_id(one))


def test_a_name_keeps_its_parts_in_hl7s_order() -> None:
    facts = replace(result().facts, patient_name="Doe^Jane^Ann^Dr^Jr=日本")
    patient = parse(oru_r01(result(facts=facts), (), RIS, NOW).encode()).first("PID")
    assert patient.field(5) == "Doe^Jane^Ann^Jr^Dr"
    assert (patient.value(3), patient.value(3, 4), patient.value(8)) == ("P-1", "HOSP", "F")


def test_no_name_is_an_unspecified_one_and_no_number_no_pid() -> None:
    unnamed = oru_r01(result(facts=replace(result().facts, patient_name=None)), (), RIS, NOW)
    validated(unnamed)
    assert "|~^^^^^^U|" in unnamed
    assert "\rPID" not in oru_r01(result(facts=replace(result().facts, patient_id=None)), (), RIS, NOW)


def test_a_number_that_is_too_long_is_left_out_not_cut() -> None:
    text = oru_r01(result(facts=replace(result().facts, patient_id="9" * 65, accession_number="8" * 65)), (), RIS, NOW)
    assert "999" not in text
    assert "888" not in text


@pytest.mark.parametrize("level", [Level.NOT_FLAGGED, Level.FLAGGED])
@pytest.mark.parametrize("reason", [None, *Reason])
def test_no_film_is_called_normal(level: Level, reason: Reason | None) -> None:
    one = result(level=level) if reason is None else result(level=Level.NOT_ASSESSED, probability=None, reason=reason)
    text = oru_r01(one, (result(),), RIS, NOW)
    assert not re.search("normal|negative|unremarkable|clear", text, re.IGNORECASE)
    assert "AI triage, not a diagnosis" in text
