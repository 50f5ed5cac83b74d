"""``triage serve``: starts the roles, each its own process, watches them, starts again what died."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from triage.listening import handed_over
from triage.notify import ALIVE, PULSE, READY, STOPPING, notify

FIRST_BACKOFF = 0.2
MAX_BACKOFF = 10.0
STEADY = 30.0
"""Seconds after which a role counts as steady again and its backoff starts over."""
STOP_WITHIN = 20.0
POLL = 0.05
SIGNAL_SLICE = 0.1
EXIT_CONFIGURATION = 78
SILENT_AFTER = 30.0
"""Seconds without a pulse after which a role counts as wedged (SIGSTOP, a lock held in foreign code) and is killed."""
LISTENING = ("intake", "orders")
"""Roles that may take over sockets that this process was handed."""
OF_THIS_PROCESS = ("WATCHDOG_USEC", "WATCHDOG_PID")
START_WITHIN = "EXTEND_TIMEOUT_USEC=60000000"
"""Told to systemd while roles start: to put a large archive right takes its time."""


@dataclass(slots=True)
class _Role:
    name: str
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    restarts: int = 0
    backoff: float = FIRST_BACKOFF
    due: float = field(default_factory=time.monotonic)
    ear: "socket.socket | None" = None
    heard: float | None = None
    ready: bool = False


class Supervisor:
    """``command(role, restarts)`` is the argument list that runs one role; ``died`` hears (role, exit code, restarts).

    A role's standard input is a pipe from this process: when this process dies, however it dies, the pipe closes and the
    role stops by itself, so that nothing is left holding a port.

    A role tells its pulse as it would tell systemd (:mod:`triage.notify`); one that has told it and then is silent for
    ``silent_after`` seconds is killed and started again. This process tells its own to whoever started it.
    """

    def __init__(
        self,
        roles: Sequence[str],
        command: Callable[[str, int], list[str]],
        died: Callable[[str, int, int], None],
        silent_after: float = SILENT_AFTER,
    ) -> None:
        self._roles = [_Role(name) for name in roles]
        self._command = command
        self._died = died
        self._silent_after = silent_after
        self._looked = time.monotonic()
        self._told = float("-inf")
        self._ready = False

    def run(self, stop: threading.Event) -> int:
        """Watch until ``stop``, then let every role drain; returns the exit code."""
        code = 0
        while not stop.wait(POLL):
            self._look()
            for role in self._roles:
                code = self._watch(role) or code
            if code:
                break
            self._tell()
        notify(STOPPING)
        return self._drain() or code

    def _look(self) -> None:
        """Whoever was paused itself, with the machine or alone, cannot say of others that they were silent."""
        now = time.monotonic()
        if now - self._looked > self._silent_after / 3:
            for role in self._roles:
                role.heard = now if role.heard is not None else None
        self._looked = now

    def _tell(self) -> None:
        """This process's own pulse; ready once each role was, or has died once: one that cannot start must not end all."""
        if time.monotonic() - self._told < PULSE.total_seconds():
            return
        self._told = time.monotonic()
        notify(ALIVE)
        if not self._ready:
            self._ready = all(role.ready or role.restarts for role in self._roles)
            notify(READY if self._ready else START_WITHIN)

    def _watch(self, role: _Role) -> int:
        now = time.monotonic()
        if role.process is None:
            if now >= role.due:
                self._start(role)
            return 0
        self._listen(role)
        exit_code = role.process.poll()
        if exit_code is None:
            if role.heard is not None and now - role.heard > self._silent_after:
                structlog.get_logger().error("role is wedged", killed=role.name, silent_seconds=round(now - role.heard, 1))
                role.process.kill()  # a stopped process dies of this alone
                role.heard = None
            return 0
        self._close(role)
        if exit_code == EXIT_CONFIGURATION and not role.restarts:
            # it said why, and never ran; at a restart it may be a passing thing, and the other roles do their work
            return EXIT_CONFIGURATION
        if now - role.started > STEADY:
            role.backoff = FIRST_BACKOFF
        role.restarts += 1
        role.due = now + role.backoff
        structlog.get_logger().error(
            "role died", died=role.name, exit_code=exit_code, restart_in_seconds=role.backoff, restarts=role.restarts
        )
        role.backoff = min(role.backoff * 2, MAX_BACKOFF)
        self._died(role.name, exit_code, role.restarts)
        return 0

    def _start(self, role: _Role) -> None:
        role.started, role.ear, role.heard, role.ready = time.monotonic(), _ear(), None, False
        address = "" if role.ear is None else "@" + role.ear.getsockname()[1:].decode("ascii")
        listens = role.name.partition("-")[0] in LISTENING
        sockets = handed_over(os.environ, os.getpid(), -1).values() if listens else ()
        dropped = OF_THIS_PROCESS if sockets else (*OF_THIS_PROCESS, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
        inherited = {name: value for name, value in os.environ.items() if name not in dropped}
        role.process = subprocess.Popen(  # noqa: S603 - our own argument list
            self._command(role.name, role.restarts),
            stdin=subprocess.PIPE,
            env=inherited | {"NOTIFY_SOCKET": address},
            pass_fds=tuple(sockets),  # they stay open here: who calls while a role starts again waits, and is answered
            start_new_session=True,  # Ctrl-C reaches this process alone, which then drains the roles in order
        )

    def _listen(self, role: _Role) -> None:
        with suppress(BlockingIOError):
            while role.ear is not None:
                said = role.ear.recv(4096).decode("utf-8", "replace").splitlines()
                role.heard = time.monotonic() if ALIVE in said else role.heard
                role.ready = role.ready or READY in said

    def _drain(self) -> int:
        for role in self._roles:
            if role.process is not None and role.process.poll() is None:
                role.process.terminate()
        deadline = time.monotonic() + STOP_WITHIN
        code = 0
        for role in self._roles:
            if role.process is None:
                continue
            try:
                role.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                structlog.get_logger().error("role did not stop in time", killed=role.name)
                role.process.kill()
                role.process.wait()
                code = 1
            self._close(role)
        return code

    @staticmethod
    def _close(role: _Role) -> None:
        if role.process is not None and role.process.stdin is not None:
            role.process.stdin.close()
        if role.ear is not None:
            role.ear.close()
        role.process, role.ear, role.heard = None, None, None


def _ear() -> "socket.socket | None":
    """Where one role tells its pulse: an abstract address that the kernel chooses; ``None``: this system has none."""
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        ear.bind("")
    except OSError:
        ear.close()
        return None
    ear.setblocking(False)
    return ear


class _StopEvent(threading.Event):
    """An event that a signal may set while the main thread waits for it.

    Handlers run in the main thread only. It may hold the event's own lock just then, so a handler that called ``set`` would
    wait for ever: :meth:`tell` takes no lock. And the kernel may give the signal to another thread, which wakes nobody: so a
    long wait is made of short ones.
    """

    told = False

    def tell(self, *_: object) -> None:
        """What the handler calls."""
        self.told = True

    def is_set(self) -> bool:
        return self.told or super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return False
            super().wait(min(left, SIGNAL_SLICE))
        return True


def stop_event(supervised: bool) -> threading.Event:
    """Set by SIGTERM or SIGINT and, when supervised, by the supervisor's end."""
    stop = _StopEvent()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.tell)
    if supervised:
        follow_supervisor()
    return stop


def follow_supervisor() -> None:
    """Send this process SIGTERM when the supervisor's end of the pipe closes."""

    def follow() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="follow-supervisor", daemon=True).start()
