"""A peer that writes its PDUs by hand (PS3.8 9.3), for what a toolkit refuses to send."""

import socket
import struct
from contextlib import closing

from tests.integration.objects import DX, EXPLICIT
from tests.integration.syscalls import STATUS

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, P_DATA_TF, A_ABORT = 1, 2, 4, 7
COMMAND, DATA_SET = 0x03, 0x02  # message control header of a last fragment (PS3.8 E.2)
CONTEXT = 1


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _pdu(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(content)) + content


def associate_rq() -> bytes:
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2) of RAW to TRIAGE."""
    context = bytes([CONTEXT, 0, 0, 0]) + _item(0x30, DX.encode()) + _item(0x40, EXPLICIT.encode())
    user = _item(0x51, struct.pack(">I", 16384)) + _item(0x52, b"1.2.3")
    items = _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, context) + _item(0x50, user)
    return _pdu(A_ASSOCIATE_RQ, struct.pack(">HH16s16s32x", 1, 0, b"TRIAGE".ljust(16), b"RAW".ljust(16)) + items)


def _element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def _command(sop_instance_uid: bytes) -> bytes:
    """A C-STORE-RQ (PS3.7 9.3.1.1), Implicit VR Little Endian."""
    uid = sop_instance_uid + b"\0" * (len(sop_instance_uid) % 2)
    content = b"".join(
        _element(tag, value)
        for tag, value in (
            (0x00000002, DX.encode() + b"\0" * (len(DX) % 2)),
            (0x00000100, b"\1\0"),
            (0x00000110, b"\1\0"),
            (0x00000700, b"\0\0"),
            (0x00000800, b"\1\0"),
            (0x00001000, uid),
        )
    )
    return _element(0x00000000, struct.pack("<I", len(content))) + content


def _fragment(control: int, content: bytes) -> bytes:
    return _pdu(P_DATA_TF, struct.pack(">IBB", len(content) + 2, CONTEXT, control) + content)


def store(port: int, sop_instance_uid: bytes, data: bytes, seconds: float = 10.0) -> int | str:
    """One C-STORE on an association of its own; the status, or ``abort``, ``closed``, ``silence``."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=seconds)) as peer:
        peer.sendall(associate_rq())
        assert peer.recv(1) == bytes([A_ASSOCIATE_AC])
        length = struct.unpack(">xI", peer.recv(5, socket.MSG_WAITALL))[0]
        peer.recv(length, socket.MSG_WAITALL)
        peer.sendall(_fragment(COMMAND, _command(sop_instance_uid)) + _fragment(DATA_SET, data))
        try:
            head = peer.recv(6, socket.MSG_WAITALL)
            if len(head) < 6:
                return "closed"
            answer = peer.recv(struct.unpack(">xxI", head)[0], socket.MSG_WAITALL)
        except ConnectionResetError:
            return "closed"
        except TimeoutError:
            return "silence"
    if head[0] == A_ABORT:
        return "abort"
    at = answer.find(STATUS)
    return struct.unpack("<H", answer[at + len(STATUS) :][:2])[0] if head[0] == P_DATA_TF and at >= 0 else f"PDU {head[0]}"
