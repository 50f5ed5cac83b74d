"""multipart/related (RFC 2046 5.1, RFC 2387): parts written piece by piece, and read from whatever pieces come."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HEADER_BYTES = 4096
"""Of one part; beyond it there is no part."""
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_END = b"\r\n"


class Malformed(ValueError):
    """The body is not what its header says; the message repeats nothing of it."""


def is_boundary(text: str) -> bool:
    """Whether a boundary is one (RFC 2046 5.1.1)."""
    return bool(_BOUNDARY.fullmatch(text))


def head(boundary: str, content_type: str, location: str = "") -> bytes:
    """What stands before the content of a part."""
    lines = [f"--{boundary}", f"Content-Type: {content_type}", *([f"Content-Location: {location}"] if location else ())]
    return "\r\n".join(lines).encode("ascii") + 2 * _END


def written(boundary: str, parts: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """The body: of each part its Content-Type and the pieces of its content, as they are to be had."""
    for content_type, pieces in parts:
        yield head(boundary, content_type)
        yield from pieces
        yield _END
    yield f"--{boundary}--\r\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class Begin:
    """A part begins. ``headers``: names in lower case."""

    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """Some bytes of the part."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The part is whole."""


Event = Begin | Content | End


class Reader:
    """Bytes in, events out. Holds back no more than a boundary, or the headers of one part."""

    def __init__(self, boundary: str) -> None:
        self._delimiter = _END + b"--" + boundary.encode("ascii")
        self._held = bytearray(_END)  # so that a boundary at the very beginning is one like the others
        self._read = self._preamble
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """What the next bytes bring.

        Raises:
            Malformed: these are no parts.
        """
        self._held += data
        while (event := self._read()) is not None:
            if not isinstance(event, _Again):
                yield event

    def close(self) -> None:
        """Nothing more comes.

        Raises:
            Malformed: the last boundary was missing.
        """
        if not self._ended:
            raise Malformed("the last boundary is missing")

    def _preamble(self) -> "Event | _Again | None":
        place = self._held.find(self._delimiter)
        if place < 0:
            del self._held[: max(0, len(self._held) - len(self._delimiter))]
            return None
        del self._held[: place + len(self._delimiter)]
        return self._then(self._after_boundary)

    def _after_boundary(self) -> "Event | _Again | None":
        """Two hyphens, or spaces and the end of the line (RFC 2046 5.1.1)."""
        if self._held[:2] == b"--":
            self._ended = True
            return self._then(self._epilogue)
        place = self._held.find(_END)
        if place < 0:
            if len(self._held) > HEADER_BYTES:
                raise Malformed("a boundary without an end")
            return None
        if self._held[:place].strip(b" \t"):
            raise Malformed("something stands behind a boundary")
        del self._held[:place]  # the end of the line stays: where there are no headers, it begins the empty line
        return self._then(self._headers)

    def _headers(self) -> "Event | _Again | None":
        place = self._held.find(2 * _END)
        if place < 0 or place > HEADER_BYTES:
            if len(self._held) > HEADER_BYTES:
                raise Malformed("the headers of a part are too long")
            return None
        headers = _headers_of(bytes(self._held[:place]))
        del self._held[: place + 2 * len(_END)]
        self._read = self._content
        return Begin(headers)

    def _content(self) -> "Event | _Again | None":
        place = self._held.find(self._delimiter)
        if place >= 0:
            data = bytes(self._held[:place])
            if data:
                del self._held[:place]
                return Content(data)
            del self._held[: len(self._delimiter)]
            self._read = self._after_boundary
            return End()
        ready = len(self._held) - len(self._delimiter)
        if ready <= 0:
            return None
        data = bytes(self._held[:ready])
        del self._held[:ready]
        return Content(data)

    def _epilogue(self) -> None:
        self._held.clear()

    def _then(self, step: object) -> "_Again":
        self._read = step  # type: ignore[assignment]
        return _AGAIN


class _Again:
    """The next step has something to do."""


_AGAIN = _Again()


def _headers_of(block: bytes) -> dict[str, str]:
    try:
        lines = block.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise Malformed("the headers of a part are not text") from None
    found: dict[str, str] = {}
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise Malformed("a line among the headers of a part is none")
        found[name.strip().lower()] = value.strip()
    return found
