"""Command sets (PS3.7 6.3.1, 9.3, 10.3, E.1): always Implicit VR Little Endian, a few elements of group 0000."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from triage.dimse.pdu import ProtocolError

C_STORE_RQ, C_STORE_RSP, C_ECHO_RQ, C_ECHO_RSP, C_CANCEL_RQ = 0x0001, 0x8001, 0x0030, 0x8030, 0x0FFF
C_GET_RQ, C_GET_RSP, C_FIND_RQ, C_FIND_RSP, C_MOVE_RQ, C_MOVE_RSP = 0x0010, 0x8010, 0x0020, 0x8020, 0x0021, 0x8021
N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP, N_ACTION_RQ, N_ACTION_RSP = 0x0100, 0x8100, 0x0130, 0x8130
RESPONSE = 0x8000
"""The bit that tells a response from its request."""
NO_DATA_SET = 0x0101

GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS_UID, REQUESTED_SOP_CLASS_UID = 0x0002, 0x0003
COMMAND_FIELD, MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO = 0x0100, 0x0110, 0x0120
COMMAND_DATA_SET_TYPE, STATUS, ERROR_COMMENT = 0x0800, 0x0900, 0x0902
AFFECTED_SOP_INSTANCE_UID, REQUESTED_SOP_INSTANCE_UID = 0x1000, 0x1001
EVENT_TYPE_ID, ACTION_TYPE_ID = 0x1002, 0x1008
MOVE_DESTINATION, PRIORITY = 0x0600, 0x0700
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023  # numbers of sub-operations

LONGEST = 4096
"""Bytes; a command set that is allowed needs a tenth of it."""
LONGEST_IDENTIFIER = 64 << 10
"""Bytes of an identifier; one with every key that there is needs a tenth of it."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command set, by element number. Hostile until looked at: only what every message must have is checked."""

    elements: dict[int, bytes]

    @property
    def field(self) -> int:
        """Command Field (0000,0100): which message it is."""
        return self.number(COMMAND_FIELD)

    @property
    def message_id(self) -> int:
        """Message ID (0000,0110) of a request."""
        return self.number(MESSAGE_ID)

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows."""
        return self.number(COMMAND_DATA_SET_TYPE) != NO_DATA_SET

    def number(self, element: int) -> int:
        """An unsigned short.

        Raises:
            ProtocolError: it is not there, or of another length.
        """
        value = self.elements.get(element, b"")
        if len(value) != 2:
            raise ProtocolError("a command set that lacks a number it must have")
        return int.from_bytes(value, "little")

    def text(self, element: int) -> str:
        """A UID without its padding (PS3.5 9.1: NULL; a space is seen as well); not checked; empty: not there."""
        return self.elements.get(element, b"").decode("latin-1").rstrip("\0 ")


def parse(content: bytes) -> Command:
    """A command set.

    Raises:
        ProtocolError: of another group, twice the same element, lengths that do not add up, or no Command Field.
    """
    elements: dict[int, bytes] = {}
    at = 0
    while at < len(content):
        if len(content) - at < 8:
            raise ProtocolError("a command set that is cut off")
        group, element, length = struct.unpack_from("<HHI", content, at)
        end = at + 8 + length
        if group or element in elements or end > len(content):
            raise ProtocolError("a command set whose elements do not add up")
        elements[element] = bytes(content[at + 8 : end])
        at = end
    command = Command(elements)
    _ = command.field, command.has_data_set  # what cannot be told apart cannot be answered
    return command


def response(
    request: Command,
    field: int,
    status: int,
    *,
    comment: str = "",
    uids: tuple[int, ...] | None = None,
    has_data_set: bool = False,
    numbers: Mapping[int, int] | None = None,
) -> bytes:
    """The response to a request. ``uids``: the elements that hold the request's SOP class and instance, to be given back
    where they can be UIDs at all; ``numbers``: elements that are unsigned shorts."""
    values: dict[int, bytes] = {
        COMMAND_FIELD: _number(field),
        MESSAGE_ID_BEING_RESPONDED_TO: _number(request.message_id),
        COMMAND_DATA_SET_TYPE: _number(0x0001 if has_data_set else NO_DATA_SET),
        STATUS: _number(status),
    }
    values |= {element: _number(min(value, 0xFFFF)) for element, value in (numbers or {}).items()}
    if comment:
        values[ERROR_COMMENT] = _text(comment, " ")
    for place, element in zip((AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID), uids or (), strict=False):
        if _is_uid(request.text(element)):
            values[place] = _text(request.text(element), "\0")
    return encode(values)


def store_request(sop_class_uid: str, sop_instance_uid: str, message_id: int) -> bytes:
    """A C-STORE-RQ (PS3.7 9.3.1.1) of medium priority."""
    return encode(
        {
            AFFECTED_SOP_CLASS_UID: _text(sop_class_uid, "\0"),
            COMMAND_FIELD: _number(C_STORE_RQ),
            MESSAGE_ID: _number(message_id),
            PRIORITY: _number(0),
            COMMAND_DATA_SET_TYPE: _number(0x0001),
            AFFECTED_SOP_INSTANCE_UID: _text(sop_instance_uid, "\0"),
        }
    )


def encode(values: dict[int, bytes]) -> bytes:
    """A command set with its group length."""
    content = b"".join(_elements(values))
    return struct.pack("<HHII", 0, GROUP_LENGTH, 4, len(content)) + content


def _elements(values: dict[int, bytes]) -> Iterator[bytes]:
    for element, value in sorted(values.items()):
        yield struct.pack("<HHI", 0, element, len(value)) + value


def _number(value: int) -> bytes:
    return struct.pack("<H", value)


def _text(value: str, padding: str) -> bytes:
    return (value + padding * (len(value) % 2)).encode("ascii", "replace")


def _is_uid(value: str) -> bool:
    return 0 < len(value) <= 64 and all(character in "0123456789." for character in value)
