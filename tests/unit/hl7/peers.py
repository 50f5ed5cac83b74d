"""Receivers of results, good and bad, on real sockets; each connection is handled by what a test gives."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from triage.hl7.mllp import Frames, framed
from triage.hl7.structure import parse

Behaviour = Callable[["Caller"], None]


class Caller:
    """One connection, as the peer has it."""

    def __init__(self, connected: socket.socket, messages: list[bytes], over: threading.Event) -> None:
        self.socket = connected
        self.over = over
        self._messages = messages
        self._frames = Frames(1 << 20)

    def hear(self) -> bytes:
        """The next message; ``EOFError``: the caller has closed."""
        while (message := self._frames.next()) is None:
            heard = self.socket.recv(65536)
            if not heard:
                raise EOFError
            self._frames.feed(heard)
        self._messages.append(message)
        return message

    def say(self, said: str, to: bytes, error: str = "") -> None:
        self.socket.sendall(framed(ack(said, to, error)))


def ack(said: str, to: bytes, error: str = "") -> bytes:
    number = parse(to).control_id
    lines = ["MSH|^~\\&|RIS|HOSP|CXRTRIAGE||20260302080000||ACK^R01^ACK|1|P|2.5.1", f"MSA|{said}|{number}"]
    return ("\r".join([*lines, *([f"ERR|||{error}^words^HL70357|E"] if error else [])]) + "\r").encode()


class Peer:
    """Handles the n-th connection by the n-th behaviour, every further one by the last."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.messages: list[bytes] = []
        self.connections = 0
        self._behaviours = behaviours
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listening.accept()
            except OSError:
                return
            behaviour = self._behaviours[min(self.connections, len(self._behaviours) - 1)]
            self.connections += 1
            self._open.append(connected)
            thread = threading.Thread(target=self._handle, args=(behaviour, connected), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _handle(self, behaviour: Behaviour, connected: socket.socket) -> None:
        with connected, suppress(OSError, EOFError):
            behaviour(Caller(connected, self.messages, self._over))

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in (self._accepting, *self._threads):
            thread.join(5)


@contextmanager
def peer(*behaviours: Behaviour) -> Iterator[Peer]:
    running = Peer(*behaviours)
    try:
        yield running
    finally:
        running.close()


def takes(caller: Caller) -> None:
    """Takes everything."""
    while True:
        caller.say("AA", caller.hear())
