"""What a RIS's messages say, by the tables."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.make import NOW
from tests.unit.hl7.messages import order
from tests.unit.hl7.results import validated
from triage.domain.order import PatientNumber, Statement
from triage.hl7.orders import Reading, statements
from triage.hl7.structure import Malformed, parse
from triage.hl7.times import parse_ts, ts

KINDS = ("ORM^O01", "OMG^O19", "OMI^O23")


def said(content: bytes, reading: Reading | None = None) -> Statement:
    (one,) = statements(parse(content), reading or Reading(), NOW)
    return one


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_says_what_it_says(kind: str) -> None:
    assert said(order(kind=kind, uid="1.2.3")) == Statement(
        placer_order_number="PL-1^HIS",
        accession_number="A-17",
        study_instance_uid="1.2.3",
        patients=(PatientNumber("P-1", "HOSP"),),
        placed=True,
        stat=True,
        said_at=NOW,
    )


@pytest.mark.parametrize("kind", ["OMG^O19^OMG_O19", "OMI^O23^OMI_O23"])  # of ORM, hl7apy asks for all of a choice
def test_the_messages_of_these_tests_are_valid(kind: str) -> None:
    validated(order(kind=kind, uid="1.2.3" if kind.startswith("OMI") else None).decode())


@pytest.mark.parametrize(
    ("control", "priority", "stat", "over"),
    [
        ("NW", "S", True, False),
        ("NW", "STAT", True, False),
        ("NW", "s", True, False),
        ("NW", "R", None, False),
        ("NW", "A", None, False),
        ("NW", None, None, False),
        ("XO", "S", True, False),
        ("XO", "R", False, False),
        ("XO", "A", False, False),
        ("XO", None, None, False),
        ("SC", "S", True, False),
        ("CA", "S", True, True),
        ("DC", None, None, True),
        ("OC", "R", False, True),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_control_and_priority(kind: str, control: str, priority: str | None, stat: bool | None, over: bool) -> None:
    one = said(order(kind=kind, control=control, priority=priority))
    assert (one.stat, one.over) == (stat, over)


@pytest.mark.parametrize("place", ["ORC-7", "OBR-27", "OBR-5", "second TQ1"])
def test_one_place_that_says_stat_is_enough(place: str) -> None:
    content = {
        "ORC-7": order(control="XO", priority="S"),
        "OBR-27": order(control="XO", priority="R").replace(b"|A-17\r", b"|A-17" + b"|" * 9 + b"^^^^^S\r"),
        "OBR-5": order(control="XO", priority="R").replace(b"36643-5^XR Chest 2 Views^LN|", b"36643-5^XR Chest 2 Views^LN|S"),
        "second TQ1": order(kind="OMI^O23", control="XO", priority="R").replace(b"\rOBR", b"\rTQ1|2||||||||S\rOBR"),
    }[place]
    assert said(content).stat is True


def test_a_status_of_cancelled_ends_an_order() -> None:
    assert said(order(control="SC").replace(b"|||||^^^^^S", b"|||CA||^^^^^S")).over
    assert not said(order(control="SC").replace(b"|||||^^^^^S", b"|||CM||^^^^^S")).over


def test_a_site_says_what_is_stat_and_where_the_accession_number_stands() -> None:
    reading = Reading(places=("OBR-2",), stat=("A",))
    one = said(order(priority="A"), reading)
    assert (one.stat, one.accession_number) == (True, "PL-1")
    assert said(order(priority="S"), reading).stat is None


def test_several_orders_and_a_zds_at_the_end_that_is_for_all() -> None:
    second = "ORC|NW|PL-2^HIS|||||^^^^^R\rOBR|2|PL-2^HIS||X||||||||||||||A-18\rZDS|1.2.3\r"
    one, two = statements(parse(order(tail=second)), Reading(), NOW)
    assert (one.accession_number, one.study_instance_uid, one.stat) == ("A-17", "1.2.3", True)
    assert (two.accession_number, two.study_instance_uid, two.stat) == ("A-18", "1.2.3", None)


def test_every_number_of_the_patient_counts() -> None:
    one = said(order(patient="P-1^^^HOSP&1.2&ISO^MR~77^^^&1.9&ISO^PI~~P-1^^^HOSP"))
    assert one.patients == (PatientNumber("P-1", "HOSP"), PatientNumber("77", "1.9"))
    assert said(order(patient=None)).patients == ()
    assert said(order(patient='""')).patients == ()


BAD = {
    "no control id": (order(number=""), 101),
    "a result": (order(kind="ORU^R01"), 200),
    "no type": (order(kind=""), 200),
    "another event": (order(kind="ORM^O02"), 201),
    "training": (order(processing="T"), 202),
    "version 3": (order(version="3"), 203),
    "no ORC": (order().replace(b"ORC|", b"ZRC|"), 100),
    "hold": (order(control="HD"), 103),
    "no control": (order(control=""), 103),
    "a UID that is none": (order(uid="1.02.x"), 102),
    "nothing to find it by": (order(accession=None), 101),
    "no number at all": (order(control="CA", accession=None, placer=None), 101),
    "a long number": (order(accession="9" * 200), 104),
    "fifty-one orders": (order(tail="ORC|NW|1\rOBR|1|||||||||||||||||A\r" * 50), 104),
    "an issuer that is endless": (order(patient="P-1^^^" + "X" * 200), 104),
    "too many segments": (order(tail="NTE|1\r" * 2000), 100),
    "no MSH": (b"PID|1\r", 100),
    "nothing": (b"", 100),
    "no delimiters": (b"MSH|\r", 100),
    "delimiters alike": (b"MSH||||||\r", 102),
    "letters for delimiters": (b"MSHabcdefg\r", 102),
    "an unknown charset": (order(charset="EBCDIC"), 103),
    "another charset than it says": (order(charset="UNICODE UTF-8").replace(b"Doe", b"D\xf6e"), 102),
    "not ASCII though it says so": (order(charset="ASCII").replace(b"Doe", b"D\xf6e"), 102),
}


@pytest.mark.parametrize(("content", "code"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_taken_says_why(content: bytes, code: int) -> None:
    with pytest.raises(Malformed) as raised:
        statements(parse(content), Reading(), NOW)
    assert raised.value.code == code
    for value in ("Doe", "P-1", "A-17", "PL-1"):
        assert value not in str(raised.value)


def test_a_name_in_an_unsaid_charset_does_not_cost_the_order() -> None:
    assert said(order().replace(b"Doe", b"D\xf6e")).accession_number == "A-17"


def test_lines_for_segments_and_other_delimiters_are_read() -> None:
    assert said(order().replace(b"\r", b"\r\n")) == said(order())
    assert said(order().replace(b"\r", b"\n")) == said(order())
    other = order().decode().translate(str.maketrans("|^~\\&", "#@!$%")).encode()
    assert said(other) == said(order())


def test_a_clock_far_ahead_is_not_believed() -> None:
    assert said(order(after=3600)).said_at == NOW + timedelta(hours=1)
    assert said(order(after=86400 * 400)).said_at == NOW


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260302080000+0000", NOW),
        ("20260302090000.0000+0100", NOW),
        ("202603020800", NOW),
        ("20260302", datetime(2026, 3, 2, tzinfo=UTC)),
        ("20260302023000-0530", NOW),
        ("", None),
        ("2026-03-02", None),
        ("20261302", None),
        ("20260302080000+2500", None),
        ("00000000", None),
        ("99991231235959-1200", None),
    ],
)
def test_times(text: str, moment: datetime | None) -> None:
    assert parse_ts(text) == moment


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back(moment: datetime) -> None:
    assert parse_ts(ts(moment)) == moment.replace(microsecond=moment.microsecond // 100 * 100)


@given(
    content=st.binary(max_size=300)
    | st.lists(st.sampled_from([b"MSH|^~\\&|", b"\r", b"ORC|NW|", b"OBR|", b"^~&\\|", b"PID|1||x", b"\\F", b"\xff"])).map(
        b"".join
    )
)
@settings(max_examples=200, deadline=None)
def test_anything_is_read_or_refused(content: bytes) -> None:
    with suppress(Malformed):
        statements(parse(content), Reading(), NOW)
