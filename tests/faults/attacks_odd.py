"""F26, F33, F38: hostile peers that send what does not belong there, or break off."""

import random
import select
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

from tests.faults import wire
from tests.faults.attacks_idle import HELLO, associated, is_over, store_command
from tests.faults.attacks_large import times
from tests.faults.targets import Target
from tests.faults.wire import COMMAND, DATA_SET_PART, ECHO, STORE, Peer, p_data
from tests.integration.objects import data_of, film, sop_uid


def second_command(one: Target, _: float, count: int = 100) -> str:
    """A command set in the middle of a data set."""
    return _each(one, count, store_command() + p_data(STORE, DATA_SET_PART, bytes(4000)) + store_command())


def unknown_context(one: Target, _: float, count: int = 100) -> str:
    """A data set in a context that nobody agreed on."""
    return _each(one, count, store_command() + p_data(101, DATA_SET_PART, bytes(4000)))


def _each(one: Target, count: int, content: bytes) -> str:
    heard = []
    for _ in range(count):
        with Peer(one.port, seconds=5.0) as peer:
            found = peer.associate(called=one.ae_title)
            heard.append(found if found != "accept" else peer.send(content) and peer.hear())
    return times(map(str, heard))


def flood(one: Target, seconds: float, field: int, count: int = 20_000) -> str:
    """One command after another; answers are read and thrown away."""
    elements = [(0x00000002, wire.uid(wire.VERIFICATION)), (0x00000100, wire.us(field)), (0x00000110, wire.us(1))]
    elements += [(0x00000120, wire.us(1)), (0x00000800, wire.us(0x0101)), (0x00001002, wire.us(1))]
    burst = p_data(ECHO, COMMAND, wire.command(elements)) * 200
    begun, sent = time.monotonic(), 0
    with associated(one) as peer:
        while sent < count and time.monotonic() - begun < 3 * seconds and peer.send(burst):
            sent += 200
            if select.select([peer.socket], [], [], 0)[0] and is_over(peer):
                break
        peer.socket.settimeout(5.0)
        return f"hung up on after {sent}" if _ended(peer) else f"all {sent} taken"


def _ended(peer: Peer) -> bool:
    """Whether the other side hangs up rather than to answer a C-ECHO."""
    if not peer.send(p_data(ECHO, COMMAND, wire.command(wire.c_echo_rq(77)))):
        return True
    while True:
        kind, content = peer.receive(5.0)
        if kind in (wire.CLOSED, wire.SILENCE, wire.A_ABORT):
            return kind != wire.SILENCE
        if wire.elements_of(content[6:]).get(0x00000120) == wire.us(77):
            return False


def storm(one: Target, seconds: float, a_second: int = 100) -> str:
    """Associate and release, a hundred times a second."""
    begun, heard = time.monotonic(), []
    while (spent := time.monotonic() - begun) < seconds:
        with Peer(one.port, seconds=5.0) as peer:
            found = peer.associate(called=one.ae_title)
            heard.append(peer.release() if found == "accept" else found)
        time.sleep(max(0.0, len(heard) / a_second - spent))
    return times(heard)


def not_dicom(one: Target, _: float, count: int = 200) -> str:
    """HTTP, TLS, a shell's greeting, random bytes."""
    rng = random.Random(1)
    beginnings = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HELLO, b"SSH-2.0-OpenSSH_9.9\r\n")

    def tried(number: int) -> str:
        with Peer(one.port, seconds=15.0) as peer:
            peer.send((*beginnings, rng.randbytes(2000))[number % 4])
            return peer.hear()

    with ThreadPoolExecutor(16) as pool:
        heard = list(pool.map(tried, range(count)))
    return times(heard)


def aborts(one: Target, _: float, count: int = 300) -> str:
    """A film cut off by A-ABORT, by closing or by a reset, behind each PDU in turn or at any byte."""
    rng = random.Random(2)
    whole = store_command(sop_uid(3)) + wire.data_set(STORE, data_of(film(3)), 400)
    heard = []
    for number in range(count):
        with Peer(one.port, seconds=5.0) as peer:
            if (found := peer.associate(called=one.ae_title)) != "accept":
                heard.append(found)
                continue
            peer.send(_cut_off(whole, number, rng))
            if number % 3 == 1:
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            heard.append("cut off")
    return times(heard)


def _cut_off(whole: bytes, number: int, rng: random.Random) -> bytes:
    """The beginning of a message: behind one of its PDUs in turn, one in three of them with an A-ABORT; or up to any byte."""
    ends, at = [], 0
    while at < len(whole):
        at += 6 + int(struct.unpack_from(">xxI", whole, at)[0])
        ends.append(at)
    if number % 2:
        return whole[: rng.randrange(1, len(whole))]
    return whole[: ends[number // 2 % (len(ends) - 1)]] + (wire.ABORT if number % 3 == 0 else b"")
