"""Where the RIS connects: a thread for each of a bounded number of connections, and no patience with half a message."""

import errno
import math
import socket
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

import structlog

from triage.hl7.line import Late, Line
from triage.hl7.mllp import Frames, NotFramed, framed
from triage.listening import listen

BACKLOG = 64
DRAIN = 10.0
WITHOUT_ROOM = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``connections`` at a time, ``of_address``: of one address among them; ``message_bytes``: of one message.

    Seconds: ``first`` until the first byte, ``message`` from the first byte of a message to its last, ``answer`` for the peer
    to take the answer. Between two messages a connection may be silent for as long as nobody else needs its place;
    after ``gives_way`` seconds of silence it gives way.
    """

    connections: int = 32
    of_address: int = 16
    message_bytes: int = 1 << 20
    first: float = 30.0
    message: float = 10.0
    answer: float = 10.0
    gives_way: float = 3.0


class Listener:
    """A running listener. ``answer(message, address)`` gives the acknowledgement; ``unframed`` one for what is no frame.

    ``peers``: addresses that may connect; empty: any.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        peers: Collection[str],
        limits: Limits,
        answer: Callable[[bytes, str], bytes],
        unframed: Callable[[NotFramed, str], bytes],
    ) -> None:
        self._peers = frozenset(peers)
        self.limits = limits
        self.answer = answer
        self.unframed = unframed
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._listening = listen(host, port, BACKLOG, "hl7.port")
        self.port = int(self._listening.getsockname()[1])
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="orders", daemon=True)
        self._thread.start()

    @property
    def is_listening(self) -> bool:
        """Whether new connections are taken."""
        return self._is_open and self._thread.is_alive()

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._connections)

    def stop(self, drain: float = DRAIN) -> None:
        """No new connections; a message that is whole is still taken and answered."""
        self._is_open = False
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        with self._lock:
            left = list(self._connections)
        for one in left:
            one.hear_no_more()
        until = time.monotonic() + drain
        for one in left:
            one.join(max(0.0, until - time.monotonic()))
            one.cut()

    def leave(self, connection: "_Connection") -> None:
        """A connection has ended."""
        with self._lock:
            self._connections.discard(connection)

    def _run(self) -> None:
        try:
            while self._is_open:
                try:
                    connected, (address, *_) = self._listening.accept()
                except OSError as error:
                    if error.errno in (errno.EBADF, errno.EINVAL):
                        return  # it listens no more
                    time.sleep(WITHOUT_ROOM)  # no descriptors, no memory: it may pass
                    continue
                self._welcome(connected, str(address))
        except Exception as error:  # without this thread nobody gets in: whoever started it has to know why it ended
            structlog.get_logger().error("listener for orders failed", kind=type(error).__name__)
        finally:
            self._is_open = False
            self._listening.close()

    def _welcome(self, connected: socket.socket, address: str) -> None:
        if self._peers and address.removeprefix("::ffff:") not in self._peers:
            _refuse(connected, address, "its address is not in hl7.allowed_peers")
            return
        if not self._make_room(address):
            _refuse(connected, address, "as many connections as are allowed")
            return
        connection = _Connection(self, connected, address)
        with self._lock:
            self._connections.add(connection)
        try:
            connection.start()
        except RuntimeError:  # no thread to be had: the peer tries again
            self.leave(connection)
            _refuse(connected, address, "no thread for it")

    def _make_room(self, address: str) -> bool:
        with self._lock:
            same = [one for one in self._connections if one.address == address]
            full = same if len(same) >= self.limits.of_address else []
            full = full or (list(self._connections) if len(self._connections) >= self.limits.connections else [])
            if not full:
                return True
            quiet = [one for one in full if one.silent_for() >= self.limits.gives_way]
            if not quiet:
                return False
            first = max(quiet, key=_Connection.silent_for)
            self._connections.discard(first)
        first.cut()
        return True


class _Connection(threading.Thread):
    def __init__(self, house: Listener, connected: socket.socket, address: str) -> None:
        super().__init__(name="orders-connection", daemon=True)
        self.address = address
        self._house = house
        self._socket = connected
        self._line = Line(connected)
        self._frames = Frames(house.limits.message_bytes)
        self._quiet_since: float | None = time.monotonic()  # none: a message is on its way, or is being answered
        self._begun: float | None = None  # since when it is on its way
        self._until = time.monotonic() + house.limits.first

    def silent_for(self) -> float:
        """Seconds without anything at hand."""
        since = self._quiet_since
        return 0.0 if since is None else time.monotonic() - since

    def hear_no_more(self) -> None:
        """What was heard is answered, then it ends."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def cut(self) -> None:
        """It ends now."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Message after message, until the peer closes or makes no sense."""
        limits = self._house.limits
        try:
            while (message := self._next()) is not None:
                self._say(self._house.answer(message, self.address))
                self._until = math.inf
        except NotFramed as error:
            with suppress(OSError):
                if answer := self._house.unframed(error, self.address):
                    self._say(answer)
                self._part()
        except Late:
            half = "half a message" if not self._frames.is_between else "nothing"
            within = limits.message if not self._frames.is_between else limits.first
            _log(self.address, f"{half} within {within:g} s")
        except OSError:
            pass  # the peer is gone: what it has no answer to, it sends again
        finally:
            self._line.close()
            self._house.leave(self)

    def _next(self) -> bytes | None:
        """The next message; ``None``: the peer has closed."""
        while (message := self._frames.next()) is None:
            if self._frames.is_between:
                self._begun, self._quiet_since = None, self._quiet_since or time.monotonic()
                until = self._until
            else:
                self._begun, self._quiet_since = self._begun or time.monotonic(), None
                until = self._begun + self._house.limits.message
            heard = self._line.receive(until)
            if not heard:
                if not self._frames.is_between:
                    _log(self.address, "closed within a message")
                return None
            self._frames.feed(heard)
        self._begun = self._quiet_since = None
        return message

    def _say(self, answer: bytes) -> None:
        try:
            self._line.send(framed(answer), time.monotonic() + self._house.limits.answer)
        except Late:
            _log(self.address, "did not take the answer")
            raise ConnectionError from None

    def _part(self) -> None:
        """Leave the peer a moment to read the answer: a close with unread bytes would take it away."""
        self._socket.shutdown(socket.SHUT_WR)
        until = time.monotonic() + 1.0
        while self._line.receive(until):
            pass


def _log(address: str, cause: str) -> None:
    structlog.get_logger().warning("order refused", address=address, cause=cause)


def _refuse(connected: socket.socket, address: str, cause: str) -> None:
    _log(address, cause)
    connected.close()
