"""A cable to the database that is cut around a COMMIT: after the server has done it, and before it hears of it."""

import selectors
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

READ = 1 << 16


class Cable:
    """Forwards to a server. While ``cuts`` is above 0, a commit of what ``about`` names is cut off, and counted down.

    ``before``: the server does not hear of the COMMIT; otherwise it does, and its answer does not arrive.
    """

    def __init__(self, url: str, about: bytes = b"INSERT INTO instance") -> None:
        self.turn(url)
        there = urlsplit(url)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = there._replace(netloc=f"{there.username}@127.0.0.1:{self._listening.getsockname()[1]}").geturl()
        self.about, self.cuts, self.before, self.cut = about, 0, False, 0
        self._lock, self._open = threading.Lock(), True
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, name="cable", daemon=True).start()

    def turn(self, url: str) -> None:
        """Lead there from now on; who is connected stays where it is."""
        there = urlsplit(url)
        self._there = (there.hostname or "", there.port or 5432)

    def drop(self) -> None:
        """Cut off everybody who is connected."""
        with self._lock:
            for client in self._clients:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            self._clients.clear()

    def _accept(self) -> None:
        while self._open:
            with suppress(OSError):
                client, _ = self._listening.accept()
                with self._lock:
                    self._clients.append(client)
                threading.Thread(target=self._carry, args=(client,), name="strand", daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._there) as server, selectors.DefaultSelector() as ready:
            for end in (client, server):
                ready.register(end, selectors.EVENT_READ)
            named = False
            while True:
                for key, _ in ready.select():
                    end = server if key.fileobj is server else client
                    if not (data := end.recv(READ)):
                        return
                    if end is server:
                        client.sendall(data)
                        continue
                    named |= self.about in data
                    if b"COMMIT" in data:
                        if named and self._is_cut():
                            self._cut(server, data)
                            return
                        named = False
                    server.sendall(data)

    def _cut(self, server: socket.socket, data: bytes) -> None:
        """The server hears of it and answers nobody, or does not hear of it."""
        if not self.before:
            server.sendall(data)
            server.recv(READ)

    def _is_cut(self) -> bool:
        with self._lock:
            if self.cuts <= 0:
                return False
            self.cuts, self.cut = self.cuts - 1, self.cut + 1
            return True

    def close(self) -> None:
        """Nobody else is connected."""
        self._open = False
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
