"""What the two sides say: a line of JSON, and the bytes that it announces (``sizes``).

Never a pickle: a child that decodes hostile films is not to be trusted either. A question brings open files along.
"""

import json
import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

LINE_BYTES = 4096
MOST_PARTS = 16
MOST_MESSAGES = 4
"""Of an answer: what the tags say, what became of the film, and room for one more of each."""
CHUNK = 1 << 20

Said = tuple[dict[str, Any], list[bytes]]
"""What a child says: an object, and the bytes that go with it."""


class Overdue(Exception):
    """Nothing came in time."""


def line(said: Mapping[str, Any]) -> bytes:
    """One object as a line."""
    return json.dumps(said).encode() + b"\n"


def message(said: Mapping[str, Any], parts: Sequence[bytes | memoryview] = ()) -> list[bytes | memoryview]:
    """An object and its bytes, piece by piece."""
    return [line({**said, "sizes": [memoryview(part).nbytes for part in parts]}), *parts]


def write(descriptor: int, pieces: Sequence[bytes | memoryview]) -> None:
    """Write all of it, by ``write`` alone: the system calls of sockets are refused to a child."""
    for piece in pieces:
        rest = memoryview(piece).cast("B")
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def read_to_end(descriptor: int, most_bytes: int, deadline: float) -> bytes:
    """What comes until the other side is closed, ``most_bytes`` of it at most.

    Raises:
        Overdue: it is not closed by ``deadline`` (of the monotonic clock).
        ValueError: it is more.
    """
    data = bytearray()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while poll.poll(_milliseconds(deadline)):
        piece = os.read(descriptor, CHUNK)
        if not piece:
            return bytes(data)
        data += piece
        if len(data) > most_bytes:
            raise ValueError("more than was agreed")
    raise Overdue


def messages(data: bytes, *, whole: bool) -> Said:
    """All messages of an answer as one. ``whole``: it must end with a message; else what was begun counts for nothing.

    Raises:
        ValueError, TypeError, RecursionError: it is none.
    """
    merged: dict[str, Any] = {}
    parts: list[bytes] = []
    at = count = 0
    while at < len(data):
        count += 1
        if count > MOST_MESSAGES:
            raise ValueError("more messages than an answer has")
        end = data.find(b"\n", at, at + LINE_BYTES)
        said = json.loads(data[at:end]) if end >= 0 else None
        if said is None and not whole:
            break
        if not isinstance(said, dict):
            raise TypeError("not an object")
        sizes, at = _sizes(said.pop("sizes", [])), end + 1
        if at + sum(sizes) > len(data):
            if whole:
                raise ValueError("less than was announced")
            break
        merged |= said
        for size in sizes:
            parts.append(data[at : at + size])
            at += size
    return merged, parts


def send(control: socket.socket, said: Mapping[str, Any], files: Sequence[int] = ()) -> None:
    """Say a line, and hand over open files with it (SCM_RIGHTS)."""
    data = line(said)
    sent = socket.send_fds(control, [data], list(files)) if files else 0
    control.sendall(data[sent:])


def receive(control: socket.socket, deadline: float | None = None, most_files: int = 0) -> tuple[dict[str, Any], list[int]]:
    """The line that the other side says, and the open files that come with it.

    Raises:
        EOFError: there is no other side any more.
        Overdue: it says nothing by ``deadline``.
        ValueError: it says nonsense.
    """
    data, files = b"", []
    while not data.endswith(b"\n"):
        control.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
        try:
            piece, came, _, _ = socket.recv_fds(control, LINE_BYTES, most_files)
        except TimeoutError:
            raise Overdue from None
        if not piece:
            raise EOFError
        data += piece
        files += came
        if len(data) > LINE_BYTES:
            raise ValueError("not a line")
    said = json.loads(data)
    if not isinstance(said, dict):
        raise ValueError("not an object")
    return said, files


def _sizes(said: Any) -> list[int]:
    """How many bytes follow, part by part: whole numbers, not below zero."""
    if not isinstance(said, list) or len(said) > MOST_PARTS or not all(type(size) is int and size >= 0 for size in said):
        raise ValueError("not sizes")
    return said


def _milliseconds(deadline: float) -> int:
    return max(0, round(1000 * (deadline - time.monotonic())))
