"""Which name the bytes of a file ask for, and whether a file can be trusted to be one."""

import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from triage.archive.part10 import data_set_offset

CHUNK = 1 << 20


def opened(path: Path) -> BinaryIO:
    """A regular file, for reading; no link is followed at its end.

    Raises:
        FileNotFoundError: nothing is there, or something else than a file.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise FileNotFoundError(path.name)
    # NONBLOCK: should a pipe have taken its place meanwhile, nobody waits for its other end
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def is_file(path: Path) -> bool:
    """Whether a regular file lies there, no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def whole_digest(stream: BinaryIO) -> str:
    """SHA-256 of all bytes."""
    stream.seek(0)
    return _rest(stream)


def data_set_digest(stream: BinaryIO) -> str | None:
    """SHA-256 of the data set of a Part 10 object; ``None``: it is none, or has no data set."""
    stream.seek(0)
    try:
        offset = data_set_offset(stream)
    except ValueError:
        return None
    if offset >= stream.seek(0, os.SEEK_END):
        return None
    stream.seek(offset)
    return _rest(stream)


def from_disk(stream: BinaryIO) -> BinaryIO:
    """The same, but read from the disk: what the memory still holds says nothing of the disk."""
    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return stream


def _rest(stream: BinaryIO) -> str:
    found = sha256()
    while chunk := stream.read(CHUNK):
        found.update(chunk)
    return found.hexdigest()
