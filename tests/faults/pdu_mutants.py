"""B04: a whole session – association, C-STORE, C-ECHO, release – damaged in one place, the same for the same number."""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults import wire
from tests.faults.wire import COMMAND, DATA_SET, DATA_SET_PART, ECHO, STORE, p_data
from tests.integration.objects import data_set, elements_of, sop_uid

SEED = 20261130
FRAGMENTS = 3
LENGTHS = (0, 1, 0x7F, 0xFF, 0x4000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)


@dataclass
class Session:
    """In parts, so that parts can change places. ``pdus`` are what goes over the wire."""

    items: list[bytes]
    elements: list[tuple[int, bytes]]
    fragments: list[bytes]

    def pdus(self) -> list[bytes]:
        last = len(self.fragments) - 1
        return [
            wire.associate_rq(items=b"".join(self.items)),
            p_data(STORE, COMMAND, wire.command(self.elements)),
            *(p_data(STORE, DATA_SET if at == last else DATA_SET_PART, one) for at, one in enumerate(self.fragments)),
            p_data(ECHO, COMMAND, wire.command(wire.c_echo_rq(2))),
            wire.RELEASE_RQ,
        ]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``request``: the first PDU; ``rest``: what is sent once the association stands (nothing, when the first is damaged)."""

    kind: str
    request: bytes = field(repr=False)
    rest: bytes = field(repr=False)


def whole(number: int) -> Session:
    """An undamaged session with a film of its own."""
    data = data_set(elements_of(number, PixelData=None))
    size = -(-len(data) // FRAGMENTS)
    contexts = [wire.context(2 * at + 1, abstract, syntaxes) for at, (abstract, syntaxes) in enumerate(wire.CONTEXTS)]
    items = [wire.item(0x10, wire.APPLICATION_CONTEXT), *contexts, wire.user_information()]
    return Session(items, wire.c_store_rq(sop_uid(number)), [data[at : at + size] for at in range(0, len(data), size)])


def mutant(number: int) -> Mutant:
    """One of each kind in turn; where, and by how much, the number decides."""
    rng = random.Random(f"{SEED} {number}")
    session = whole(200_000 + number)
    names = [*OF_PARTS, *OF_BYTES]
    kind = names[number % len(names)]
    if kind in OF_PARTS:
        sound = session.pdus()
        OF_PARTS[kind](session, rng)
        pdus = session.pdus()
        place = next((at for at, pair in enumerate(zip(sound, pdus, strict=False)) if pair[0] != pair[1]), 1)
    else:
        pdus = session.pdus()
        place = rng.choice((0, 0, 1, 1, 2, rng.randrange(len(pdus))))
        pdus[place] = OF_BYTES[kind](pdus[place], rng)
    return Mutant(kind, pdus[0], b"" if place == 0 else b"".join(pdus[1:]))


def _parts(session: Session, rng: random.Random) -> list[object]:
    return rng.choice((session.items, session.elements, session.fragments))  # type: ignore[return-value]


def _order(session: Session, rng: random.Random) -> None:
    rng.shuffle(_parts(session, rng))


def _twice(session: Session, rng: random.Random) -> None:
    parts = _parts(session, rng)
    parts.insert(rng.randrange(len(parts) + 1), rng.choice(parts))


def _missing(session: Session, rng: random.Random) -> None:
    parts = _parts(session, rng)
    del parts[rng.randrange(len(parts))]


def _value(session: Session, rng: random.Random) -> None:
    at = rng.randrange(len(session.elements))
    session.elements[at] = (session.elements[at][0], rng.randbytes(rng.choice((0, 1, 2, 3, 64, 65, 5000))))


def _tag(session: Session, rng: random.Random) -> None:
    at = rng.randrange(len(session.elements))
    tag = rng.choice((0x00000001, 0x00000900, 0x00001000, 0x00080018, rng.getrandbits(32)))
    session.elements[at] = (tag, session.elements[at][1])


def _flips(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _length(content: bytes, rng: random.Random) -> bytes:
    """Another length: of the PDU, or of whatever has two or four bytes there."""
    at = rng.choice((2, 2, 6, rng.randrange(2, max(3, len(content) - 4))))
    form = ">I" if at in (2, 6) else rng.choice((">H", ">I", "<I"))
    value = rng.choice(LENGTHS) % (1 << (8 * struct.calcsize(form)))
    return (content[:at] + struct.pack(form, value) + content[at + struct.calcsize(form) :])[: max(len(content), at + 4)]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _cut_honestly(content: bytes, rng: random.Random) -> bytes:
    """Shorter, with a length of the PDU that says so."""
    return wire.pdu(content[0], content[6 : rng.randrange(6, len(content))])


def _kind(content: bytes, rng: random.Random) -> bytes:
    return bytes([rng.choice((*range(10), 255))]) + content[1:]


def _control(content: bytes, rng: random.Random) -> bytes:
    """Another context or message control header (in an A-ASSOCIATE-RQ: of the titles)."""
    at = rng.choice((10, 11))
    return content[:at] + bytes([rng.choice((0, 1, 2, 3, 4, 5, 99, 255))]) + content[at + 1 :]


def _inserted(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + rng.randbytes(rng.choice((1, 2, 7, 300))) + content[at:]


def _again(content: bytes, rng: random.Random) -> bytes:
    return content * rng.choice((2, 3))


OF_PARTS: dict[str, Callable[[Session, random.Random], None]] = {
    "order": _order,
    "twice": _twice,
    "missing": _missing,
    "value": _value,
    "tag": _tag,
}
OF_BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bits": _flips,
    "length": _length,
    "cut": _cut,
    "cut, length right": _cut_honestly,
    "type": _kind,
    "control": _control,
    "inserted": _inserted,
    "again": _again,
}
