"""PDUs and command sets written by hand (PS3.8 9.3, PS3.7 6.3 and 9.3), for what a toolkit refuses to send.

Nothing here checks anything: each function writes what it is told. Only the standard library, so that a watcher starts at once.
"""

import socket
import ssl
import struct
import time
from collections.abc import Iterable, Mapping, Sequence

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)
CLOSED, SILENCE = 0, -1
"""What :meth:`Peer.receive` gives in place of a PDU type."""

COMMAND, COMMAND_PART, DATA_SET, DATA_SET_PART = 3, 1, 2, 0  # message control headers (PS3.8 E.2)
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION, DX = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.1.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
STORE, ECHO = 1, 3
"""Context identifiers of :data:`CONTEXTS`."""
CONTEXTS: tuple[tuple[str, tuple[str, ...]], ...] = ((DX, (EXPLICIT,)), (VERIFICATION, (IMPLICIT,)))
FRAGMENT = 16_000

Text = str | bytes


def as_bytes(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def item(kind: int, content: Text, length: int | None = None) -> bytes:
    """An item of the variable field (PS3.8 9.3.2.1); ``length``: the one that it claims."""
    content = as_bytes(content)
    return struct.pack(">BBH", kind, 0, (len(content) if length is None else length) & 0xFFFF) + content


def pdu(kind: int, content: bytes = b"", length: int | None = None) -> bytes:
    """A PDU; ``length``: the one that it claims."""
    return struct.pack(">BBI", kind, 0, (len(content) if length is None else length) & 0xFFFFFFFF) + content


def context(number: int, abstract: Text, syntaxes: Iterable[Text]) -> bytes:
    """A presentation context item (PS3.8 9.3.2.2)."""
    return item(0x20, bytes([number & 0xFF, 0, 0, 0]) + item(0x30, abstract) + b"".join(item(0x40, one) for one in syntaxes))


def contexts(wanted: Sequence[tuple[Text, Iterable[Text]]]) -> bytes:
    """Their items, numbered 1, 3, 5 …"""
    return b"".join(context(2 * place + 1, abstract, syntaxes) for place, (abstract, syntaxes) in enumerate(wanted))


def user_information(max_pdu: int = 16_384, more: bytes = b"") -> bytes:
    """The user information item (PS3.8 9.3.2.3) with maximum length and implementation class."""
    return item(0x50, item(0x51, struct.pack(">I", max_pdu)) + item(0x52, "1.2.3") + more)


def associate_rq(
    *, called: Text = "TRIAGE", calling: Text = "RAW", items: bytes | None = None, kind: int = A_ASSOCIATE_RQ, version: int = 1
) -> bytes:
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2); ``items`` replaces its variable field."""
    if items is None:
        items = item(0x10, APPLICATION_CONTEXT) + contexts(CONTEXTS) + user_information()
    titles = as_bytes(called).ljust(16)[:16] + as_bytes(calling).ljust(16)[:16]
    return pdu(kind, struct.pack(">HH", version, 0) + titles + bytes(32) + items)


def element(tag: int, value: bytes, length: int | None = None) -> bytes:
    """An element of a command set: Implicit VR Little Endian (PS3.7 6.3.1)."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, (len(value) if length is None else length) & 0xFFFFFFFF) + value


def uid(text: Text) -> bytes:
    """Padded to even length (PS3.5 9.1)."""
    value = as_bytes(text)
    return value + b"\0" * (len(value) % 2)


def us(value: int) -> bytes:
    return struct.pack("<H", value & 0xFFFF)


def command(elements: Iterable[tuple[int, bytes]], group_length: int | None = None) -> bytes:
    """A command set: group length, then the elements as they are given."""
    content = b"".join(element(tag, value) for tag, value in elements)
    return element(0x00000000, struct.pack("<I", len(content) if group_length is None else group_length)) + content


def c_store_rq(sop_instance_uid: Text, sop_class_uid: Text = DX, message_id: int = 1) -> list[tuple[int, bytes]]:
    """The elements of a C-STORE-RQ (PS3.7 9.3.1.1)."""
    return [
        (0x00000002, uid(sop_class_uid)),
        (0x00000100, us(0x0001)),
        (0x00000110, us(message_id)),
        (0x00000700, us(0)),
        (0x00000800, us(1)),
        (0x00001000, uid(sop_instance_uid)),
    ]


def c_echo_rq(message_id: int = 1) -> list[tuple[int, bytes]]:
    """The elements of a C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return [(0x00000002, uid(VERIFICATION)), (0x00000100, us(0x0030)), (0x00000110, us(message_id)), (0x00000800, us(0x0101))]


def pdv(number: int, control: int, content: bytes, length: int | None = None) -> bytes:
    """A presentation data value item (PS3.8 9.3.5.1)."""
    return struct.pack(">IBB", (len(content) + 2 if length is None else length) & 0xFFFFFFFF, number, control) + content


def p_data(number: int, control: int, content: bytes) -> bytes:
    """A P-DATA-TF PDU of one presentation data value."""
    return pdu(P_DATA_TF, pdv(number, control, content))


def data_set(number: int, content: bytes, size: int = FRAGMENT) -> bytes:
    """A data set in P-DATA-TF PDUs of ``size`` bytes; the last one says so."""
    places = range(0, max(len(content), 1), size)
    return b"".join(
        p_data(number, DATA_SET if at + size >= len(content) else DATA_SET_PART, content[at : at + size]) for at in places
    )


RELEASE_RQ = pdu(A_RELEASE_RQ, bytes(4))
ABORT = pdu(A_ABORT, bytes(4))


def elements_of(content: bytes) -> dict[int, bytes]:
    """The elements of a command set, as far as they can be read."""
    found, at = {}, 0
    while at + 8 <= len(content):
        group, number, length = struct.unpack_from("<HHI", content, at)
        found[group << 16 | number] = content[at + 8 : at + 8 + length]
        at += 8 + length
    return found


def told(kind: int, content: bytes) -> str:
    """A PDU in a few words: ``status 0000``, ``abort``, ``reject 1/1/7``, ``closed``, ``silence`` …"""
    if kind == P_DATA_TF:
        status = elements_of(content[6:]).get(0x00000900, b"")
        return f"status {int.from_bytes(status, 'little'):04X}" if status else "P-DATA"
    if kind == A_ASSOCIATE_RJ:
        return "reject " + "/".join(map(str, content[1:4]))
    names = {CLOSED: "closed", SILENCE: "silence", A_ASSOCIATE_AC: "accept", A_RELEASE_RP: "release", A_ABORT: "abort"}
    return names.get(kind, f"PDU {kind}")


def accepted(content: bytes) -> dict[int, str]:
    """Context identifier → transfer syntax, of those that an A-ASSOCIATE-AC accepts (PS3.8 9.3.3.2)."""
    found, at = {}, 68
    while at + 4 <= len(content):
        kind, length = struct.unpack_from(">BxH", content, at)
        body = content[at + 4 : at + 4 + length]
        if kind == 0x21 and body[2] == 0:
            found[body[0]] = body[8:].decode("ascii", "replace").rstrip("\0 ")
        at += 4 + length
    return found


class Peer:
    """A connection. Nothing is sent that was not asked for, not even at the end."""

    def __init__(
        self,
        port: int,
        *,
        source: str = "127.0.0.1",
        seconds: float = 10.0,
        receive_buffer: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.seconds = seconds
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.settimeout(seconds)
            self.socket.bind((source, 0))
            self.socket.connect(("127.0.0.1", port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Send all; false when the other side has closed or takes nothing for ``seconds``."""
        try:
            self.socket.settimeout(self.seconds)
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def receive(self, seconds: float | None = None) -> tuple[int, bytes]:
        """The next PDU's type and content; :data:`CLOSED` or :data:`SILENCE` when there is none in time."""
        deadline = time.monotonic() + (self.seconds if seconds is None else seconds)
        try:
            head = self._exactly(6, deadline)
            if len(head) < 6:
                return CLOSED, head
            return head[0], self._exactly(struct.unpack(">xxI", head)[0], deadline)
        except TimeoutError:
            return SILENCE, b""
        except OSError:
            return CLOSED, b""

    def hear(self, seconds: float | None = None) -> str:
        """The next PDU in words, see :func:`told`."""
        return told(*self.receive(seconds))

    def associate(self, **options: Text | bytes | int) -> str:
        """Ask for an association; what came."""
        self.send(associate_rq(**options))  # type: ignore[arg-type]
        return self.hear()

    def store(self, sop_instance_uid: Text, data: bytes, **options: Text | int) -> str:
        """A C-STORE; what came."""
        rq = command(c_store_rq(sop_instance_uid, **options))  # type: ignore[arg-type]
        self.send(p_data(STORE, COMMAND, rq) + data_set(STORE, data))
        return self.hear()

    def echo(self, number: int = ECHO) -> str:
        """A C-ECHO; what came."""
        self.send(p_data(number, COMMAND, command(c_echo_rq())))
        return self.hear()

    def release(self) -> str:
        """Ask to end; what came."""
        self.send(RELEASE_RQ)
        return self.hear()

    def seconds_until_closed(self, at_most: float) -> float | None:
        """How long until the other side hangs up, whatever it says before; ``None``: longer than ``at_most``."""
        begun = time.monotonic()
        while (left := begun + at_most - time.monotonic()) > 0:
            try:
                self.socket.settimeout(left)
                if not self.socket.recv(65536):
                    return time.monotonic() - begun
            except TimeoutError:
                return None
            except OSError:
                return time.monotonic() - begun
        return None

    def _exactly(self, count: int, deadline: float) -> bytes:
        found = bytearray()
        while len(found) < count:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            piece = self.socket.recv(min(count - len(found), 1 << 16))
            if not piece:
                break
            found += piece
        return bytes(found)


def sender_tls(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """What a sender with a certificate secures its connections with; names of hosts are not compared."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca)
    context.load_cert_chain(certificate, key)
    return context


def counted(words: Iterable[str]) -> Mapping[str, int]:
    """How often each, the most frequent first."""
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
