"""Objects on a file system: ``.part`` -> fsync -> rename -> fsync of the directory.

::

    instances/incoming/<random>.part     being received; nothing of it counts
    instances/objects/ab/abcd….dcm       kept, named by the SHA-256 of the data set
    instances/quarantine/abcd….dcm       set aside, never indexed

The order is the one that lost nothing under power cuts and kills at every system call; see
``docs/decisions/0001-success-means-durable.md``.
"""

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from triage.archive.part10 import data_set_offset
from triage.domain.errors import ConfigError, StorageFull
from triage.domain.identifiers import is_digest

PART = ".part"
SUFFIX = ".dcm"
FREE_INODES = 64
CHUNK = 1 << 20
LOOK_EVERY = 4 << 20
"""Bytes of one object after which the room on the disk is looked at again: how large it becomes, nobody says before."""


class FileArchive:
    """See :class:`triage.services.ports.Archive`. ``floor_bytes``: room that receiving leaves free on the disk."""

    def __init__(self, root: Path, floor_bytes: int) -> None:
        self.root = root
        self.floor_bytes = floor_bytes
        self.incoming = root / "incoming"
        self.objects = root / "objects"
        self.aside = root / "quarantine"
        self._failure: str | None = None
        for folder in (self.incoming, self.objects, self.aside):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # all at once: made on demand, one receiver could use a folder whose entry another has not synced yet
        for number in range(256):
            (self.objects / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
        _sync_directory(self.objects)
        _sync_directory(root)
        _sync_directory(root.parent)

    def receive(self, file_meta: bytes, expected_bytes: int) -> "FileIncoming":
        if self._failure:
            raise StorageFull(self._failure)
        self.look_for_room(expected_bytes)
        return FileIncoming(self, file_meta)

    def look_for_room(self, expected_bytes: int) -> None:
        """Raise :class:`StorageFull` when so many bytes more would take the disk below its floor."""
        with self.failing():
            free_bytes = self.free_bytes()
        if free_bytes < expected_bytes:
            raise StorageFull(f"less than {self.floor_bytes} bytes would stay free on the disk of {self.root.name}/")

    def open(self, digest: str) -> BinaryIO:
        return self.path(digest).open("rb")

    def path(self, digest: str) -> Path:
        """Where a kept object lies. No text from a data set takes part in it."""
        if not is_digest(digest):
            raise FileNotFoundError("not a digest")
        return self.objects / digest[:2] / f"{digest}{SUFFIX}"

    def holds(self, digest: str) -> bool:
        return is_digest(digest) and self.path(digest).is_file()

    def is_intact(self, digest: str) -> bool:
        try:
            with self.open(digest) as stream:
                # what memory remembers of the file proves nothing: have it read from the disk
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                stream.seek(data_set_offset(stream))
                found = sha256()
                while chunk := stream.read(CHUNK):
                    found.update(chunk)
        except (OSError, ValueError):
            return False
        return found.hexdigest() == digest

    def digests(self) -> Iterator[str]:
        for path in sorted(self.objects.glob(f"*/*{SUFFIX}")):
            yield path.stem

    def digests_aside(self) -> Iterator[str]:
        for path in sorted(self.aside.glob(f"*{SUFFIX}")):
            yield path.stem

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.incoming.glob(f"*{PART}"))

    def sweep(self) -> list[str]:
        swept = self.leftovers()
        for name in swept:
            (self.incoming / name).unlink(missing_ok=True)
        return swept

    def set_aside(self, digest: str) -> None:
        with self.failing(), suppress(FileNotFoundError):
            self.path(digest).rename(self.aside / f"{digest}{SUFFIX}")
            _sync_directory(self.aside)
            _sync_directory(self.objects / digest[:2])

    def drop_aside(self, digest: str) -> None:
        if is_digest(digest):
            with self.failing():
                (self.aside / f"{digest}{SUFFIX}").unlink(missing_ok=True)
                _sync_directory(self.aside)

    def free_bytes(self) -> int:
        disk = os.statvfs(self.root)
        if disk.f_files and disk.f_favail < FREE_INODES:
            return 0
        return disk.f_bavail * disk.f_frsize - self.floor_bytes

    def failure(self) -> str | None:
        return self._failure

    def failing(self) -> "_Failing":
        """A block whose operating-system errors become :class:`StorageFull`; an input/output error closes the archive."""
        return _Failing(self)

    def fail(self, reason: str) -> None:
        """Refuse everything from now on: after a failed fsync nobody knows what is on the disk; trying again would lie."""
        self._failure = reason

    def lock(self) -> int:
        """Hold the incoming folder for this process; returns the descriptor that holds it.

        Raises:
            ConfigError: another intake works on the same folder.
        """
        descriptor = os.open(self.incoming / "intake.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise ConfigError(f"another intake is running on {self.incoming}; stop it or use another --home") from None
        return descriptor


class FileIncoming:
    """See :class:`triage.services.ports.Incoming`."""

    def __init__(self, archive: FileArchive, file_meta: bytes) -> None:
        self._archive = archive
        self._path = archive.incoming / f"{secrets.token_hex(16)}{PART}"
        self._digest = sha256()
        self._unlooked = LOOK_EVERY
        self._settled = False
        with archive.failing():
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            self._append(file_meta)
        except StorageFull:
            self.discard()
            raise

    def write(self, data: bytes | memoryview) -> None:
        self._unlooked -= len(data)
        if self._unlooked < 0:
            self._archive.look_for_room(LOOK_EVERY)
            self._unlooked = LOOK_EVERY
        self._append(data)
        self._digest.update(data)

    def sync(self) -> str:
        with self._archive.failing():
            os.fsync(self._descriptor)
            os.close(self._descriptor)
        self._descriptor = -1
        return self._digest.hexdigest()

    def open(self) -> BinaryIO:
        return self._path.open("rb")

    def keep(self) -> None:
        digest = self._digest.hexdigest()
        folder = self._archive.objects / digest[:2]
        with self._archive.failing():
            if self._archive.is_intact(digest):
                # the same bytes once more, perhaps under another transfer syntax: the first file stays as it is
                _sync_directory(folder)
                self.discard()
                return
            self._path.rename(folder / f"{digest}{SUFFIX}")
            self._settled = True
            _sync_directory(folder)

    def quarantine(self) -> None:
        with self._archive.failing():
            self._path.rename(self._archive.aside / f"{self._digest.hexdigest()}{SUFFIX}")
            self._settled = True
            _sync_directory(self._archive.aside)

    def discard(self) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1
        if not self._settled:
            self._settled = True
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _append(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        with self._archive.failing():
            while rest:  # write(2) may be short without an error
                rest = rest[os.write(self._descriptor, rest) :]


class _Failing:
    def __init__(self, archive: FileArchive) -> None:
        self._archive = archive

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            name = errno.errorcode.get(error.errno or 0, "error")
            if error.errno == errno.EIO:
                self._archive.fail("the disk reported an input/output error; check it, then restart the intake")
            raise StorageFull(f"the disk did not take the object ({name})") from error


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
