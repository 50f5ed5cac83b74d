"""The A-ASSOCIATE-RQ, against pynetdicom's reading of the same bytes, and against bytes that are none."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import negotiate_as_acceptor

from triage.dimse.contexts import OFFERED, STORAGE_CLASSES, TRANSFER_SYNTAXES
from triage.dimse.negotiation import USER_REJECTION, negotiate, parse_request
from triage.dimse.pdu import MAXIMUM_LENGTH, ProtocolError

DEFLATED, BIG_ENDIAN, UNCOMPRESSED = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1"
CLASSES = [*OFFERED, "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1"]
SYNTAXES = [*TRANSFER_SYNTAXES, DEFLATED, BIG_ENDIAN]


def request(proposed: list[tuple[str, list[str]]], roles: dict[str, tuple[bool, bool]] | None = None) -> bytes:
    """The content of an A-ASSOCIATE-RQ as pynetdicom writes it."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "CALLER", "TRIAGE"
    contexts = [build_context(abstract, transfers) for abstract, transfers in proposed]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    maximum, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    maximum.maximum_length_received, implementation.implementation_class_uid = 16382, "1.2.3"
    items = [maximum, implementation]
    for uid, (scu, scp) in (roles or {}).items():
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = uid, scu, scp
        items.append(role)
    primitive.user_information = items
    return A_ASSOCIATE_RQ(primitive).encode()[6:]


proposals = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.lists(st.sampled_from(SYNTAXES), min_size=1, unique=True)), min_size=1, max_size=128
)


@settings(max_examples=60, deadline=None)
@given(proposals)
def test_accepted_is_what_pynetdicom_would_accept(proposed: list[tuple[str, list[str]]]) -> None:
    content = request(proposed)
    asked = parse_request(content)
    accepted, answer = negotiate(asked, OFFERED)

    theirs = A_ASSOCIATE_RQ()
    theirs.decode(b"\1\0" + struct.pack(">I", len(content)) + content)
    offered = [build_context(abstract, list(transfers)) for abstract, transfers in OFFERED.items()]
    expected, _ = negotiate_as_acceptor(theirs.to_primitive().presentation_context_definition_list, offered, {})
    assert {key: (one.abstract_syntax, one.transfer_syntax) for key, one in accepted.items()} == {
        one.context_id: (one.abstract_syntax, one.transfer_syntax[0]) for one in expected if one.result == 0
    }
    said = A_ASSOCIATE_AC()
    said.decode(answer)
    assert {one.context_id: one.result for one in said.presentation_context} == {one.context_id: one.result for one in expected}
    assert said.user_information.maximum_length == MAXIMUM_LENGTH
    assert (asked.calling_ae_title, asked.called_ae_title, asked.maximum_length) == ("CALLER", "TRIAGE", 16382)


def test_compressed_before_uncompressed_and_explicit_before_implicit() -> None:
    asked = parse_request(request([(one, list(reversed(SYNTAXES))) for one in STORAGE_CLASSES]))
    assert {one.transfer_syntax for one in negotiate(asked, OFFERED)[0].values()} == {"1.2.840.10008.1.2.4.80"}


@pytest.mark.parametrize("syntax", [DEFLATED, BIG_ENDIAN])
def test_never_deflated_nor_big_endian(syntax: str) -> None:
    assert negotiate(parse_request(request([(one, [syntax]) for one in CLASSES])), OFFERED)[0] == {}


@pytest.mark.parametrize(("roles", "accepted"), [((True, False), True), ((True, True), True), ((False, True), False)])
def test_we_are_scp_only(roles: tuple[bool, bool], accepted: bool) -> None:
    uid = next(iter(STORAGE_CLASSES))
    contexts, answer = negotiate(parse_request(request([(uid, [UNCOMPRESSED])], {uid: roles})), OFFERED)
    said = A_ASSOCIATE_AC()
    said.decode(answer)
    assert bool(contexts) == accepted
    assert said.presentation_context[0].result == (0 if accepted else USER_REJECTION)
    answered = said.user_information.role_selection
    assert [(one.scu_role, one.scp_role) for one in answered.values()] == ([(True, False)] if accepted else [])


VALID = request([(one, SYNTAXES) for one in CLASSES])


@given(st.data())
def test_damaged_requests_are_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    try:
        negotiate(parse_request(bytes(content)), OFFERED)
    except ProtocolError:
        return


@given(st.binary(max_size=400))
def test_anything_is_read_or_refused(content: bytes) -> None:
    try:
        parse_request(VALID[:68] + content)
    except ProtocolError:
        return


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


ABSTRACT, TRANSFER = _item(0x30, b"1.2.840.10008.1.1"), _item(0x40, b"1.2.840.10008.1.2")


@pytest.mark.parametrize(
    "items",
    [
        b"",
        _item(0x20, b"\1\0\0\0" + ABSTRACT),
        _item(0x20, b"\1\0\0\0" + TRANSFER),
        _item(0x20, b"\2\0\0\0" + ABSTRACT + TRANSFER),
        _item(0x20, b"\1\0\0\0" + ABSTRACT + TRANSFER) * 2,
        _item(0x20, b"\1\0"),
        _item(0x20, b"\1\0\0\0" + _item(0x30, b"1" * 65) + TRANSFER),
        _item(0x20, b"\1\0\0\0" + _item(0x30, b"1.2/../3") + TRANSFER),
        _item(0x20, b"\1\0\0\0" + ABSTRACT + TRANSFER) + _item(0x50, _item(0x54, b"\0\x201.2\1\0")),
        _item(0x20, b"\1\0\0\0" + ABSTRACT + TRANSFER) + _item(0x50, _item(0x51, b"") * 4000),
        _item(0x20, b"\1\0\0\0" + ABSTRACT + TRANSFER)[:-1],
    ],
)
def test_what_does_not_add_up_is_refused(items: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_request(VALID[:68] + items)
