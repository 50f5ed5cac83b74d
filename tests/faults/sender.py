"""A sender that writes its PDUs itself (PS3.8 9.3): fast, and able to stop at any byte."""

import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from types import TracebackType

from tests.integration.objects import DX, EXPLICIT, data_set, elements_of, sop_uid
from tests.integration.raw import A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RQ, COMMAND, P_DATA_TF

A_RELEASE_RQ = 5
STATUS = 0x00000900
CONTEXT = 1
FRAGMENT = 16 * 1024
_NOISE = random.Random(1).randbytes(4096 * 4096)
SUCCESS, ANOTHER_OBJECT = 0x0000, 0xA900
Answer = int | str
"""A status, or ``closed``, ``abort``, ``silence``: none came."""


@dataclass(frozen=True)
class Film:
    """What is sent: a data set, and the UID that it goes by."""

    uid: str
    data: bytes

    @cached_property
    def digest(self) -> str:
        return sha256(self.data).hexdigest()


def film(number: int, image: int = 1, *, side: int = 0, **changes: str | int | bytes | None) -> Film:
    """A chest film; ``side``: that many rows and columns of noise in place of its pixels."""
    if side:
        noise = f"{number} {image}".encode().ljust(16) + _NOISE[: side * side - 16]
        changes |= {"Rows": side, "Columns": side, "PixelData": noise}
    return Film(sop_uid(number, image), data_set(elements_of(number, image, **changes)))


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _pdu(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(content)) + content


def _element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def request(calling: str, called: str = "TRIAGE") -> bytes:
    """An A-ASSOCIATE-RQ for digital radiographs."""
    context = bytes([CONTEXT, 0, 0, 0]) + _item(0x30, DX.encode()) + _item(0x40, EXPLICIT.encode())
    user = _item(0x51, struct.pack(">I", FRAGMENT)) + _item(0x52, b"1.2.3")
    items = _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, context) + _item(0x50, user)
    head = struct.pack(">HH16s16s32x", 1, 0, called.encode().ljust(16), calling.encode().ljust(16))
    return _pdu(A_ASSOCIATE_RQ, head + items)


def _command(message: int, sop_instance_uid: str) -> bytes:
    """A C-STORE-RQ (PS3.7 9.3.1.1), Implicit VR Little Endian."""

    def even(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    content = b"".join(
        _element(tag, value)
        for tag, value in (
            (0x00000002, even(DX)),
            (0x00000100, b"\1\0"),
            (0x00000110, struct.pack("<H", message)),
            (0x00000700, b"\0\0"),
            (0x00000800, b"\1\0"),
            (0x00001000, even(sop_instance_uid)),
        )
    )
    return _element(0x00000000, struct.pack("<I", len(content))) + content


def _value(command_set: bytes, wanted: int) -> bytes:
    """The value of an element; empty: there is none."""
    at = 0
    while at + 8 <= len(command_set):
        group, element, length = struct.unpack_from("<HHI", command_set, at)
        if group << 16 | element == wanted:
            return command_set[at + 8 : at + 8 + length]
        at += 8 + length
    return b""


def message(number: int, sop_instance_uid: str, data: bytes, fragment: int = FRAGMENT) -> list[bytes]:
    """The P-DATA-TF PDUs of one C-STORE request."""
    parts = [data[at : at + fragment] for at in range(0, len(data), fragment)]
    controls = [0x00] * (len(parts) - 1) + [0x02]
    fragments = [(COMMAND, _command(number, sop_instance_uid)), *zip(controls, parts, strict=True)]
    return [_pdu(P_DATA_TF, struct.pack(">IBB", len(part) + 2, CONTEXT, control) + part) for control, part in fragments]


class Sender:
    """One association. ``fragment``: bytes of data set in a PDU."""

    def __init__(
        self, port: int, calling: str = "RIG", *, seconds: float = 30.0, fragment: int = FRAGMENT, host: str = "127.0.0.1"
    ) -> None:
        self.socket = socket.create_connection((host, port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fragment, self._number = fragment, 0
        try:
            self.socket.sendall(request(calling))
            kind, _ = self._receive()
            if kind != A_ASSOCIATE_AC:
                raise ConnectionRefusedError(f"the association was answered by PDU {kind}")
        except OSError:
            self.socket.close()
            raise

    def store(self, film: Film) -> Answer:
        """Send a film and wait for its answer."""
        return self.send(b"".join(self.message(film)))

    def message(self, film: Film) -> list[bytes]:
        """Its PDUs."""
        self._number = self._number % 0xFFFF + 1
        return message(self._number, film.uid, film.data, self.fragment)

    def send(self, pdus: bytes) -> Answer:
        """Send what is ready and wait for an answer to it."""
        try:
            self.socket.sendall(pdus)
            kind, content = self._receive()
        except TimeoutError:
            return "silence"
        except OSError:
            return "closed"
        if kind == P_DATA_TF and (status := _value(content[6:], STATUS)):
            return int.from_bytes(status, "little")
        return {0: "closed", A_ABORT: "abort"}.get(kind, f"PDU {kind}")

    def _receive(self) -> tuple[int, bytes]:
        head = self.socket.recv(6, socket.MSG_WAITALL)
        if len(head) < 6:
            return 0, b""
        length = struct.unpack(">xxI", head)[0]
        return head[0], self.socket.recv(length, socket.MSG_WAITALL) if length else b""

    def abort(self) -> None:
        """A-ABORT, then close."""
        with suppress(OSError):
            self.socket.sendall(_pdu(A_ABORT, bytes(4)))
        self.close()

    def reset(self) -> None:
        """End the connection by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def release(self) -> None:
        """Ask for it and wait; nothing when it is closed already."""
        with suppress(OSError):
            self.socket.sendall(_pdu(A_RELEASE_RQ, bytes(4)))
            self._receive()
        self.close()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
