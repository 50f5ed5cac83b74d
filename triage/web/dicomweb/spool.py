"""A body on its way in: a file without a name that is gone with its last handle, and where in it each object lies."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from triage.domain.errors import StorageFull
from triage.web.dicomweb.accept import content_type
from triage.web.dicomweb.multipart import Begin, Content, Reader

DICOM = "application/dicom"
MOST_OBJECTS = 100
"""Objects in one body; a study has fewer films."""
LOOK_EVERY = 4 << 20
"""Bytes after which the room on the disk is looked at again."""

Room = Callable[[int], None]
"""Raises StorageFull where so many bytes more do not fit."""


class TooLarge(Exception):
    """More than may come at once; the message says what."""


class WrongType(Exception):
    """A part is no DICOM object."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """Where an object lies."""

    start: int
    size: int


class Spool:
    """One body. ``most_bytes``: of all of it; ``room``: looked at as it grows."""

    def __init__(self, folder: Path, most_bytes: int, room: Room) -> None:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - this is the context manager
        except OSError as error:
            raise StorageFull("there is no room for what comes in") from error
        self._most, self._room = most_bytes, room
        self._size = self._looked = 0
        room(LOOK_EVERY)

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            TooLarge: more than may come.
            StorageFull: no room.
        """
        self._size += len(data)
        if self._size > self._most:
            raise TooLarge(f"more than {self._most} bytes came in")
        if self._size - self._looked > LOOK_EVERY:
            self._room(LOOK_EVERY)
            self._looked = self._size
        rest = memoryview(data)
        try:
            while rest:  # write(2) may be short without an error
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            raise StorageFull("the disk did not take what comes in") from error

    def open(self, one: Spooled) -> BinaryIO:
        """An object, from its first byte."""
        return cast(BinaryIO, BufferedReader(_Slice(self._file.fileno(), one), 1 << 16))

    def taking(self, reader: Reader | None) -> "Taking":
        """Takes the body apart; without a reader it is one object."""
        return Taking(self, reader)


class Taking:
    """The body as it comes, part after part."""

    def __init__(self, spool: Spool, reader: Reader | None) -> None:
        self._spool, self._reader = spool, reader
        self._objects: list[Spooled] = []
        self._start = 0

    def feed(self, data: bytes) -> None:
        """The next bytes.

        Raises:
            Malformed, WrongType, TooLarge, StorageFull: see there.
        """
        if self._reader is None:
            self._spool.write(data)
            return
        for event in self._reader.feed(data):
            if isinstance(event, Content):
                self._spool.write(event.data)
            elif isinstance(event, Begin):
                self._begin(event)
            else:
                self._objects.append(Spooled(self._start, self._spool.size - self._start))

    def close(self) -> list[Spooled]:
        """Nothing more comes; the objects.

        Raises:
            Malformed: the end is missing.
        """
        if self._reader is None:
            return [Spooled(0, self._spool.size)]
        self._reader.close()
        return self._objects

    def _begin(self, part: Begin) -> None:
        media_type, _ = content_type(part.headers.get("content-type", DICOM))
        if media_type != DICOM:
            raise WrongType(f"a part is not {DICOM}")
        if len(self._objects) >= MOST_OBJECTS:
            raise TooLarge(f"more than {MOST_OBJECTS} objects came in")
        self._start = self._spool.size


class _Slice(RawIOBase):
    """A piece of an open file, with a place and a handle of its own: a server that ends closes the file while one reads."""

    def __init__(self, descriptor: int, one: Spooled) -> None:
        self._descriptor, self._one, self._at = os.dup(descriptor), one, 0

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._one.size - self._at)
        data = os.pread(self._descriptor, wanted, self._one.start + self._at) if wanted > 0 else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._one.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at
