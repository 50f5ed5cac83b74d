"""F30, F32–F34: hostile peers that take their time: silent, slow, many; each with a target and seconds to hold on."""

import resource
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from tests.faults import wire
from tests.faults.targets import Target
from tests.faults.wire import COMMAND, DATA_SET_PART, ECHO, STORE, Peer, p_data
from tests.integration.objects import sop_uid

PATIENCE = 20.0
"""Seconds in which all have to be connected: a listener that has stalled takes one in two seconds."""


@contextmanager
def many(one: Target, count: int, *, addresses: int = 0, associated: bool = False, **options: Any) -> Iterator[list[Peer]]:
    """Connections, or associations; those are left out that are refused, or are not there after :data:`PATIENCE`.

    ``addresses``: from that many in turn, 127.0.1.0, 127.0.1.1 …; none: all from 127.0.0.1.
    """
    begun, peers = time.monotonic(), []
    with ExitStack() as stack:
        for number in range(count):
            if time.monotonic() - begun > PATIENCE:
                break
            with suppress(OSError):
                source = f"127.0.1.{number % addresses}" if addresses else "127.0.0.1"
                peer = stack.enter_context(Peer(one.port, seconds=2.0, source=source, **options))
                if not associated or peer.associate(called=one.ae_title) == "accept":
                    peers.append(peer)
        yield peers


def hang_ups(peers: list[Peer], seconds: float, do: Callable[[Peer], object] | None = None) -> str:
    """Hold on, ``do`` something once a second; how many were hung up on, and when the last."""
    begun, when, poll = time.monotonic(), {}, select.poll()
    by_number = {peer.socket.fileno(): peer for peer in peers}
    for number in by_number:
        poll.register(number, select.POLLIN)
    acted = 0.0
    while len(when) < len(peers) and time.monotonic() - begun < seconds:
        if do and time.monotonic() - acted >= 1.0:
            acted = time.monotonic()
            for number in set(by_number) - set(when):
                do(by_number[number])
        for number, _ in poll.poll(250):
            if is_over(by_number[number]):
                poll.unregister(number)
                when[number] = time.monotonic() - begun
    last = f", the last after {max(when.values()):.1f} s" if when else ""
    return f"{len(when)} of {len(peers)} hung up on{last}"


def is_over(peer: Peer) -> bool:
    """Whether the other side has hung up; what it says is thrown away."""
    try:
        peer.socket.setblocking(False)
        return not peer.socket.recv(65536)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def silent(one: Target, seconds: float, count: int) -> str:
    """Connect, and say nothing."""
    with many(one, count) as peers:
        return hang_ups(peers, seconds) + (f", {count - len(peers)} not connected" if len(peers) < count else "")


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""How a ClientHello begins (RFC 8446 4.1.2)."""


def half_hello(one: Target, seconds: float, count: int = 500) -> str:
    """The beginning of a ClientHello, then nothing."""
    with many(one, count) as peers:
        for peer in peers:
            peer.send(HELLO)
        return hang_ups(peers, seconds)


def silent_by_tls(one: Target, seconds: float, count: int = 200) -> str:
    """A whole handshake with a good certificate, then nothing."""
    with many(one, count, tls=one.tls) as peers:
        return hang_ups(peers, seconds)


def few_descriptors(one: Target, seconds: float, most: int = 64) -> str:
    """Silent peers, and the process may have no more than 64 descriptors."""
    resource.prlimit(one.pid, resource.RLIMIT_NOFILE, (most, most))
    return silent(one, seconds, 300)


def drip_request(one: Target, seconds: float, count: int = 20) -> str:
    """An A-ASSOCIATE-RQ, one byte a second."""
    request = iter(wire.associate_rq(called=one.ae_title) for _ in range(count))
    with many(one, count) as peers:
        left = {id(peer): iter(next(request)) for peer in peers}
        return hang_ups(peers, seconds, lambda peer: peer.send(bytes([next(left[id(peer)])])))


def drip_data(one: Target, seconds: float, count: int = 20) -> str:
    """A data set, one byte a second."""
    with many(one, count, associated=True) as peers:
        for peer in peers:
            peer.send(store_command() + p_data(STORE, DATA_SET_PART, bytes(4000))[:12])
        return hang_ups(peers, seconds, lambda peer: peer.send(b"\0"))


def stop_within(one: Target, seconds: float, count: int = 20) -> str:
    """Half a PDU of a data set, then nothing."""
    with many(one, count, associated=True) as peers:
        for peer in peers:
            peer.send(store_command() + p_data(STORE, DATA_SET_PART, bytes(4000))[:2000])
        return hang_ups(peers, seconds)


def stop_between(one: Target, seconds: float, count: int = 20) -> str:
    """Two of the PDUs of a data set, then nothing."""
    with many(one, count, associated=True) as peers:
        for peer in peers:
            peer.send(store_command() + p_data(STORE, DATA_SET_PART, bytes(4000)) * 2)
        return hang_ups(peers, seconds)


def never_reads(one: Target, seconds: float, count: int = 4) -> str:
    """C-ECHO after C-ECHO until the other side takes no more, and no answer is ever read."""
    echo = p_data(ECHO, COMMAND, wire.command(wire.c_echo_rq()))
    with many(one, count, associated=True, receive_buffer=2048) as peers:
        for peer in peers:
            peer.seconds = 0.5
            while peer.send(echo * 500):
                pass
        begun, when, left = time.monotonic(), [], list(peers)
        while left and time.monotonic() - begun < seconds:
            time.sleep(0.5)
            for peer in [one for one in left if _has_ended(one, echo)]:
                left.remove(peer)
                when.append(time.monotonic() - begun)
        return f"{len(when)} of {len(peers)} hung up on" + (f", the last after {max(when):.1f} s" if when else "")


def _has_ended(peer: Peer, data: bytes) -> bool:
    """Whether the other side is gone, which only a sender is told that does not read."""
    try:
        peer.socket.setblocking(False)
        peer.socket.send(data)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


def long_requests(one: Target, seconds: float, count: int = 2_000, addresses: int = 8) -> str:
    """An A-ASSOCIATE-RQ of 250 KiB from each of many connections from eight addresses, the last byte of which never comes."""
    size = 250 * 1024
    begin = struct.pack(">BBI", wire.A_ASSOCIATE_RQ, 0, size) + bytes(size - 1)
    left: dict[Peer, memoryview] = {}

    def go_on(peer: Peer) -> None:
        with suppress(OSError):
            peer.socket.setblocking(False)
            left[peer] = left[peer][peer.socket.send(left[peer]) :]

    with many(one, count, addresses=addresses) as peers:
        for peer in peers:
            left[peer] = memoryview(begin)
            go_on(peer)
        return hang_ups(peers, seconds, go_on)


def bad_requests(one: Target, seconds: float, count: int = 2_000, addresses: int = 8) -> str:
    """Whole requests of nothing but zeros from eight addresses; nobody hangs up who is not hung up on."""
    with many(one, count, addresses=addresses) as peers:
        for peer in peers:
            peer.send(wire.pdu(wire.A_ASSOCIATE_RQ, bytes(200)))
        return hang_ups(peers, seconds)


def resets(one: Target, seconds: float) -> str:
    """Connect and reset, as fast as it goes."""
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < min(seconds, 5.0):
        with suppress(OSError), Peer(one.port, seconds=2.0) as peer:
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            count += 1
    return f"{count} connected"


def busy(one: Target, seconds: float, count: int = 120) -> str:
    """As many associations as one address gets, each kept busy with a C-ECHO a second."""
    echo = p_data(ECHO, COMMAND, wire.command(wire.c_echo_rq()))
    with many(one, count, associated=True) as peers:
        held = len(peers)
        return f"{held} of {count} accepted, {hang_ups(peers, seconds, lambda peer: peer.send(echo))}"


def store_command(sop_instance_uid: str = sop_uid(1)) -> bytes:
    """The command set of a C-STORE in a PDU."""
    return p_data(STORE, COMMAND, wire.command(wire.c_store_rq(sop_instance_uid)))


def associated(one: Target, seconds: float = 10.0) -> Peer:
    """An association; ConnectionError says what came instead."""
    peer = Peer(one.port, seconds=seconds)
    if (found := peer.associate(called=one.ae_title)) != "accept":
        peer.socket.close()
        raise ConnectionError(f"{one.name}: {found}")
    return peer
