"""A connection on which nothing takes longer than until a moment, however the peer drips; TLS as well as plain."""

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")

_CHUNK = 65536
LONGEST_SLEEP = 3600.0


class Late(TimeoutError):
    """The moment has come."""


class Line:
    """An open connection. ``until`` is always a moment of ``timer``; infinity: no hurry.

    Raises, every step: ``Late``; ``OSError``: the peer is gone.
    """

    def __init__(self, connected: socket.socket, timer: Callable[[], float] = time.monotonic) -> None:
        connected.setblocking(False)
        with suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._timer = timer

    @classmethod
    def to(
        cls,
        host: str,
        port: int,
        until: float,
        context: ssl.SSLContext | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> "Line":
        """A new connection; with ``context``, by TLS, to a peer whose certificate names ``host``."""
        line = cls(_connected(host, port, until, timer), timer)
        try:
            if context is not None:
                line.secure(context.wrap_socket(line._socket, server_hostname=host, do_handshake_on_connect=False), until)
        except BaseException:
            line.close()
            raise
        return line

    def secure(self, connection: ssl.SSLSocket, until: float) -> None:
        """Go on by TLS."""
        self._socket = connection
        self._do(connection.do_handshake, until)

    def send(self, data: bytes, until: float) -> None:
        """Send all of it."""
        sent = 0
        while sent < len(data):
            some = data[sent : sent + _CHUNK]
            sent += self._do(partial(self._socket.send, some), until, writing=True)

    def receive(self, until: float) -> bytes:
        """What has come, at least a byte; ``b""``: the peer has closed."""
        return self._do(partial(self._socket.recv, _CHUNK), until)

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read, not even the end."""
        try:
            self._socket.recv(1)
            return False
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._socket.close()

    def _do(self, step: Callable[[], T], until: float, writing: bool = False) -> T:
        while True:
            left = until - self._timer()
            if left <= 0:
                raise Late
            try:
                return step()
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            except BlockingIOError:
                wanted = select.POLLOUT if writing else select.POLLIN
            waiting = select.poll()  # not select(): a descriptor may be above 1023
            waiting.register(self._socket, wanted)
            waiting.poll(max(1, int(min(left, LONGEST_SLEEP) * 1000)))


def _connected(host: str, port: int, until: float, timer: Callable[[], float]) -> socket.socket:
    """By the first address that answers; all of them together in time."""
    error: OSError = Late()
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        left = until - timer()
        if left <= 0:
            raise Late
        connected = socket.socket(family, kind, protocol)
        connected.settimeout(left)
        try:
            connected.connect(address)
        except OSError as refused:
            connected.close()
            error = Late() if isinstance(refused, TimeoutError) else refused
        else:
            return connected
    raise error
