"""A bell between processes of one machine: whoever has made work rings, whoever waits for it wakes at once.

Datagrams on sockets in a folder of the home; nothing is said by them, and one that is lost costs no more than the next look at
the database. Where such sockets cannot be had, waiting is all there is.
"""

import os
import select
import socket
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

SLICE = 0.1
"""Seconds after which a waiter looks whether it is to stop."""


class Bell:
    """The bell of one home, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        # by the descriptor: the path of a home may be longer than the 107 bytes that an address holds
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def ring(self) -> None:
        """Wake everybody who waits."""
        if self._descriptor < 0:
            return
        try:
            names = os.listdir(self._descriptor)
        except OSError:
            return  # nobody is woken, and each looks by itself: the work is no less done
        for name in names:
            try:
                self._socket.sendto(b"!", self._address(name))
            except ConnectionRefusedError:  # nobody behind it any more
                with suppress(OSError):
                    if stat.S_ISSOCK(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False).st_mode):
                        os.unlink(name, dir_fd=self._descriptor)
            except OSError:  # it has not heard the last ones yet, or there is no memory for one more
                continue

    def listen(self) -> None:
        """Be woken by :meth:`ring` from now on."""
        name = f"{os.getpid()}-{id(self):x}"
        with suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)
        with suppress(OSError):
            self._socket.bind(self._address(name))

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Until somebody rings, ``stop``, or so many seconds have gone."""
        end = time.monotonic() + seconds
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._socket], [], [], min(left, SLICE))
            if ready:
                with suppress(OSError):
                    while True:
                        self._socket.recv(1)
                return

    def close(self) -> None:
        """Neither ring nor listen any more."""
        with suppress(OSError):
            os.unlink(f"{os.getpid()}-{id(self):x}", dir_fd=self._descriptor)
        self._socket.close()
        descriptor, self._descriptor = self._descriptor, -1  # its number may become that of another folder
        os.close(descriptor)

    def _address(self, name: str) -> str:
        return f"/proc/self/fd/{self._descriptor}/{name}"
