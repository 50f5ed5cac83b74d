"""Where connections wait until they have said what they want: one thread, no connection of which can hold up another.

It accepts, lets TLS shake hands without waiting for it, and gathers the A-ASSOCIATE-RQ. Silent peers never get further, so that
they take no association; of one address only so many may wait, and the one that has waited longest gives way to the next.
"""

import errno
import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog

from triage.dimse import pdu
from triage.dimse.pdu import HEAD

REQUEST_WITHIN = 5.0
"""Seconds from connect to the whole A-ASSOCIATE-RQ, TLS included: the ARTIM timer (PS3.8 9.1.5)."""
LONGEST_REQUEST = 256 * 1024
"""Bytes of an A-ASSOCIATE-RQ; 128 presentation contexts with every transfer syntax there is need half of it."""
MOST_OF_ADDRESS = 256
MOST_WAITING = 2048
MOST_HEARD = 16 << 20
"""Bytes of requests that are not whole yet, all together; where there are more, the longest of them goes."""
BACKLOG = 128
WITHOUT_ROOM = 0.05
_ACCEPT_AT_ONCE = 32
_CHUNK = 65536


class Secure(Protocol):
    """TLS as the lobby needs it."""

    def context(self) -> ssl.SSLContext:
        """What new connections are secured with."""

    def words(self, error: Exception) -> str:
        """Why a handshake failed, in a line for the log."""

    def titles(self, connection: ssl.SSLSocket) -> frozenset[str]:
        """The calling AE titles that the peer's certificate may use."""

    def subject(self, connection: ssl.SSLSocket) -> str:
        """Whom the peer's certificate names, for the log."""


class _Guest:
    def __init__(self, connected: socket.socket, address: str, deadline: float) -> None:
        self.socket = connected
        self.address = address
        self.deadline = deadline
        self.is_shaking_hands = False
        self.is_leaving = self.is_gone = False
        self.heard = bytearray()

    @property
    def wanted(self) -> int:
        """Bytes that are still to come, as far as is known."""
        if len(self.heard) < HEAD:
            return HEAD - len(self.heard)
        return HEAD + int(struct.unpack_from(">xxI", self.heard)[0]) - len(self.heard)


class Lobby(threading.Thread):
    """``enter(socket, address, request, let_go)`` takes over a connection that has sent its A-ASSOCIATE-RQ (its content), after
    it has called ``let_go``; or it returns the PDU that refuses it."""

    def __init__(
        self,
        listening: socket.socket,
        enter: Callable[[socket.socket, str, bytes, Callable[[], None]], bytes],
        secure: Secure | None = None,
        refused: Callable[[str, str], None] = lambda address, cause: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="lobby", daemon=True)
        listening.setblocking(False)
        self._listening = listening
        self._enter = enter
        self._secure = secure
        self._refused = refused
        self._now = now
        self._waiting: dict[_Guest, None] = {}  # both in the order of their deadlines
        self._leaving: dict[_Guest, None] = {}
        self._of_address: dict[str, dict[_Guest, None]] = {}
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringing = socket.socketpair()
        self._ringing.setblocking(False)
        self._parting: SimpleQueue[socket.socket] = SimpleQueue()
        self._heard = 0
        self._is_open = True

    def close(self) -> None:
        """No new connections; those that wait are closed. From any thread; does not wait."""
        self._is_open = False
        self._ring()

    def _ring(self) -> None:
        with suppress(OSError):
            self._ringing.send(b"!")

    def see_off(self, connected: socket.socket) -> bool:
        """Take over a connection on which all is said, until its peer has heard it. From any thread; ``False``: closed."""
        if not self._is_open:
            return False
        self._parting.put(connected)
        self._ring()
        return True

    def run(self) -> None:
        """Until closed."""
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        try:
            while self._is_open:
                for key, _ in self._selector.select(self._until_next_deadline()):
                    if key.fileobj is self._listening:
                        self._accept()
                    elif key.fileobj is self._bell:
                        self._bell.recv(_CHUNK)
                        self._take_over()
                    elif isinstance(key.data, _Guest) and not key.data.is_gone:
                        self._step(key.data)
                self._see_off()
        except Exception as error:  # without the lobby nobody gets in: whoever started it has to know why it ended
            structlog.get_logger().error("lobby failed", kind=type(error).__name__)
        finally:
            self._is_open = False
            self._take_over()
            for guest in [*self._waiting, *self._leaving]:
                self._dismiss(guest)
            self._selector.close()
            for one in (self._listening, self._bell, self._ringing):
                one.close()

    def _take_over(self) -> None:
        while True:
            try:
                connected = self._parting.get_nowait()
            except Empty:
                return
            if len(self._leaving) >= MOST_WAITING:
                self._dismiss(next(iter(self._leaving)))
            guest = _Guest(connected, "", self._now() + pdu.FAREWELL_WITHIN)
            guest.is_leaving = True
            try:
                connected.setblocking(False)
                self._selector.register(connected, selectors.EVENT_READ, guest)
            except (OSError, ValueError):
                connected.close()
            else:
                self._leaving[guest] = None

    def _until_next_deadline(self) -> float | None:
        firsts = [next(iter(some)).deadline for some in (self._waiting, self._leaving) if some]
        return max(0.0, min(firsts) - self._now()) if firsts else None

    def _accept(self) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                connected, (address, *_) = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._make_room()
                return
            self._welcome(connected, address)

    def _welcome(self, connected: socket.socket, address: str) -> None:
        connected.setblocking(False)
        with suppress(OSError):  # a response of a few bytes must not wait for the peer's delayed ACK
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        same = self._of_address.get(address, {})
        if len(same) >= MOST_OF_ADDRESS:
            self._dismiss(next(iter(same)))
        elif len(self._waiting) >= MOST_WAITING:
            self._make_room()
        guest = _Guest(connected, address, self._now() + REQUEST_WITHIN)
        self._waiting[guest] = None
        self._of_address.setdefault(address, {})[guest] = None
        try:
            self._selector.register(connected, selectors.EVENT_READ, guest)
        except OSError:
            self._dismiss(guest)
            return
        if self._secure is None:
            self._step(guest)  # what it says has often come already

    def _make_room(self) -> None:
        for some in (self._leaving, self._waiting):
            if some:
                self._dismiss(next(iter(some)))
                return
        time.sleep(
            WITHOUT_ROOM
        )  # associations have every descriptor: the listening socket stays ready, and nobody is helped by asking

    def _step(self, guest: _Guest) -> None:
        try:
            if guest.is_leaving:
                self._drain(guest)
            elif self._secure is not None and not isinstance(guest.socket, ssl.SSLSocket):
                self._begin_tls(guest, self._secure.context())
            elif guest.is_shaking_hands:
                self._shake_hands(guest)
            else:
                self._listen(guest)
        except (ssl.SSLWantReadError, BlockingIOError):
            self._selector.modify(guest.socket, selectors.EVENT_READ, guest)
        except ssl.SSLWantWriteError:
            self._selector.modify(guest.socket, selectors.EVENT_WRITE, guest)
        except (OSError, ValueError, MemoryError):
            self._dismiss(guest)

    def _begin_tls(self, guest: _Guest, context: ssl.SSLContext) -> None:
        """Only when the peer has said something: to one that is silent TLS would give 100 KB of memory."""
        self._selector.unregister(guest.socket)
        guest.socket = context.wrap_socket(guest.socket, server_side=True, do_handshake_on_connect=False)
        self._selector.register(guest.socket, selectors.EVENT_READ, guest)
        guest.is_shaking_hands = True
        self._shake_hands(guest)

    def _shake_hands(self, guest: _Guest) -> None:
        assert self._secure is not None
        assert isinstance(guest.socket, ssl.SSLSocket)
        try:
            guest.socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except (OSError, ValueError) as error:
            cause = self._secure.words(error)
            structlog.get_logger().warning("TLS refused", address=guest.address, cause=cause)
            self._refused(guest.address, cause)
            self._dismiss(guest)
            return
        guest.is_shaking_hands = False
        self._listen(guest)

    def _listen(self, guest: _Guest) -> None:
        while True:
            got = guest.socket.recv(min(guest.wanted, _CHUNK))
            if not got:
                self._dismiss(guest)
                return
            guest.heard += got
            self._heard += len(got)
            if self._heard > MOST_HEARD and guest.wanted:
                self._dismiss(max(self._waiting, key=lambda one: len(one.heard)))
            if guest.is_gone:
                return
            if len(guest.heard) >= HEAD and not self._is_request(guest):
                return
            if len(guest.heard) > HEAD and not guest.wanted:
                self._hand_over(guest)
                return

    def _is_request(self, guest: _Guest) -> bool:
        if guest.heard[0] != pdu.A_ASSOCIATE_RQ:
            known = guest.heard[0] in pdu.KINDS
            reason = pdu.UNEXPECTED_PDU if known else pdu.UNRECOGNISED_PDU
            self._refuse(guest, pdu.abort(reason), "what came first is no A-ASSOCIATE-RQ")
        elif not 0 < guest.wanted + len(guest.heard) - HEAD <= LONGEST_REQUEST:
            self._refuse(guest, pdu.abort(pdu.INVALID_PARAMETER), "an A-ASSOCIATE-RQ that is empty or too long")
        else:
            return True
        return False

    def _hand_over(self, guest: _Guest) -> None:
        refusal = self._enter(guest.socket, guest.address, bytes(guest.heard[HEAD:]), lambda: self._let_go(guest))
        if refusal:
            self._refuse(guest, refusal, "as many associations as are allowed")

    def _let_go(self, guest: _Guest) -> None:
        self._forget(guest)
        guest.socket.setblocking(True)

    def _refuse(self, guest: _Guest, last_words: bytes, cause: str) -> None:
        """Say so, and leave the peer a moment to read it: a close with unread bytes would take it away."""
        structlog.get_logger().warning("connection refused", address=guest.address, cause=cause)
        with suppress(OSError):
            guest.socket.send(last_words)
        with suppress(OSError):
            socket.socket.shutdown(guest.socket, socket.SHUT_WR)
        guest.is_leaving, guest.deadline = True, self._now() + pdu.FAREWELL_WITHIN
        self._forget_place(guest)
        self._leaving[guest] = None

    def _drain(self, guest: _Guest) -> None:
        if not guest.socket.recv(_CHUNK):
            self._dismiss(guest)

    def _see_off(self) -> None:
        now = self._now()
        for some in (self._waiting, self._leaving):
            while some and (first := next(iter(some))).deadline <= now:
                self._dismiss(first)

    def _dismiss(self, guest: _Guest) -> None:
        if not guest.is_gone:
            self._forget(guest)
            guest.socket.close()

    def _forget(self, guest: _Guest) -> None:
        guest.is_gone = True
        self._leaving.pop(guest, None)
        self._forget_place(guest)
        with suppress(KeyError, ValueError):  # TLS that could not begin has taken the socket with it
            self._selector.unregister(guest.socket)

    def _forget_place(self, guest: _Guest) -> None:
        if guest in self._waiting:
            del self._waiting[guest]
            self._heard -= len(guest.heard)
            guest.heard = bytearray()  # not when the last event of this round that names the guest is through: now
            same = self._of_address[guest.address]
            del same[guest]
            if not same:
                del self._of_address[guest.address]
