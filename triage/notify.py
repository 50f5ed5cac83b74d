"""What a process tells whoever started it, as ``sd_notify(3)`` does: systemd, or our own supervisor, which speaks the same."""

import os
import socket
import threading
from collections.abc import Mapping
from datetime import timedelta

PULSE = timedelta(seconds=2)
READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


def notify(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send one datagram to ``$NOTIFY_SOCKET``, a path or an abstract address (``@…``); ``False``: nobody hears it."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    address = "\0" + address[1:] if address[0] == "@" else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)  # a listener that is full or stopped must not hold up the sender
            sender.sendto(state.encode(), address)
    except OSError:
        return False
    return True


class Pulse:
    """Use as a context manager around a process: says every two seconds that it can run at all.

    A thread of its own that asks neither database nor disk: a process must not be killed because something else is away.
    """

    def __init__(self, every: timedelta = PULSE) -> None:
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def __enter__(self) -> "Pulse":
        if notify(ALIVE):  # otherwise nobody listens, and nobody will
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._every.total_seconds()):
            notify(ALIVE)
