"""``triage serve``: starts the roles, each its own process, watches them, starts again what died."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

FIRST_BACKOFF = 0.2
MAX_BACKOFF = 10.0
STEADY = 30.0
"""Seconds after which a role counts as steady again and its backoff starts over."""
STOP_WITHIN = 20.0
POLL = 0.05
SIGNAL_SLICE = 0.1
EXIT_CONFIGURATION = 78


@dataclass(slots=True)
class _Role:
    name: str
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    restarts: int = 0
    backoff: float = FIRST_BACKOFF
    due: float = field(default_factory=time.monotonic)


class Supervisor:
    """``command(role, restarts)`` is the argument list that runs one role; ``died`` hears (role, exit code, restarts).

    A role's standard input is a pipe from this process: when this process dies, however it dies, the pipe closes and the
    role stops by itself, so that nothing is left holding a port.
    """

    def __init__(
        self, roles: Sequence[str], command: Callable[[str, int], list[str]], died: Callable[[str, int, int], None]
    ) -> None:
        self._roles = [_Role(name) for name in roles]
        self._command = command
        self._died = died

    def run(self, stop: threading.Event) -> int:
        """Watch until ``stop``, then let every role drain; returns the exit code."""
        code = 0
        while not stop.wait(POLL):
            for role in self._roles:
                code = self._watch(role) or code
            if code:
                break
        return self._drain() or code

    def _watch(self, role: _Role) -> int:
        now = time.monotonic()
        if role.process is None:
            if now >= role.due:
                self._start(role)
            return 0
        exit_code = role.process.poll()
        if exit_code is None:
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
        role.started = time.monotonic()
        role.process = subprocess.Popen(  # noqa: S603 - our own argument list
            self._command(role.name, role.restarts),
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then drains the roles in order
        )

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
        role.process = None


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
