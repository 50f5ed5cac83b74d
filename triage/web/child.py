"""A child process that works on films: one that kills a decoder, or keeps it for ever, takes no page with it.

Both sides say a line of JSON and the bytes that it announces (``sizes``); never a pickle, as a child that decodes hostile
films is not to be trusted either.
"""

import json
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeVar

from triage.domain.errors import AssessmentError, PixelError
from triage.domain.reason import Reason

MEMORY_BYTES = 4 << 30
LINE_BYTES = 4096
MOST_PARTS = 16

T = TypeVar("T")
Said = tuple[dict[str, Any], list[bytes]]
"""What one side says: an object, and the bytes that go with it."""


class Child:
    """One child at a time, started when it is needed, replaced when it has died or was too slow. Thread-safe."""

    def __init__(self, command: tuple[str, ...], deadline_seconds: float, most_bytes: int) -> None:
        """``most_bytes``: more than all parts of an answer have; of a child that says more nothing is read."""
        self._command = command
        self._deadline = deadline_seconds
        self._most = most_bytes
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, question: Mapping[str, Any], film: bytes, understand: Callable[[dict[str, Any], list[bytes]], T]) -> T:
        """What ``understand`` makes of the answer; what it raises of the kinds below means that the child talks nonsense.

        Raises:
            PixelError: the child gives a reason; ``timed_out`` when it took longer than the deadline.
        """
        with self._lock:
            child = self._running()
            overdue = threading.Event()

            def too_late() -> None:
                overdue.set()
                child.kill()

            timer = threading.Timer(self._deadline, too_late)
            timer.start()
            try:
                assert child.stdin is not None
                assert child.stdout is not None
                _say(child.stdin, question, [film])
                answer, parts = _hear(child.stdout, self._most)
                if "reason" in answer:
                    raise PixelError(Reason.from_code(answer["reason"]))
                return understand(answer, parts)
            except (
                OSError,
                EOFError,
                ValueError,
                KeyError,
                TypeError,
                RecursionError,
            ):  # it died, or talks what was not agreed
                self._end()
                if overdue.is_set():
                    raise PixelError(Reason.TIMED_OUT, "it took too long") from None
                raise PixelError(Reason.CANNOT_DECODE, "the decoder died of this film") from None
            finally:
                timer.cancel()

    def close(self) -> None:
        """End the child, whatever it does."""
        if child := self._child:
            child.kill()
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._end()
            self._child = subprocess.Popen(  # noqa: S603 - our own argument list
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a decoder's complaint may quote the film
            )
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            for stream in (self._child.stdin, self._child.stdout):
                try:
                    stream.close()  # type: ignore[union-attr]
                except BrokenPipeError:  # what was not taken is not wanted any more
                    continue
            self._child.wait()
            self._child = None


def work(answer: Callable[[dict[str, Any], bytes], Said]) -> None:
    """The child's life: one question after the other, until nobody asks any more. ``answer`` may raise anything."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then closes the pipe
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the film
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            question, (film,) = _hear(source, sys.maxsize)
        except EOFError:
            return
        try:
            said, parts = answer(question, film)
        except AssessmentError as error:
            said, parts = {"reason": error.reason.code}, []
        except Exception:  # nobody foresaw it, MemoryError among them; the film cannot be shown
            said, parts = {"reason": Reason.CANNOT_DECODE.code}, []
        _say(sink, said, parts)


def _say(sink: IO[bytes], said: Mapping[str, Any], parts: list[bytes]) -> None:
    sink.write(json.dumps({**said, "sizes": [len(part) for part in parts]}).encode() + b"\n")
    for part in parts:
        sink.write(part)
    sink.flush()


def _hear(source: IO[bytes], most_bytes: int) -> Said:
    said = json.loads(source.readline(LINE_BYTES) or "null")
    if said is None:
        raise EOFError
    if not isinstance(said, dict):
        raise TypeError("not an object")
    return said, [_read(source, size) for size in _sizes(said.get("sizes", []), most_bytes)]


def _sizes(said: Any, most_bytes: int) -> list[int]:
    """How many bytes follow, part by part; a read of -1 would have no end, and many parts add up."""
    if not isinstance(said, list) or len(said) > MOST_PARTS or not all(type(size) is int and size >= 0 for size in said):
        raise ValueError("not sizes")
    if sum(said) > most_bytes:
        raise ValueError("too much")
    return said


def _read(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) != size:
        raise EOFError
    return data
