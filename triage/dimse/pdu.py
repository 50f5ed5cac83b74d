"""Protocol data units (PS3.8 9.3): read from a socket under a cap and deadlines, and written.

One blocking socket, one reader. Every deadline is on the monotonic clock: a step of the wall clock ends no transfer.
"""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ssl import SSLWantReadError
from typing import BinaryIO, NamedTuple

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)
KINDS = range(A_ASSOCIATE_RQ, A_ABORT + 1)

MAXIMUM_LENGTH = 128 * 1024
"""The Maximum Length (PS3.8 D.1) that we announce: the most that one P-DATA-TF may hold. A longer PDU ends the association."""
HEAD = 6
_SMALLEST_ROOM = 122
"""Bytes of content in a PDU, even for a peer whose Maximum Length no message fits into: in single bytes an answer would take a
hundred times its memory."""
_BUFFER = 2 * (MAXIMUM_LENGTH + HEAD)

PDU_WITHIN = 10.0
"""Seconds from the first byte of a PDU to its last, and for the peer to take what is sent to it."""
FAREWELL_WITHIN = 1.0
"""Seconds that a peer has to close its side; then it is closed for it."""

# A-ABORT (PS3.8 9.3.8): who, and why
SERVICE_USER, SERVICE_PROVIDER = 0, 2
NOT_SPECIFIED, UNRECOGNISED_PDU, UNEXPECTED_PDU, UNEXPECTED_PARAMETER, INVALID_PARAMETER = 0, 1, 2, 5, 6

COMMAND, LAST = 0x01, 0x02  # bits of the message control header (PS3.8 E.2)


class Ended(Exception):
    """The association is over without a word of ours: the peer closed it, or broke off."""


class ProtocolError(Exception):
    """The peer did what the protocol does not allow. ``reason``: that of the A-ABORT which answers it."""

    def __init__(self, words: str, reason: int = INVALID_PARAMETER) -> None:
        super().__init__(words)
        self.reason = reason


class TooSlow(ProtocolError):
    """A deadline passed."""

    def __init__(self, words: str) -> None:
        super().__init__(words, NOT_SPECIFIED)


class Fragment(NamedTuple):
    """One presentation data value (PS3.8 9.3.5.1). ``content`` is valid until the next PDU is read."""

    context_id: int
    is_command: bool
    is_last: bool
    content: memoryview


class Connection:
    """The PDUs of one association. ``heard_at``: when the last whole one was read."""

    def __init__(self, connected: socket.socket, now: Callable[[], float] = time.monotonic) -> None:
        self._socket = connected
        self._now = now
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self.heard_at = now()

    def read(self, within: float) -> tuple[int, memoryview]:
        """The next PDU, its first byte to come ``within`` seconds: (type, content). The content is valid until the next call.

        Raises:
            TooSlow: it does not begin, or not end, in time.
            ProtocolError: of no known type, or longer than :data:`MAXIMUM_LENGTH`.
            Ended: the peer closed.
        """
        if self._start == self._end:
            self._start = self._end = 0
        self._fill(1, self._now() + within, "nothing was sent")
        deadline = self._now() + PDU_WITHIN
        self._fill(HEAD, deadline, "a PDU was begun and not finished")
        kind, length = struct.unpack_from(">BxI", self._buffer, self._start)
        if kind not in KINDS:
            raise ProtocolError("a PDU of no known type", UNRECOGNISED_PDU)
        if length > MAXIMUM_LENGTH:
            raise ProtocolError("a PDU longer than the maximum length")
        self._fill(HEAD + length, deadline, "a PDU was begun and not finished")
        begin, self._start = self._start + HEAD, self._start + HEAD + length
        self.heard_at = self._now()
        return kind, self._view[begin : self._start]

    def is_quiet(self, seconds: float) -> bool:
        """Whether the peer sends nothing for so long, and stays."""
        if self._end > self._start:
            return False
        self._start = self._end = 0
        try:
            self._fill(1, self._now() + seconds, "")
        except TooSlow:
            return True
        except Ended:
            return False
        return False

    def has_word(self) -> bool:
        """Whether something of the peer is there to be read, or its end; does not wait."""
        if self._end > self._start:
            return True
        self._start = self._end = 0
        try:
            self._socket.settimeout(0.0)
            self._end = self._socket.recv_into(self._view)
        except (BlockingIOError, SSLWantReadError):
            return False
        except (OSError, ValueError):
            raise Ended from None
        if not self._end:
            raise Ended
        return True

    def send(self, pdu: bytes) -> None:
        """Send a PDU.

        Raises:
            TooSlow: the peer does not take it.
            Ended: the peer closed.
        """
        try:
            self._socket.settimeout(PDU_WITHIN)
            self._socket.sendall(pdu)
        except TimeoutError:
            raise TooSlow("the peer does not read what is sent to it") from None
        except (OSError, ValueError):
            raise Ended from None

    def wake(self) -> None:
        """End a read that waits, from another thread: it raises :class:`Ended`."""
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RD)  # that of SSLSocket would make what follows plain text

    def part(self, last_words: bytes = b"") -> None:
        """Send what is still to be said and close our side.

        The peer must be left a moment to read it, which a close with unread bytes would prevent: :meth:`linger`, or whoever
        takes over the socket.
        """
        with suppress(OSError, ValueError):
            if last_words:
                self._socket.settimeout(FAREWELL_WITHIN)
                self._socket.sendall(last_words)
            socket.socket.shutdown(self._socket, socket.SHUT_WR)

    def linger(self) -> None:
        """Hear the peer out for :data:`FAREWELL_WITHIN`, then close."""
        try:
            deadline = self._now() + FAREWELL_WITHIN
            while (left := deadline - self._now()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv_into(self._view):
                    break
        except (OSError, ValueError):
            pass
        finally:
            self._socket.close()

    def _fill(self, count: int, deadline: float, words: str) -> None:
        """Have ``count`` bytes from the start on."""
        if self._start + count > len(self._buffer):
            rest = self._end - self._start
            self._view[:rest] = self._view[self._start : self._end]
            self._start, self._end = 0, rest
        while self._end - self._start < count:
            left = deadline - self._now()
            if left <= 0:
                raise TooSlow(words)
            try:
                self._socket.settimeout(left)
                got = self._socket.recv_into(self._view[self._end :])
            except TimeoutError:
                raise TooSlow(words) from None
            except (OSError, ValueError):  # reset, a broken TLS record, closed by another thread
                raise Ended from None
            if not got:
                raise Ended
            self._end += got


def fragments(content: memoryview) -> Iterator[Fragment]:
    """The presentation data values of a P-DATA-TF.

    Raises:
        ProtocolError: their lengths do not add up.
    """
    at = 0
    while at < len(content):
        if len(content) - at < HEAD:
            raise ProtocolError("a presentation data value without header")
        length, context_id, control = struct.unpack_from(">IBB", content, at)
        end = at + 4 + length
        if length < 2 or end > len(content):
            raise ProtocolError("a presentation data value longer than its PDU")
        yield Fragment(context_id, bool(control & COMMAND), bool(control & LAST), content[at + HEAD : end])
        at = end


def pdu(kind: int, content: bytes) -> bytes:
    """A PDU of this type."""
    return struct.pack(">BxI", kind, len(content)) + content


def p_data(context_id: int, command: bytes, data_set: bytes, longest: int) -> bytes:
    """A message as P-DATA-TFs no longer than ``longest``, the peer's Maximum Length (0: it sets none)."""
    room = _room(longest)
    parts = []
    for flag, content in ((COMMAND, command), (0, data_set)):
        for at in range(0, len(content), room):
            control = flag | (LAST if at + room >= len(content) else 0)
            parts.append(_part(context_id, control, content[at : at + room]))
    return b"".join(parts)


def data_parts(context_id: int, data_set: BinaryIO, longest: int) -> Iterator[bytes]:
    """A data set as P-DATA-TFs, read as they are sent; empty: one without content."""
    room = _room(longest)
    part = data_set.read(room)
    while True:
        following = data_set.read(room) if part else b""
        yield _part(context_id, 0 if following else LAST, part)
        if not following:
            return
        part = following


def _room(longest: int) -> int:
    return min(max(longest - HEAD, _SMALLEST_ROOM), MAXIMUM_LENGTH) if longest else MAXIMUM_LENGTH


def _part(context_id: int, control: int, content: bytes) -> bytes:
    return pdu(P_DATA_TF, struct.pack(">IBB", len(content) + 2, context_id, control) + content)


def release_rp() -> bytes:
    """A-RELEASE-RP (PS3.8 9.3.7)."""
    return pdu(A_RELEASE_RP, bytes(4))


def abort(reason: int, source: int = SERVICE_PROVIDER) -> bytes:
    """A-ABORT (PS3.8 9.3.8)."""
    return pdu(A_ABORT, bytes([0, 0, source, reason]))


def reject(result: int, source: int, diagnostic: int) -> bytes:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return pdu(A_ASSOCIATE_RJ, bytes([0, result, source, diagnostic]))
