"""Making previews in a process of its own: a film that kills a decoder, or keeps it for ever, takes no page with it.

The child reads (length, object) and answers with a line of JSON and the bytes that it announces; never a pickle, as a child
that decodes hostile films is not to be trusted either.
"""

import json
import resource
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import IO

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging.header import read_dataset
from triage.imaging.preview import png, preview

DEADLINE_SECONDS = 10.0
MEMORY_BYTES = 4 << 30
ANSWER_BYTES = 4096
PRINT_BYTES = 8 << 20
"""More than the values or the picture of any preview; what a child says beyond it is not read."""
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A preview without its pixels; see :class:`triage.imaging.preview.Preview`."""

    width: int
    height: int
    rows: int
    columns: int
    slope: float
    intercept: float
    low: float
    high: float
    inverted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A finished preview. ``raw``: 16-bit values, little endian, row by row; ``png``: 8 bit, under the default window."""

    facts: Facts
    raw: bytes
    png: bytes


class Darkroom:
    """One child at a time, started when it is needed, replaced when it has died or was too slow."""

    def __init__(self, deadline_seconds: float = DEADLINE_SECONDS, command: tuple[str, ...] | None = None) -> None:
        self._deadline = deadline_seconds
        self._command = command or (sys.executable, "-m", __name__)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def develop(self, film: bytes) -> Print:
        """The preview of a file object.

        Raises:
            PixelError: there is none, with the reason; ``timed_out`` when it took longer than the deadline.
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
                return _ask(child, film)
            except (OSError, EOFError, ValueError, KeyError, TypeError):  # it died, or talks what was not agreed
                self._end()
                if overdue.is_set():
                    raise PixelError(Reason.TIMED_OUT, "the preview took too long") from None
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


def _ask(child: subprocess.Popen[bytes], film: bytes) -> Print:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(_LENGTH.pack(len(film)))
    child.stdin.write(film)
    child.stdin.flush()
    answer = json.loads(child.stdout.readline(ANSWER_BYTES) or "null")
    if answer is None:
        raise EOFError
    if "reason" in answer:
        raise PixelError(Reason.from_code(answer["reason"]))
    raw, picture = (_read(child.stdout, min(size, PRINT_BYTES)) for size in answer["sizes"])
    return Print(facts=Facts(**answer["facts"]), raw=raw, png=picture)


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _develop(data: bytes) -> Print:
    film = preview(read_dataset(BytesIO(data)))
    values = film.values
    names = ("rows", "columns", "slope", "intercept", "low", "high", "inverted")
    facts = Facts(**{name: getattr(film, name) for name in names}, height=values.shape[0], width=values.shape[1])
    return Print(facts=facts, raw=values.astype("<u2").tobytes(), png=png(film))


def _work(source: IO[bytes], sink: IO[bytes]) -> None:
    """The child's life: one film after the other, until nobody asks any more."""
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        data = source.read(_LENGTH.unpack(head)[0])
        try:
            made = _develop(data)
        except PixelError as error:
            sink.write(json.dumps({"reason": error.reason.code}).encode() + b"\n")
        except Exception:  # nobody foresaw it, MemoryError among them; the film cannot be shown
            sink.write(json.dumps({"reason": Reason.CANNOT_DECODE.code}).encode() + b"\n")
        else:
            head = json.dumps({"facts": asdict(made.facts), "sizes": [len(made.raw), len(made.png)]}).encode()
            sink.write(head + b"\n" + made.raw + made.png)
        sink.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then closes the pipe
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the film
    _work(sys.stdin.buffer, sys.stdout.buffer)
