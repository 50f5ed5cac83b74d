"""Command sets: ours read by pynetdicom, pynetdicom's read by us, and bytes that are none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode, encode

from triage.dimse import command
from triage.dimse.command import Command
from triage.dimse.pdu import ProtocolError

UIDS = (command.AFFECTED_SOP_CLASS_UID, command.AFFECTED_SOP_INSTANCE_UID)


def asked(**replaced: bytes) -> bytes:
    """A C-STORE-RQ; ``replaced``: elements by hexadecimal number."""
    values = {
        0x0002: b"1.2.840.10008.1.1\0",
        0x0100: b"\1\0",
        0x0110: b"\7\0",
        0x0700: b"\0\0",
        0x0800: b"\1\0",
        0x1000: b"1.2.3\0",
    }
    values |= {int(name[1:], 16): value for name, value in replaced.items()}
    return command.encode(values)


def test_a_request_of_pynetdicom_is_read() -> None:
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 7, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    found = command.parse(encode(message.command_set, True, True))
    assert (found.field, found.message_id) == (command.C_STORE_RQ, 7)
    assert [found.text(one) for one in UIDS] == ["1.2.840.10008.5.1.4.1.1.7", "1.2.3"]
    assert not found.has_data_set


def test_a_response_is_read_by_pydicom() -> None:
    answer = command.response(command.parse(asked()), command.C_STORE_RSP, 0xA700, comment="no room", uids=UIDS)
    from io import BytesIO

    found = decode(BytesIO(answer), True, True)
    assert (found.CommandField, found.MessageIDBeingRespondedTo, found.Status) == (0x8001, 7, 0xA700)
    assert (found.ErrorComment, found.AffectedSOPInstanceUID, found.CommandDataSetType) == ("no room", "1.2.3", 0x0101)
    assert found.CommandGroupLength == len(answer) - 12


@pytest.mark.parametrize("uid", [b"", b"1" * 65, b"../../x\0", b"1.2'; DROP", b"\xff\xfe"])
def test_a_uid_that_is_none_is_not_given_back(uid: bytes) -> None:
    answer = command.response(command.parse(asked(x1000=uid)), command.C_STORE_RSP, 0xC100, uids=UIDS)
    assert command.AFFECTED_SOP_INSTANCE_UID not in command.parse(answer).elements


@pytest.mark.parametrize(
    "content",
    [
        b"",
        asked()[:-1],
        asked()[:5],
        asked() + asked(),
        asked(x0100=b""),
        asked(x0100=b"\1"),
        asked(x0800=b"\1\0\0\0"),
        struct.pack("<HHI", 8, 0x18, 0) + asked(),
        struct.pack("<HHI", 0, 2, 0xFFFFFFFF),
    ],
)
def test_what_does_not_add_up_is_refused(content: bytes) -> None:
    with pytest.raises(ProtocolError):
        command.parse(content)


def test_a_request_without_message_id_cannot_be_answered() -> None:
    with pytest.raises(ProtocolError):
        _ = command.parse(asked(x0110=b"")).message_id


@given(st.binary(max_size=300))
def test_anything_is_read_or_refused(content: bytes) -> None:
    try:
        assert isinstance(command.parse(content), Command)
    except ProtocolError:
        return


@given(st.dictionaries(st.integers(1, 0xFFFF), st.binary(max_size=64), max_size=12))
def test_what_is_written_is_read(values: dict[int, bytes]) -> None:
    values |= {command.COMMAND_FIELD: b"\1\0", command.COMMAND_DATA_SET_TYPE: b"\1\1"}
    found = command.parse(command.encode(values)).elements
    assert {key: value for key, value in found.items() if key} == values
