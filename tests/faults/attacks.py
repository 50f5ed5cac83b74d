"""F26, F30–F38: what a hostile peer does, and what it sees. Each takes a target and the seconds that it may hold on."""

import random
import resource
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from tests.faults import wire
from tests.faults.targets import Target
from tests.faults.wire import COMMAND, COMMAND_PART, DATA_SET_PART, DX, ECHO, EXPLICIT, STORE, Peer, counted, p_data
from tests.integration.objects import data_of, data_set, elements_of, film, sop_uid

MIB = 1 << 20
MOST_SENT = 600 * MIB
"""Where even a peer gives up that nobody stops."""
LARGE_SIDE = 10_000

Act = Callable[[Target, float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """``act`` gives, in words, what it saw. ``associations``: how many it may have at once; ``stores``: how many good films (``None``: any)."""

    id: str
    act: Act
    associations: int = 1
    stores: int | None = 0


@contextmanager
def many(one: Target, count: int, *, associated: bool = False, **options: int) -> Iterator[list[Peer]]:
    """Connections, or associations; those that are refused are left out."""
    with ExitStack() as stack:
        peers = []
        for _ in range(count):
            with suppress(OSError):
                peer = stack.enter_context(Peer(one.port, seconds=2.0, **options))
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
            if _is_over(by_number[number]):
                poll.unregister(number)
                when[number] = time.monotonic() - begun
    last = f", the last after {max(when.values()):.1f} s" if when else ""
    return f"{len(when)} of {len(peers)} hung up on{last}"


def _is_over(peer: Peer) -> bool:
    try:
        peer.socket.setblocking(False)
        return not peer.socket.recv(65536)
    except BlockingIOError:
        return False
    except OSError:
        return True


def silent(one: Target, seconds: float, count: int) -> str:
    """Connect, and say nothing."""
    with many(one, count) as peers:
        return hang_ups(peers, seconds) + (f", {count - len(peers)} not connected" if len(peers) < count else "")


def long_requests(one: Target, seconds: float, count: int = 2_000, addresses: int = 8) -> str:
    """An A-ASSOCIATE-RQ of 250 KiB from each of many connections from eight addresses, the last byte of which never comes."""
    begin = struct.pack(">BBI", wire.A_ASSOCIATE_RQ, 0, 250 * 1024) + bytes(250 * 1024 - 1)
    with ExitStack() as stack:
        peers = []
        for number in range(count):
            with suppress(OSError):
                source = f"127.0.1.{number % addresses}"
                peer = stack.enter_context(Peer(one.port, seconds=2.0, source=source))
                peer.socket.setblocking(False)
                peer.socket.send(begin)
                peers.append(peer)
        return hang_ups(peers, seconds, lambda peer: _offered(peer, begin[1:250_000]))


def _offered(peer: Peer, data: bytes) -> None:
    with suppress(OSError):
        peer.socket.setblocking(False)
        peer.socket.send(data[: 1 << 17])


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


def hard_headers(one: Target, seconds: float, count: int = 4) -> str:
    """Films whose header has 250,000 empty items of a sequence, one after another on several associations."""
    items = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\0\0\0\0" * 250_000
    data, ends = items + data_of(film(5)), time.monotonic() + min(seconds, 10.0)

    def sent(number: int) -> list[str]:
        heard = []
        with _associated(one, seconds=60.0) as peer:
            while time.monotonic() < ends:
                heard.append(peer.store(sop_uid(5), data))
        return heard

    with ThreadPoolExecutor(count) as pool:
        heard = [word for words in pool.map(sent, range(count)) for word in words]
    return _times(heard)


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
            peer.send(_command() + p_data(STORE, DATA_SET_PART, bytes(4000))[:12])
        return hang_ups(peers, seconds, lambda peer: peer.send(b"\0"))


def stop_within(one: Target, seconds: float, count: int = 20) -> str:
    """Half a PDU of a data set, then nothing."""
    with many(one, count, associated=True) as peers:
        for peer in peers:
            peer.send(_command() + p_data(STORE, DATA_SET_PART, bytes(4000))[:2000])
        return hang_ups(peers, seconds)


def stop_between(one: Target, seconds: float, count: int = 20) -> str:
    """Two of the PDUs of a data set, then nothing."""
    with many(one, count, associated=True) as peers:
        for peer in peers:
            peer.send(_command() + p_data(STORE, DATA_SET_PART, bytes(4000)) * 2)
        return hang_ups(peers, seconds)


def never_reads(one: Target, seconds: float, count: int = 4) -> str:
    """C-ECHO after C-ECHO, and no answer is ever read."""
    begun, echoes, when = time.monotonic(), p_data(ECHO, COMMAND, wire.command(wire.c_echo_rq())) * 500, []
    with many(one, count, associated=True, receive_buffer=2048) as peers:
        left = list(peers)
        while left and time.monotonic() - begun < seconds:
            for peer in list(left):
                if not _pushed(peer, echoes):
                    left.remove(peer)
                    when.append(time.monotonic() - begun)
        last = f", the last after {max(when):.1f} s" if when else ""
        return f"{len(when)} of {len(peers)} hung up on{last}"


def _pushed(peer: Peer, data: bytes) -> bool:
    """Send what goes; false when the other side has hung up."""
    peer.socket.settimeout(0.2)
    try:
        peer.socket.sendall(data)
    except TimeoutError:
        # what is cut off here continues with the next push: the other side reads nonsense only once it reads again
        return True
    except OSError:
        return False
    return True


def huge_request(one: Target, seconds: float) -> str:
    """An A-ASSOCIATE-RQ that claims 4 GiB, and goes on."""
    with Peer(one.port) as peer:
        peer.send(struct.pack(">BBI", wire.A_ASSOCIATE_RQ, 0, 0xFFFFFFFF) + wire.associate_rq(called=one.ae_title)[6:74])
        return _pour(peer, seconds, lambda: bytes(MIB))


def huge_pdu(one: Target, seconds: float) -> str:
    """A P-DATA-TF of 500 MiB, whatever maximum was agreed on."""
    size = 500 * MIB
    with _associated(one) as peer:
        peer.send(_command() + struct.pack(">BBIIBB", wire.P_DATA_TF, 0, size, size - 4, STORE, DATA_SET_PART))
        return _pour(peer, seconds, lambda: bytes(MIB))


def endless(one: Target, seconds: float) -> str:
    """A data set whose last fragment never comes."""
    head = data_set(elements_of(1, PixelData=None))
    with _associated(one) as peer:
        peer.send(_command() + p_data(STORE, DATA_SET_PART, head))
        fragments = p_data(STORE, DATA_SET_PART, bytes(16_000)) * 64
        return _pour(peer, seconds, lambda: fragments)


def endless_command(one: Target, seconds: float) -> str:
    """A command set whose last fragment never comes."""
    with _associated(one) as peer:
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


def second_command(one: Target, _: float, count: int = 100) -> str:
    """A command set in the middle of a data set."""
    return _each(one, count, _command() + p_data(STORE, DATA_SET_PART, bytes(4000)) + _command())


def unknown_context(one: Target, _: float, count: int = 100) -> str:
    """A data set in a context that nobody agreed on."""
    return _each(one, count, _command() + p_data(101, DATA_SET_PART, bytes(4000)))


def _each(one: Target, count: int, content: bytes) -> str:
    heard = []
    for _ in range(count):
        with Peer(one.port, seconds=5.0) as peer:
            found = peer.associate(called=one.ae_title)
            heard.append(found if found != "accept" else peer.send(content) and peer.hear())
    return _times(map(str, heard))


def flood(one: Target, seconds: float, field: int, count: int = 20_000) -> str:
    """One command after another; answers are read and thrown away."""
    elements = [(0x00000002, wire.uid(wire.VERIFICATION)), (0x00000100, wire.us(field)), (0x00000110, wire.us(1))]
    elements += [(0x00000120, wire.us(1)), (0x00000800, wire.us(0x0101)), (0x00001002, wire.us(1))]
    burst = p_data(ECHO, COMMAND, wire.command(elements)) * 200
    begun, sent = time.monotonic(), 0
    with _associated(one) as peer:
        while sent < count and time.monotonic() - begun < 3 * seconds and peer.send(burst):
            sent += 200
            if select.select([peer.socket], [], [], 0)[0] and _is_over(peer):
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
    return _times(heard)


def not_dicom(one: Target, _: float, count: int = 200) -> str:
    """HTTP, TLS, a shell's greeting, random bytes."""
    rng, heard = random.Random(1), []
    beginnings = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-OpenSSH_9.9\r\n")

    def tried(number: int) -> str:
        with Peer(one.port, seconds=15.0) as peer:
            peer.send((*beginnings, rng.randbytes(2000))[number % 4])
            return peer.hear()

    with ThreadPoolExecutor(16) as pool:
        heard = list(pool.map(tried, range(count)))
    return _times(heard)


def aborts(one: Target, _: float, count: int = 300) -> str:
    """A film cut off by A-ABORT, by closing or by a reset, behind each PDU in turn or at any byte."""
    rng = random.Random(2)
    whole = _command(sop_uid(3)) + wire.data_set(STORE, data_of(film(3)), 400)
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
    return _times(heard)


def _cut_off(whole: bytes, number: int, rng: random.Random) -> bytes:
    """The beginning of a message: behind one of its PDUs in turn, one in three of them with an A-ABORT; or up to any byte."""
    ends, at = [], 0
    while at < len(whole):
        at += 6 + int(struct.unpack_from(">xxI", whole, at)[0])
        ends.append(at)
    if number % 2:
        return whole[: rng.randrange(1, len(whole))]
    return whole[: ends[number // 2 % (len(ends) - 1)]] + (wire.ABORT if number % 3 == 0 else b"")


def large_films(one: Target, _: float, count: int = 4, side: int = LARGE_SIDE) -> str:
    """Good films of 200 MB, at once."""

    def sent(number: int) -> str:
        head = data_set(
            elements_of(400 + number, PixelData=None, Rows=side, Columns=side, BitsAllocated=16, BitsStored=12, HighBit=11)
        )
        pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 2 * side * side)
        with _associated(one, seconds=60.0) as peer:
            peer.send(_command(sop_uid(400 + number)) + p_data(STORE, DATA_SET_PART, head + pixels))
            whole, rest = divmod(2 * side * side, 16_000)
            fragments = p_data(STORE, DATA_SET_PART, bytes([number]) * 16_000)
            for _ in range(whole):
                if not peer.send(fragments):
                    break
            peer.send(p_data(STORE, wire.DATA_SET, bytes(rest)))
            return peer.hear(60.0)

    with ThreadPoolExecutor(count) as pool:
        heard = list(pool.map(sent, range(count)))
    return _times(heard)


def _times(words: Iterable[str]) -> str:
    return ", ".join(f"{word} × {times}" for word, times in counted(words).items())


def _command(sop_instance_uid: str = sop_uid(1)) -> bytes:
    return p_data(STORE, COMMAND, wire.command(wire.c_store_rq(sop_instance_uid)))


def _associated(one: Target, seconds: float = 10.0) -> Peer:
    peer = Peer(one.port, seconds=seconds)
    if (found := peer.associate(called=one.ae_title)) != "accept":
        peer.socket.close()
        raise ConnectionError(f"{one.name}: {found}")
    return peer


ATTACKS: dict[str, Attack] = {
    "2,000 silent peers": Attack(id="F30", act=partial(silent, count=2_000), associations=0),
    "2,000 × 250 KiB of an A-ASSOCIATE-RQ": Attack(id="F35", act=long_requests, associations=0),
    "300 silent peers, 64 descriptors": Attack(id="F30", act=few_descriptors, associations=0),
    "connect and reset": Attack(id="F33", act=resets),
    "120 busy associations": Attack(id="F34", act=busy, associations=120),
    "A-ASSOCIATE-RQ, a byte a second, × 20": Attack(id="F32", act=drip_request, associations=20),
    "data set, a byte a second, × 20": Attack(id="F32", act=drip_data, associations=20),
    "stops within a PDU, × 20": Attack(id="F32", act=stop_within, associations=20),
    "stops between PDUs, × 20": Attack(id="F32", act=stop_between, associations=20),
    "never reads an answer, × 4": Attack(id="F32", act=never_reads, associations=4),
    "A-ASSOCIATE-RQ of 4 GiB": Attack(id="F35", act=huge_request),
    "P-DATA-TF of 500 MiB": Attack(id="F35", act=huge_pdu),
    "65,535 contexts": Attack(id="F35", act=many_contexts),
    "4,000 items of user information": Attack(id="F35", act=many_user_items),
    "data set without end": Attack(id="F36", act=endless),
    "command set without end": Attack(id="F36", act=endless_command),
    "200 MB film, × 4": Attack(id="F37", act=large_films, associations=4, stores=4),
    "command set within a data set, × 100": Attack(id="F38", act=second_command),
    "unknown context, × 100": Attack(id="F38", act=unknown_context),
    "20,000 C-CANCEL": Attack(id="F38", act=partial(flood, field=0x0FFF)),
    "20,000 N-EVENT-REPORT": Attack(id="F38", act=partial(flood, field=0x0100)),
    "associate and release, 100 a second": Attack(id="F33", act=storm),
    "HTTP, TLS, SSH, noise, × 200": Attack(id="F32", act=not_dicom, associations=16),
    "250,000 items in the header, × 4": Attack(id="F38", act=hard_headers, associations=4, stores=None),
    "film cut off, × 300": Attack(id="F26", act=aborts),
}
"""What is done → how. Silent TLS peers stand in ``tests/integration``, with the certificates."""
