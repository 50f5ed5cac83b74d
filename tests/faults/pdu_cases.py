"""B02 and B03: command sets and PDUs that are wrong in one respect each."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults import wire
from tests.faults.wire import COMMAND, CONTEXTS, DATA_SET, DX, ECHO, STORE, item, p_data, pdu, user_information
from tests.integration.objects import data_set, elements_of, sop_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is sent, before or within an association. ``waits``: it claims more than comes, so that waiting is right."""

    name: str
    content: bytes = field(repr=False)
    associated: bool = True
    waits: bool = False


Elements = list[tuple[int, bytes]]
NAMES = {
    0x00000002: "AffectedSOPClassUID",
    0x00000100: "CommandField",
    0x00000110: "MessageID",
    0x00000700: "Priority",
    0x00000800: "CommandDataSetType",
    0x00001000: "AffectedSOPInstanceUID",
}
FIELDS = {
    0x0000: "nothing",
    0x0002: "no such thing",
    0x0010: "C-GET-RQ",
    0x0020: "C-FIND-RQ",
    0x0021: "C-MOVE-RQ",
    0x0100: "N-EVENT-REPORT-RQ",
    0x0110: "N-GET-RQ",
    0x0120: "N-SET-RQ",
    0x0130: "N-ACTION-RQ",
    0x0140: "N-CREATE-RQ",
    0x0150: "N-DELETE-RQ",
    0x0FFF: "C-CANCEL-RQ",
    0x8001: "C-STORE-RSP",
    0x8030: "C-ECHO-RSP",
    0xFFFF: "all ones",
}


def command_cases() -> Iterator[Case]:
    """B02: a C-STORE whose command set is wrong, with its data set behind it."""
    number = 90_000
    for name, content in _commands(number):
        data = data_set(elements_of(number, PixelData=None))
        yield Case(name=name, content=p_data(STORE, COMMAND, content) + wire.data_set(STORE, data))
    good = wire.command(wire.c_store_rq(sop_uid(number)))
    echo = wire.command(wire.c_echo_rq())
    zeros = bytes(16)
    yield Case(
        name="C-STORE in the context of Verification", content=p_data(ECHO, COMMAND, good) + p_data(ECHO, DATA_SET, zeros)
    )
    yield Case(name="C-ECHO in the context of DX", content=p_data(STORE, COMMAND, echo))
    yield Case(name="C-ECHO with a data set", content=p_data(ECHO, COMMAND, echo) + p_data(ECHO, DATA_SET, zeros))
    yield Case(name="in two contexts", content=p_data(STORE, COMMAND, good) + p_data(ECHO, DATA_SET, zeros))
    yield Case(name="two commands, one data set", content=p_data(STORE, COMMAND, good) * 2 + p_data(STORE, DATA_SET, zeros))
    yield Case(name="a data set without command", content=p_data(STORE, DATA_SET, zeros))
    yield Case(name="a command of 64 KiB of zeros", content=p_data(STORE, COMMAND, bytes(1 << 14)) * 4)


def _commands(number: int) -> Iterator[tuple[str, bytes]]:
    good: Elements = wire.c_store_rq(sop_uid(number))
    for place, (tag, value) in enumerate(good):
        name, before, after = NAMES[tag], good[:place], good[place + 1 :]
        yield f"without {name}", wire.command([*before, *after])
        yield f"{name} twice", wire.command([*before, (tag, value), *good[place:]])
        yield f"{name} empty", wire.command([*before, (tag, b""), *after])
        yield f"{name} of one byte", wire.command([*before, (tag, value[:1]), *after])
        for length in (len(value) + 1000, 0xFFFFFFFF):
            content = b"".join(wire.element(one, given) for one, given in before) + wire.element(tag, value, length)
            rest = b"".join(wire.element(one, given) for one, given in after)
            yield f"{name} claims {length} bytes", wire.element(0, struct.pack("<I", len(content + rest))) + content + rest
    yield "without group length", wire.command(good)[12:]
    for wrong in (0, 2, 10_000, 0xFFFFFFFF):
        yield f"group length {wrong}", wire.command(good, wrong)
    for value, name in FIELDS.items():
        yield f"CommandField {value:04X}: {name}", wire.command([(t, wire.us(value) if t == 0x100 else v) for t, v in good])
    yield "no data set is said to follow", wire.command([(t, wire.us(0x101) if t == 0x800 else v) for t, v in good])
    yield "priority FFFF", wire.command([(t, wire.us(0xFFFF) if t == 0x700 else v) for t, v in good])
    yield "elements backwards", wire.command(good[::-1])
    yield "elements of other groups", wire.command([*good, (0x00100010, b"Doe^Jane"), (0x7FE00010, bytes(64))])
    yield "Explicit VR", b"".join(struct.pack("<HH2sH", 0, t & 0xFFFF, b"US", len(v)) + v for t, v in good)
    yield "Big Endian", b"".join(struct.pack(">HHI", 0, t & 0xFFFF, len(v)) + v for t, v in good)
    yield "nothing", b""
    yield "three bytes", b"\0\0\0"
    yield "letters", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "an element of 1 MiB", wire.command([*good, (0x00001031, bytes(1 << 20))])


PDUS: dict[int, tuple[str, bytes]] = {
    1: ("A-ASSOCIATE-RQ", wire.associate_rq()),
    2: ("A-ASSOCIATE-AC", wire.associate_rq(kind=2)),
    3: ("A-ASSOCIATE-RJ", pdu(3, b"\0\1\1\1")),
    4: ("P-DATA-TF", p_data(ECHO, COMMAND, wire.command(wire.c_echo_rq()))),
    5: ("A-RELEASE-RQ", wire.RELEASE_RQ),
    6: ("A-RELEASE-RP", pdu(6, bytes(4))),
    7: ("A-ABORT", wire.ABORT),
}
UNKNOWN = (0x00, 0x08, 0x16, 0x7F, 0xFF)


def pdu_cases() -> Iterator[Case]:
    """B03: each PDU type × the length that it claims, before an association and within one; unknown types; wrong items."""
    for associated in (False, True):
        when = "within" if associated else "first"
        for name, whole in PDUS.values():
            true = len(whole) - 6
            for length in dict.fromkeys((true, 0, true - 1, true + 1, 1 << 31, (1 << 32) - 16)):
                content = whole[:2] + struct.pack(">I", length) + whole[6:]
                told, waits = f"{when}: {name}, length {length}", length != true
                yield Case(name=told, content=content, associated=associated, waits=waits)
        for kind in UNKNOWN:
            yield Case(name=f"{when}: type {kind:02X}h", content=pdu(kind, bytes(4)), associated=associated)
    yield from (Case(name=f"items: {name}", content=content, associated=False) for name, content in _items())
    for name, content in _values():
        yield Case(name=f"values: {name}", content=content)


def _items() -> Iterator[tuple[str, bytes]]:
    application, presented, user = item(0x10, wire.APPLICATION_CONTEXT), wire.contexts(CONTEXTS), user_information()
    first, syntaxes = wire.context(1, DX, (wire.EXPLICIT,)), item(0x40, wire.EXPLICIT)
    for name, parts in {
        "user information first": (user, presented, application),
        "contexts before the application context": (presented, application, user),
        "no application context": (presented, user),
        "two application contexts": (application, application, presented, user),
        "another application context": (item(0x10, "1.2.3"), presented, user),
        "no contexts": (application, user),
        "no user information": (application, presented),
        "two of user information": (application, presented, user, user),
        "none at all": (),
        "of unknown type": (application, item(0x99, bytes(8)), presented, user),
        "of an A-ASSOCIATE-AC": (application, item(0x21, b"\1\0\0\0" + syntaxes), user),
        "the same context twice": (application, first, first, user),
        "context number 2": (application, wire.context(2, DX, (wire.EXPLICIT,)), user),
        "context number 0": (application, wire.context(0, DX, (wire.EXPLICIT,)), user),
        "context without transfer syntax": (application, wire.context(1, DX, ()), user),
        "context without abstract syntax": (application, item(0x20, b"\1\0\0\0" + syntaxes), user),
        "context with nothing in it": (application, item(0x20, b""), user),
        "abstract syntax empty": (application, wire.context(1, "", (wire.EXPLICIT,)), user),
        "abstract syntax of 60,000 letters": (application, wire.context(1, "1." * 30_000, (wire.EXPLICIT,)), user),
        "abstract syntax not ASCII": (application, wire.context(1, b"\xff\xfe", (b"\x80",)), user),
        "1,000 transfer syntaxes": (application, wire.context(1, DX, ["1.2.3.4"] * 1000), user),
        "maximum length 0": (application, presented, user_information(0)),
        "maximum length 1": (application, presented, user_information(1)),
        "maximum length of two bytes": (application, presented, item(0x50, item(0x51, b"\0\1"))),
        "user information: role of nothing": (application, presented, user_information(more=item(0x54, b"\xff\xff"))),
        "user information: identity": (application, presented, user_information(more=item(0x58, b"\1\1\xff\xff" + b"root"))),
        "user information: unknown": (application, presented, user_information(more=item(0x77, bytes(100)))),
        "protocol version 0": (),
    }.items():
        version = 0 if name.startswith("protocol") else 1
        items = b"".join(parts or ((application, presented, user) if version == 0 else ()))
        yield name, wire.associate_rq(items=items, version=version)
    good = application + first + user
    begin = good.index(user)
    places = {"application": 0, "presentation": 25, "abstract": 33, "user information": begin, "maximum length": begin + 4}
    for name, at in places.items():
        length = struct.unpack(">H", good[at + 2 : at + 4])[0]
        for wrong in (0, length - 1, length + 1, 0xFFFF):
            yield f"{name} claims {wrong}", wire.associate_rq(items=good[: at + 2] + struct.pack(">H", wrong) + good[at + 4 :])


def _values() -> Iterator[tuple[str, bytes]]:
    echo = wire.command(wire.c_echo_rq())
    for length in (0, 1, 2, len(echo) + 1, len(echo) + 3, 1 << 31, (1 << 32) - 16):
        yield f"claims {length} bytes", pdu(4, wire.pdv(ECHO, COMMAND, echo, length))
    yield "in an unknown context", p_data(99, COMMAND, echo)
    yield "in context 0", p_data(0, COMMAND, echo)
    yield "control header FC", p_data(ECHO, 0xFC | COMMAND, echo)
    yield "1,000 empty fragments", pdu(4, wire.pdv(ECHO, 1, b"") * 1000) + p_data(ECHO, COMMAND, echo)
    yield "a PDU without any", pdu(4, b"") + p_data(ECHO, COMMAND, echo)
    yield "last command fragment twice", p_data(ECHO, COMMAND, echo) + p_data(ECHO, COMMAND, b"")
