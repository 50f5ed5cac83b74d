"""F35–F37: hostile peers that send much: PDUs, requests, data sets and headers without measure, and large good films."""

import select
import struct
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.faults import wire
from tests.faults.attacks_idle import associated, store_command
from tests.faults.targets import Target
from tests.faults.wire import COMMAND_PART, DATA_SET_PART, DX, EXPLICIT, STORE, Peer, counted, p_data
from tests.integration.objects import data_of, data_set, elements_of, film, sop_uid

MIB = 1 << 20
MOST_SENT = 600 * MIB
"""Where even a peer gives up that nobody stops."""
LARGE_SIDE = 10_000


def times(words: Iterable[str]) -> str:
    """How often each, in a line."""
    return ", ".join(f"{word} × {times}" for word, times in counted(words).items())


def huge_request(one: Target, seconds: float) -> str:
    """An A-ASSOCIATE-RQ that claims 4 GiB, and goes on."""
    with Peer(one.port) as peer:
        peer.send(struct.pack(">BBI", wire.A_ASSOCIATE_RQ, 0, 0xFFFFFFFF) + wire.associate_rq(called=one.ae_title)[6:74])
        return _pour(peer, seconds, lambda: bytes(MIB))


def huge_pdu(one: Target, seconds: float) -> str:
    """A P-DATA-TF of 500 MiB, whatever maximum was agreed on."""
    size = 500 * MIB
    with associated(one) as peer:
        peer.send(store_command() + struct.pack(">BBIIBB", wire.P_DATA_TF, 0, size, size - 4, STORE, DATA_SET_PART))
        return _pour(peer, seconds, lambda: bytes(MIB))


def endless(one: Target, seconds: float) -> str:
    """A data set whose last fragment never comes."""
    head = data_set(elements_of(1, PixelData=None))
    with associated(one) as peer:
        peer.send(store_command() + p_data(STORE, DATA_SET_PART, head))
        fragments = p_data(STORE, DATA_SET_PART, bytes(16_000)) * 64
        return _pour(peer, seconds, lambda: fragments)


def endless_command(one: Target, seconds: float) -> str:
    """A command set whose last fragment never comes."""
    with associated(one) as peer:
        fragments = p_data(STORE, COMMAND_PART, bytes(16_000)) * 64
        return _pour(peer, seconds, lambda: fragments)


def _pour(peer: Peer, seconds: float, piece: Callable[[], bytes]) -> str:
    """Send until the other side answers or hangs up; what came, and how much it had taken by then."""
    begun, sent = time.monotonic(), 0
    while sent < MOST_SENT and time.monotonic() - begun < 3 * seconds:
        data = piece()
        if not peer.send(data):
            break
        sent += len(data)
        if select.select([peer.socket], [], [], 0)[0]:
            break
    return f"{peer.hear(5.0)} after {sent / MIB:.0f} MiB"


def many_contexts(one: Target, _: float, count: int = 65_535) -> str:
    """As many presentation contexts as there are 16-bit numbers."""
    items = b"".join(wire.context(2 * number + 1, DX, (EXPLICIT,)) for number in range(count))
    with Peer(one.port, seconds=15.0) as peer:
        whole = wire.item(0x10, wire.APPLICATION_CONTEXT) + items + wire.user_information()
        return peer.associate(called=one.ae_title, items=whole)


def many_user_items(one: Target, _: float, count: int = 4_000) -> str:
    """4,000 items of user information: extended negotiation of as many classes."""
    more = wire.item(0x56, struct.pack(">H", 7) + b"1.2.3.4") * count
    items = wire.item(0x10, wire.APPLICATION_CONTEXT) + wire.contexts(wire.CONTEXTS) + wire.user_information(more=more)
    with Peer(one.port, seconds=15.0) as peer:
        return peer.associate(called=one.ae_title, items=items)


def large_films(one: Target, _: float, count: int = 4, side: int = LARGE_SIDE) -> str:
    """Good films of 200 MB, at once."""

    def sent(number: int) -> str:
        head = data_set(
            elements_of(400 + number, PixelData=None, Rows=side, Columns=side, BitsAllocated=16, BitsStored=12, HighBit=11)
        )
        pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 2 * side * side)
        with associated(one, seconds=60.0) as peer:
            peer.send(store_command(sop_uid(400 + number)) + p_data(STORE, DATA_SET_PART, head + pixels))
            whole, rest = divmod(2 * side * side, 16_000)
            fragments = p_data(STORE, DATA_SET_PART, bytes([number]) * 16_000)
            for _ in range(whole):
                if not peer.send(fragments):
                    break
            peer.send(p_data(STORE, wire.DATA_SET, bytes(rest)))
            return peer.hear(60.0)

    with ThreadPoolExecutor(count) as pool:
        heard = list(pool.map(sent, range(count)))
    return times(heard)


def hard_headers(one: Target, seconds: float, count: int = 4) -> str:
    """Films whose header has 250,000 empty items of a sequence, one after another on several associations."""
    items = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\0\0\0\0" * 250_000
    data, ends = items + data_of(film(5)), time.monotonic() + min(seconds, 10.0)

    def sent(number: int) -> list[str]:
        heard = []
        with associated(one, seconds=60.0) as peer:
            while time.monotonic() < ends:
                heard.append(peer.store(sop_uid(5), data))
        return heard

    with ThreadPoolExecutor(count) as pool:
        heard = [word for words in pool.map(sent, range(count)) for word in words]
    return times(heard)
