"""A wire to a server that can be bad: it flips a bit, is cut, loses the answer, or says nothing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE = 1 << 16


class Wire:
    """Passes connections on to ``port``. ``fault`` of the next connection that carries a PUT: see :meth:`_spoilt`."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._port = 0
        self._open: set[socket.socket] = set()
        self.fault = ""
        self.faults = 0
        self.start()
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Take connections, after a stop by the same port."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Cut every connection, and take no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _listen(self, listener: socket.socket) -> None:
        with listener, suppress(OSError):
            while True:
                threading.Thread(target=self._carry, args=(listener.accept()[0],), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as server:
            self._open |= {client, server}
            threading.Thread(target=self._back, args=(server, client), daemon=True).start()
            carried = b""
            while data := client.recv(PIECE):
                carried = (carried + data)[-64 * PIECE :]
                data = self._spoilt(carried, data, server, client)
                server.sendall(data)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(PIECE):
                if self.fault == "lost answer":
                    self.fault, self.faults = "", self.faults + 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def _spoilt(self, carried: bytes, data: bytes, server: socket.socket, client: socket.socket) -> bytes:
        head, found, body = carried.partition(b"\r\n\r\n")
        if not self.fault or not head.startswith(b"PUT ") or not found or len(body) < 1000:
            return data
        if self.fault != "lost answer":
            fault, self.fault = self.fault, ""
            self.faults += 1
        else:
            fault = ""
        if fault == "flip":
            data = data[:-1] + bytes([data[-1] ^ 1])
        elif fault == "cut":
            server.close()
            client.close()
        elif fault == "silence":
            threading.Event().wait(60)
        return data


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    """A wire, until the end."""
    one = Wire(port)
    try:
        yield one
    finally:
        one.stop()
