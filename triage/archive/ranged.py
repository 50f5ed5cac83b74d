"""An object of a store as a stream that can be sought in: read in pieces as they are asked for."""

import os
from collections.abc import Callable
from io import BufferedReader, RawIOBase
from typing import BinaryIO, cast

HEAD = 64 << 10
"""Bytes of the first piece: a header is read without its pixels."""
PIECE = 8 << 20
"""Bytes of every other one."""

Read = Callable[[int, int], bytes]
"""Gives the bytes from the first place up to, not with, the second."""


def ranged(size: int, read: Read) -> BinaryIO:
    """An object of ``size`` bytes as a file is; one piece of it is held at a time."""
    return cast(BinaryIO, BufferedReader(_Ranged(size, read), 1 << 16))


class _Ranged(RawIOBase):
    def __init__(self, size: int, read: Read) -> None:
        self._size, self._read = size, read
        self._at = self._start = 0
        self._piece = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        if self._at >= self._size or not len(buffer):
            return 0
        if not self._start <= self._at < self._start + len(self._piece):
            end = self._at + (PIECE if self._at or len(buffer) > HEAD else HEAD)
            self._piece, self._start = self._read(self._at, min(end, self._size)), self._at
            if not self._piece:
                raise OSError("an object ended before its end")
        data = self._piece[self._at - self._start :][: len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at
