"""Requests for storage commitment: understood as pydicom means them, or refused, quickly, by one error."""

import random
import time
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from tests.size import size
from tests.unit.dimse.requests import (
    DX,
    EXPLICIT,
    IMPLICIT,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    action,
    by_hand,
    element,
    encoded,
    item,
    pairs,
    reference,
    uid,
)
from tests.unit.domain.make import NOW
from triage.dimse.commitment_data_set import event_report, parse_action
from triage.domain.commitment import (
    MOST_BYTES,
    MOST_REFERENCES,
    ActionInformation,
    Commitment,
    Failure,
    Reference,
    Report,
    TooManyReferences,
    Verdict,
)
from triage.domain.errors import CannotUnderstand

uids = st.lists(st.integers(0, 10**9), min_size=1, max_size=6).map(lambda parts: ".".join(["1", *map(str, parts)]))
references = st.lists(st.tuples(uids, uids), min_size=1, max_size=8)


@given(uids, references, st.sampled_from([EXPLICIT, IMPLICIT]), st.booleans())
def test_what_pydicom_writes_is_understood(
    transaction: str, asked: list[tuple[str, str]], syntax: str, undefined: bool
) -> None:
    data = encoded(action(transaction, asked), syntax, undefined=undefined)
    found = parse_action(data, syntax)
    assert found == ActionInformation(transaction, tuple(Reference(*pair) for pair in dict.fromkeys(asked)))


@settings(max_examples=size(120, 300))
@given(st.binary(max_size=300), st.sampled_from([EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.2", ""]))
def test_whatever_the_bytes_are_there_is_one_error(data: bytes, syntax: str) -> None:
    with pytest.raises(CannotUnderstand):
        parse_action(data, syntax)


@settings(max_examples=size(120, 300))
@given(st.integers(0, 2**32), st.sampled_from([EXPLICIT, IMPLICIT]), st.booleans(), st.integers(1, 6))
def test_damaged_requests_are_refused_or_name_checked_uids(seed: int, syntax: str, undefined: bool, hits: int) -> None:
    data = bytearray(encoded(action("1.2.3.4", pairs(3)), syntax, undefined=undefined))
    chance = random.Random(seed)
    for _ in range(hits):
        data[chance.randrange(len(data))] = chance.choice([0, 0xFF, 0xFE, chance.randrange(256)])
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    try:
        found = parse_action(bytes(data), syntax)
    except (CannotUnderstand, TooManyReferences):
        return
    for one in (
        found.transaction_uid,
        *(value for pair in found.references for value in (pair.sop_class_uid, pair.sop_instance_uid)),
    ):
        assert len(one) <= 64
        assert set(one) <= set("0123456789.")


def nested(depth: int) -> bytes:
    """A sequence within a sequence within …"""
    content = b""
    for _ in range(depth):
        content = element(0x00081111, b"SQ", item(content + ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED)
    return content


ONE = item(reference())
UNDERSTOOD = {
    "an item by delimiter": by_hand(item(reference() + ITEM_END, UNDEFINED)),
    "an object twice": by_hand(ONE, ONE),
    "other elements around": by_hand(ONE, before=element(0x00080054, b"AE", b"X "), after=element(0x00880130, b"SH", b"Y ")),
    "a retrieve AE title in the item": by_hand(item(element(0x00080054, b"AE", b"X ") + reference())),
    "a study component sequence to be passed over": by_hand(ONE, before=element(0x00081111, b"SQ", ONE)),
    "the same by delimiter": by_hand(ONE, before=element(0x00081111, b"SQ", ONE + SEQUENCE_END, UNDEFINED)),
    "sequences within sequences": by_hand(ONE, before=nested(7)),
    "unknown, implicit within": by_hand(
        ONE, before=element(0x00090010, b"UN", item(reference(explicit=False)) + SEQUENCE_END, UNDEFINED)
    ),
    "padded with spaces": by_hand(item(element(0x00081150, b"UI", DX.encode() + b" ") + element(0x00081155, b"UI", b"1.2.3 "))),
}
REFUSED = {
    "nothing": b"",
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "no transaction UID": element(0x00081199, b"SQ", ONE),
    "no objects": by_hand(),
    "no sequence": element(0x00081195, b"UI", uid("1.9")),
    "the sequence twice": by_hand(ONE, after=element(0x00081199, b"SQ", ONE)),
    "an item without a class": by_hand(item(element(0x00081155, b"UI", uid("1.2.3")))),
    "an item without an instance": by_hand(item(element(0x00081150, b"UI", uid(DX)))),
    "an empty UID": by_hand(item(element(0x00081150, b"UI", b"") + element(0x00081155, b"UI", uid("1.2.3")))),
    "a path": by_hand(item(reference(sop_instance_uid="../../etc/passwd"))),
    "SQL": by_hand(item(reference(sop_instance_uid="1.2' OR 1=1"))),
    "a UID of 65 characters": by_hand(item(reference(sop_instance_uid="1." + "1" * 63))),
    "two UIDs": by_hand(item(reference(sop_instance_uid="1.2\\1.3"))),
    "another alphabet": by_hand(item(reference(sop_instance_uid="1.٢"))),
    "a transaction that is no UID": by_hand(ONE, transaction_uid="x"),
    "a transaction that is a sequence": element(0x00081195, b"SQ", item(b"") + SEQUENCE_END, UNDEFINED) + by_hand(ONE),
    "cut off": by_hand(ONE)[:-3],
    "cut off in a head": by_hand(ONE) + b"\x08\x00\x99",
    "an element longer than its item": by_hand(item(element(0x00081150, b"UI", uid(DX), 4000))),
    "an item longer than its sequence": by_hand(item(reference(), 4000)),
    "a sequence longer than the data set": element(0x00081195, b"UI", uid("1.9")) + element(0x00081199, b"SQ", ONE, 4000),
    "a length of 4 GiB": element(0x00081195, b"UI", uid("1.9")) + element(0x00081199, b"SQ", ONE, UNDEFINED - 1),
    "a delimiter missing": by_hand(item(reference(), UNDEFINED)),
    "a delimiter too many": by_hand(ONE, after=ITEM_END),
    "an end of sequence in an item": by_hand(item(SEQUENCE_END)),
    "no item in the sequence": by_hand(reference()),
    "sequences without end": by_hand(ONE, before=nested(300)),
}  # fmt: skip


@pytest.mark.parametrize("data", UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_what_the_standard_allows_is_understood(data: bytes) -> None:
    assert parse_action(data, EXPLICIT) == ActionInformation("1.9", (Reference(DX, "1.2.3"),))


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(CannotUnderstand) as caught:
        parse_action(data, EXPLICIT)
    assert "passwd" not in str(caught.value)


def test_the_most_that_may_be_asked_fits() -> None:
    longest = "1." + "2" * 55
    asked = [("1.3." + "1" * 60, f"{longest}.{number}") for number in range(10_001, 10_001 + MOST_REFERENCES)]
    data = encoded(action(longest, asked), EXPLICIT, undefined=True)
    assert len(parse_action(data, EXPLICIT).references) == MOST_REFERENCES


@pytest.mark.parametrize("undefined", [False, True])
def test_one_object_too_many_is_a_matter_of_resources(undefined: bool) -> None:
    data = encoded(action("1.9", [(DX, f"1.{number}") for number in range(MOST_REFERENCES + 1)]), IMPLICIT, undefined=undefined)
    with pytest.raises(TooManyReferences):
        parse_action(data, IMPLICIT)


def test_too_many_bytes_are_not_looked_at() -> None:
    with pytest.raises(TooManyReferences):
        parse_action(bytes(MOST_BYTES + 1), EXPLICIT)


WORST = {
    "empty items": by_hand(item(b"") * (MOST_BYTES // 8 - 20)),
    "empty items to be passed over": by_hand(
        ONE, before=element(0x00081111, b"SQ", item(b"") * (MOST_BYTES // 8 - 30) + SEQUENCE_END, UNDEFINED)
    ),
    "empty elements": by_hand(ONE, before=element(0x00090010, b"LO", b"") * (MOST_BYTES // 8 - 20)),
}


@pytest.mark.parametrize("data", WORST.values(), ids=WORST)
def test_the_worst_two_million_bytes_hold_nobody_up(data: bytes) -> None:
    began = time.process_time()
    try:
        parse_action(data, EXPLICIT)
    except (CannotUnderstand, TooManyReferences) as error:
        print(f"{error}: ", end="")
    spent = time.process_time() - began
    print(f"{len(data)} bytes, {spent * 1000:.0f} ms of CPU time")
    assert spent < 2


def report(*failures: Failure | None) -> Report:
    verdicts = tuple(Verdict(Reference(DX, f"1.2.{number}"), failure) for number, failure in enumerate(failures))
    asked = ActionInformation("1.9", tuple(verdict.reference for verdict in verdicts))
    commitment = Commitment(number=1, calling_ae_title="CT", address="192.0.2.1", action=asked, requested_at=NOW)
    return Report(commitment=commitment, verdicts=verdicts)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(
    "failures", [[None], [None, None], [Failure.NO_SUCH_INSTANCE], [None, Failure.PROCESSING_FAILURE, None, *Failure]]
)
def test_a_report_names_every_object_once(syntax: str, failures: list[Failure | None]) -> None:
    made = report(*failures)
    found = read_dataset(BytesIO(event_report(made, syntax)), syntax == IMPLICIT, True)
    committed = [one.ReferencedSOPInstanceUID for one in found.get("ReferencedSOPSequence", [])]
    failed = {one.ReferencedSOPInstanceUID: one.FailureReason for one in found.get("FailedSOPSequence", [])}
    assert found.TransactionUID == "1.9"
    assert made.event_type_id == (2 if any(failures) else 1)
    assert committed == [f"1.2.{number}" for number, failure in enumerate(failures) if failure is None]
    assert failed == {f"1.2.{number}": failure.code for number, failure in enumerate(failures) if failure is not None}
    assert {one.ReferencedSOPClassUID for one in found.get("ReferencedSOPSequence", [])} <= {DX}
    assert "RetrieveAETitle" not in found


def test_the_failure_reasons_are_those_of_the_standard() -> None:
    assert {failure.code for failure in Failure} == {0x0110, 0x0112, 0x0119, 0x0122, 0x0131}


def test_a_repeat_is_known_whatever_the_order() -> None:
    one, other = Reference(DX, "1.2"), Reference(DX, "1.3")
    assert ActionInformation("1.9", (one, other)).content == ActionInformation("1.9", (other, one)).content
    assert ActionInformation("1.9", (one,)).content != ActionInformation("1.9", (other,)).content
