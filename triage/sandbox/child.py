"""The service's side: ask, wait no longer than the deadline, believe nothing, start another server when one is gone."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from io import UnsupportedOperation
from typing import Any, BinaryIO, TypeVar

import structlog

from triage.domain.errors import DeadlyFilm, FilmsUnavailable, PixelError
from triage.domain.reason import Reason
from triage.sandbox.wire import LINE_BYTES, Overdue, messages, read_to_end, receive, send, write

COMMAND = (sys.executable, "-m", "triage.sandbox")
READY_WITHIN = 120.0
"""Seconds in which a server has loaded its libraries, on a machine that is busy with other things, too."""
GRACE = 5.0
"""So much longer than its child a server may take before it counts as hung."""
COMPLAINTS_TOLD = 20
"""Lines of a traceback that are logged when a server does not start."""
CAUSE_CHARACTERS = 200
KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "TZ")
"""Of the environment, beside what begins with LC_ or PYTHON: secrets of the service stand there as well."""

T = TypeVar("T")
Understand = Callable[[dict[str, Any], list[bytes]], T]
NONSENSICAL = (ValueError, KeyError, TypeError, RecursionError, OverflowError)
"""What is raised where an answer is not believed."""


class Child:
    """One server at a time, started when needed, replaced when it has died or hangs. Thread-safe; one question at a time."""

    def __init__(
        self, deadline_seconds: float, most_bytes: int, command: tuple[str, ...] = COMMAND, *, grace_seconds: float = GRACE
    ) -> None:
        """``most_bytes``: more than an answer has; of one that has more nothing is believed."""
        self._deadline = deadline_seconds
        self._grace = grace_seconds
        self._most = most_bytes + LINE_BYTES
        self._command = command
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The server's process, if there is one."""
        return self._server.process.pid if self._server else None

    def start(self) -> None:
        """Start the server, so that the first question need not wait for it."""
        with self._lock:
            self._running()

    def ready(self) -> bool:
        """Whether a question would be answered at once. Starts a server where there is none, and does not wait for it.

        Raises:
            FilmsUnavailable: it does not start; the next call tries another.
        """
        with self._lock:
            return self._asked_to_be_ready(time.monotonic())[1]

    def ask(
        self, question: Mapping[str, Any], film: BinaryIO | bytes, understand: Understand[T], seconds: float | None = None
    ) -> T:
        """What ``understand`` makes of the answer. The film is handed over as an open file, and read from its first byte.

        In the answer ``reason`` stands where there is no more: said by the child, or because it died (``cannot_decode``) or
        took longer than ``seconds`` (default: the deadline; ``timed_out``). A server parses nothing: when it dies, a second
        one is asked, and then a third about a film of no bytes. What ``understand`` raises of :data:`NONSENSICAL` means that
        the child talks nonsense.

        Raises:
            PixelError: cannot_decode: nonsense; or what ``understand`` raises.
            FilmsUnavailable: no server starts, forks, or lives, or the service ends: the film is not at fault.
            DeadlyFilm: two servers died, and one that had no film lives: it may be.
        """
        within = self._deadline if seconds is None else seconds
        with _Opened(film) as descriptor, self._lock:  # what has to be fetched first keeps nobody waiting
            answer, parts, strange = self._heard(question, descriptor, within)
            try:
                if strange:
                    raise ValueError("nonsense")
                return understand(answer, parts)
            except NONSENSICAL:
                self._end()
                structlog.get_logger().warning("a film's child talks nonsense", task=question["do"])
                raise PixelError(Reason.CANNOT_DECODE, "the decoder talks nonsense") from None

    def close(self) -> None:
        """End the server, whatever it does."""
        self._closing = True
        if server := self._server:
            server.process.kill()
        with self._lock:
            self._end()
            self._closing = False

    def _heard(self, question: Mapping[str, Any], film: int, seconds: float) -> tuple[dict[str, Any], list[bytes], bool]:
        """(answer, its parts, whether it is nonsense)."""
        for _ in (1, 2):
            if heard := self._once(question, film, seconds):
                return heard
        with _Opened(b"") as nothing:
            if self._once(question, nothing, seconds):
                raise DeadlyFilm("the processes in which films are opened die of this one")
        raise FilmsUnavailable("the processes in which films are opened die")

    def _once(self, question: Mapping[str, Any], film: int, seconds: float) -> tuple[dict[str, Any], list[bytes], bool] | None:
        """As :meth:`_heard`, of one server; ``None``: it died."""
        log = structlog.get_logger().bind(task=question["do"])
        server, _ = self._asked_to_be_ready()
        try:
            data, ended = server.ask({**question, "seconds": seconds}, film, seconds + self._grace, self._most)
        except Overdue:
            self._end()
            log.warning("a film's server hangs", seconds=seconds)
            return {"reason": Reason.TIMED_OUT.code}, [], False
        except (EOFError, OSError, ValueError, KeyError):
            self._end()
            if self._closing:
                raise FilmsUnavailable("the service ends") from None
            log.warning("a film's server died")
            return None
        whole = not (ended["late"] or ended["signal"] or ended["code"])
        try:
            answer, parts = messages(data, whole=whole)
        except NONSENSICAL:
            return {}, [], True
        if not whole:
            late = ended["late"] or ended["signal"] == signal.SIGXCPU
            log.warning("a film's child was ended" if late else "a film's child died", **ended)
            answer["reason"] = (Reason.TIMED_OUT if late else Reason.CANNOT_DECODE).code
        return answer, parts, False

    def _asked_to_be_ready(self, until: float | None = None) -> tuple["_Server", bool]:
        server = self._running()
        try:
            return server, server.wait_until_ready(until)
        except FilmsUnavailable:
            self._end()
            raise

    def _running(self) -> "_Server":
        if self._server is not None and self._server.died_after_it_was_ready():
            self._end()
        if self._server is None:
            try:
                self._server = _Server(self._command)
            except OSError as error:
                raise _unavailable(error) from None
        return self._server

    def _end(self) -> None:
        if self._server is not None:
            self._server.end()
            self._server = None


class _Server:
    """One process and the socket to it."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.control, theirs = socket.socketpair()
        with theirs, ExitStack() as unless_started:
            unless_started.callback(self.control.close)
            self._complaints = os.memfd_create("complaints")
            unless_started.callback(os.close, self._complaints)
            self._ready_by = time.monotonic() + READY_WITHIN
            self.process = subprocess.Popen(  # noqa: S603 - our own argument list
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,  # until it is ready: later a decoder's complaint may quote a film (server.py)
                env=_environment(),
                start_new_session=True,  # a signal to the service's group is the service's to obey
            )
            unless_started.pop_all()
        self._ready = False

    def died_after_it_was_ready(self) -> bool:
        """One that died before has a cause to tell: :meth:`wait_until_ready` raises it."""
        return self._ready and self.process.poll() is not None

    def wait_until_ready(self, until: float | None = None) -> bool:
        """Whether its libraries are loaded; waits ``until`` then (of the monotonic clock), by default as long as it may take.

        Raises:
            FilmsUnavailable: it does not come to it; says why.
        """
        if not self._ready:
            try:
                receive(self.control, self._ready_by if until is None else min(until, self._ready_by))
            except Overdue:
                if time.monotonic() < self._ready_by:
                    return False
                raise self._not_started(f"it said nothing for {READY_WITHIN:.0f} s") from None
            except (EOFError, OSError, ValueError):
                raise self._not_started("it ended, or said nonsense, before it was ready") from None
            self._ready = True
        return True

    def _not_started(self, otherwise: str) -> FilmsUnavailable:
        """The error that says why, by the last line of a traceback where there is one. No film was handed over yet."""
        said = os.pread(self._complaints, LINE_BYTES, max(0, os.fstat(self._complaints).st_size - LINE_BYTES))
        lines = [line for line in said.decode("utf-8", errors="replace").splitlines() if line.strip()]
        structlog.get_logger().error("the process in which films are opened does not start", said=lines[-COMPLAINTS_TOLD:])
        cause = lines[-1].strip()[:CAUSE_CHARACTERS] if lines else otherwise
        return FilmsUnavailable(f"the process in which films are opened does not start: {cause}")

    def ask(self, question: Mapping[str, Any], film: int, seconds: float, most_bytes: int) -> tuple[bytes, dict[str, Any]]:
        """(what the child said, how it ended).

        Raises:
            Overdue: nothing was to be had in time.
            EOFError, OSError: the server is gone.
            FilmsUnavailable: there is no room for a pipe here, or for a process there.
        """
        deadline = time.monotonic() + seconds
        try:
            source, sink = os.pipe()
        except OSError as error:
            raise _unavailable(error) from None
        try:
            try:
                send(self.control, question, [film, sink])
            finally:
                os.close(sink)
            try:
                data = read_to_end(source, most_bytes, deadline)
            except ValueError:
                data = b"\n"  # no message
        finally:
            os.close(source)
        ended, _ = receive(self.control, deadline)
        if "unable" in ended:
            raise FilmsUnavailable("there is no room for a process that opens a film")
        return data, {"late": bool(ended["late"]), "signal": int(ended["signal"]), "code": int(ended["code"])}

    def end(self) -> None:
        """Kill and reap."""
        self.process.kill()
        self.process.wait()
        self.control.close()
        os.close(self._complaints)


class _Opened:
    """A film as an open file: its own, or memory that has its bytes."""

    def __init__(self, film: BinaryIO | bytes) -> None:
        self._film = film
        self._own: int | None = None

    def __enter__(self) -> int:
        if not isinstance(self._film, bytes):
            try:
                return self._film.fileno()
            except (UnsupportedOperation, OSError, AttributeError):
                self._film.seek(0)
        data = self._film if isinstance(self._film, bytes) else self._film.read()
        try:
            self._own = os.memfd_create("film")
            write(self._own, [data])
        except OSError as error:
            self.__exit__()
            raise _unavailable(error) from None
        return self._own

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            os.close(self._own)


def _unavailable(error: OSError) -> FilmsUnavailable:
    """What the machine has not got, or what was installed wrongly, is no film's fault."""
    return FilmsUnavailable(f"the process in which films are opened cannot be started or asked: {error.strerror}")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(("LC_", "PYTHON"))}
    return {**kept, "OPENBLAS_NUM_THREADS": "1"}  # its threads would be lost by forking, and cost address space
