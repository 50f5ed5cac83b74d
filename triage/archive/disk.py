"""This machine's disk, on which objects are received: ``incoming/<random>.part``; nothing of it counts."""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from triage.archive.age import is_older, now_of
from triage.archive.strays import PART, intake_lock
from triage.domain.errors import ArchiveAway, ConfigError, StorageFull

FREE_INODES = 64
LOOK_EVERY = 4 << 20
"""Bytes of one object after which the room on the disk is looked at again: how large it becomes, nobody says before."""
SETTLED_WITHIN = 30.0
"""Seconds to wait for another process that moves objects: a decision on one takes a second, a start with many strays longer."""


class Disk:
    """The part of an archive that is this machine's own. ``floor_bytes``: room that receiving leaves free."""

    def __init__(self, root: Path, floor_bytes: int) -> None:
        self.root = root
        self.floor_bytes = floor_bytes
        self.incoming = root / "incoming"
        self._failure: str | None = None
        self.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)

    def admit(self, expected_bytes: int) -> None:
        """Raise :class:`StorageFull` where an object cannot begin: no room, or the disk has failed before."""
        if self._failure:
            raise StorageFull(self._failure)
        self.look_for_room(expected_bytes)

    def look_for_room(self, expected_bytes: int) -> None:
        """Raise :class:`StorageFull` when so many bytes more would take the disk below its floor."""
        with self.failing():
            free_bytes = self.free_bytes()
        if free_bytes < expected_bytes:
            raise StorageFull(f"less than {self.floor_bytes} bytes would stay free on the disk of {self.root.name}/")

    def leftovers(self) -> list[str]:
        return [name for name in files_of(self.incoming) if name.endswith(PART)]

    def sweep(self, quiet: timedelta = timedelta(0)) -> list[str]:
        now = now_of(self.incoming)
        swept = [name for name in self.leftovers() if not quiet or is_older(self.incoming / name, quiet, now)]
        for name in swept:
            (self.incoming / name).unlink(missing_ok=True)
        return swept

    @contextmanager
    def settling(self) -> Iterator[None]:
        descriptor = os.open(self.incoming / "settle.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + SETTLED_WITHIN
            while not _locked(descriptor):
                if time.monotonic() > deadline:
                    raise ArchiveAway("another process has moved objects for long: the intake starts, or a decision is written")
                time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)

    def free_bytes(self) -> int:
        disk = os.statvfs(self.root)
        if disk.f_files and disk.f_favail < FREE_INODES:
            return 0
        return disk.f_bavail * disk.f_frsize - self.floor_bytes

    def failure(self) -> str | None:
        return self._failure

    def trouble(self) -> str | None:
        """What keeps films out or away at this moment, for whoever looks after the service; ``None``: nothing known."""
        return self._failure

    def failing(self) -> "_Failing":
        """A block whose operating-system errors become :class:`StorageFull`; an input/output error closes the archive."""
        return _Failing(self)

    def fail(self, reason: str) -> None:
        """Refuse everything from now on: after a failed fsync nobody knows what is on the disk; trying again would lie."""
        self._failure = reason

    def lock(self, node: str = "") -> int:
        """Hold the incoming folder for this node's intake; returns the descriptor that holds it.

        Raises:
            ConfigError: another intake of this node works on the same folder.
        """
        descriptor = os.open(self.incoming / intake_lock(node), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigError(f"another intake is running on {self.incoming}; stop it or use another --home") from None
        return descriptor


class Part:
    """An object on its way in, in a file of its own. The first half of :class:`triage.services.ports.Incoming`."""

    def __init__(self, disk: Disk, file_meta: bytes) -> None:
        self._disk = disk
        self._path = disk.incoming / f"{secrets.token_hex(16)}{PART}"
        self._digest = sha256()
        self._unlooked = LOOK_EVERY
        self._settled = False
        with disk.failing():
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            self._append(file_meta)
        except StorageFull:
            self.discard()
            raise

    def write(self, data: bytes | memoryview) -> None:
        self._unlooked -= len(data)
        if self._unlooked < 0:
            self._disk.look_for_room(LOOK_EVERY)
            self._unlooked = LOOK_EVERY
        self._append(data)
        self._digest.update(data)

    def sync(self) -> str:
        with self._disk.failing():
            os.fsync(self._descriptor)
            descriptor, self._descriptor = self._descriptor, -1  # closed once, whatever comes of it
            os.close(descriptor)
        return self._digest.hexdigest()

    def open(self) -> BinaryIO:
        return self._path.open("rb")

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
        with self._disk.failing():
            while rest:  # write(2) may be short without an error
                rest = rest[os.write(self._descriptor, rest) :]


class _Failing:
    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            name = errno.errorcode.get(error.errno or 0, "error")
            if error.errno in (errno.EIO, errno.EUCLEAN, errno.EBADMSG):
                self._disk.fail("the disk reported an input/output error; check it, then restart the intake")
            raise StorageFull(f"the disk did not take the object ({name})") from error


def sync_directory(folder: Path) -> None:
    """The names in a folder are durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def files_of(folder: Path) -> list[str]:
    """Names of the regular files of a folder, in order; without a look at any of them."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
