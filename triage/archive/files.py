"""Objects on a file system: ``.part`` -> fsync -> rename -> fsync of the directory.

::

    instances/incoming/<random>.part     being received; nothing of it counts
    instances/objects/ab/abcd….dcm       kept, named by the SHA-256 of the data set
    instances/quarantine/abcd….dcm       set aside, not indexed; named by what it holds

The order is the one that lost nothing under power cuts and kills at every system call; see
``docs/decisions/0001-success-means-durable.md``.
"""

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
from triage.archive.content import data_set_digest, from_disk, is_file, opened, whole_digest
from triage.archive.strays import PART, SUFFIX, digest_in, intake_lock, strays
from triage.domain.errors import ArchiveAway, ConfigError, StorageFull
from triage.domain.fault import Fault
from triage.domain.identifiers import DIGEST_PREFIXES, digest_of, is_digest
from triage.domain.stray import Kind, Stray

FREE_INODES = 64
LOOK_EVERY = 4 << 20
"""Bytes of one object after which the room on the disk is looked at again: how large it becomes, nobody says before."""
SETTLED_WITHIN = 30.0
"""Seconds to wait for another process that moves objects: a decision on one takes a second, a start with many strays longer."""
BROKEN = (errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA)
"""What a disk answers that knows its bytes to be bad; anything else says nothing about the film."""


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
        for prefix in DIGEST_PREFIXES:
            (self.objects / prefix).mkdir(mode=0o700, exist_ok=True)
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
        return opened(self.path(digest))

    def path(self, digest: str) -> Path:
        """Where a kept object lies. No text from a data set takes part in it."""
        if not is_digest(digest):
            raise FileNotFoundError("not a digest")
        return self.objects / digest[:2] / f"{digest}{SUFFIX}"

    def holds(self, digest: str) -> bool:
        return is_digest(digest) and is_file(self.path(digest))

    def is_intact(self, digest: str) -> bool:
        try:
            return self.fault(digest) is None
        except ArchiveAway:
            return False

    def fault(self, digest: str) -> Fault | None:
        try:
            with self.open(digest) as stream:
                return None if data_set_digest(from_disk(stream)) == digest else Fault.DAMAGED
        except FileNotFoundError:
            if is_digest(digest) and not (self.objects / digest[:2]).is_dir():
                raise ArchiveAway("the archive's folders are not there; is its disk mounted?") from None
            return Fault.MISSING
        except OSError as error:
            if error.errno in BROKEN:
                return Fault.DAMAGED
            raise ArchiveAway(f"a film cannot be read ({errno.errorcode.get(error.errno or 0, 'error')})") from error

    def digests(self, prefix: str = "") -> Iterator[str]:
        for folder in DIGEST_PREFIXES:
            if folder.startswith(prefix[:2]):
                for name in _files(self.objects / folder):
                    if (digest := digest_in(name)) is not None and digest.startswith(prefix or folder):
                        yield digest

    def digests_aside(self) -> Iterator[str]:
        for name in _files(self.aside):
            if (digest := digest_in(name)) is not None:
                yield digest

    def leftovers(self) -> list[str]:
        return [name for name in _files(self.incoming) if name.endswith(PART)]

    def sweep(self, quiet: timedelta = timedelta(0)) -> list[str]:
        now = now_of(self.incoming)
        swept = [name for name in self.leftovers() if not quiet or is_older(self.incoming / name, quiet, now)]
        for name in swept:
            (self.incoming / name).unlink(missing_ok=True)
        return swept

    def is_quiet(self, digest: str, quiet: timedelta) -> bool:
        places = (self.path(digest), self._aside(digest)) if is_digest(digest) else ()
        return not quiet or any(is_older(path, quiet, now_of(self.incoming)) for path in places)

    def set_aside(self, digest: str) -> None:
        with self.failing():
            if self.holds(digest):
                self._move(self.path(digest), self._aside(digest))

    def displace(self, digest: str) -> str:
        path = self.path(digest)
        with self.failing():
            name = self._name_aside(path)
            self._move(path, self._aside(name))
        return name

    def take_back(self, digest: str) -> None:
        with self.failing():
            if is_digest(digest) and is_file(self._aside(digest)):
                self._move(self._aside(digest), self.path(digest))

    def drop_aside(self, digest: str) -> None:
        if is_digest(digest):
            with self.failing():
                self._aside(digest).unlink(missing_ok=True)
                _sync_directory(self.aside)

    def open_aside(self, digest: str) -> BinaryIO:
        if not is_digest(digest):
            raise FileNotFoundError("not a digest")
        return opened(self._aside(digest))

    def is_intact_aside(self, digest: str) -> bool:
        try:
            with self.open_aside(digest) as stream:
                return data_set_digest(from_disk(stream)) == digest
        except OSError:
            return False

    def strays(self) -> list[Stray]:
        return sorted(strays(self.root), key=lambda stray: stray.place)

    def settle(self, stray: Stray) -> str | None:
        path = self.root / stray.place
        if stray.kind not in (Kind.FILE, Kind.MISPLACED) or not is_file(path):
            return None
        try:
            path.chmod(0o600)
        except PermissionError:  # somebody else's
            return None
        with self.failing():
            if self._belongs(path, stray.digest):
                assert stray.digest is not None
                self._move(path, self.path(stray.digest))
                return stray.digest
            name = self._name_aside(path)
            self._move(path, self._aside(name))
        return name

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

    def copy_aside(self, digest: str) -> str | None:
        """A second name in the quarantine for the damaged bytes in an object's place, which are to be replaced: at no moment is
        nothing there. Returns that name; ``None``: there is no file."""
        path = self.path(digest)
        if not is_file(path):
            return None
        name = self._name_aside(path)
        with suppress(FileExistsError):
            os.link(path, self._aside(name))
        _sync_directory(self.aside)
        return name

    def _belongs(self, path: Path, digest: str | None) -> bool:
        if digest is None or os.path.lexists(self.path(digest)):
            return False
        with opened(path) as stream:
            os.fsync(stream.fileno())
            return data_set_digest(stream) == digest

    def _name_aside(self, path: Path) -> str:
        """The digest of what a file holds; where that name is taken by a file that is not equal in all, of the whole file."""
        try:
            with opened(path) as stream:
                whole = whole_digest(stream)
                name = data_set_digest(stream) or whole
                os.fsync(stream.fileno())
            if not is_file(self._aside(name)):
                return name
            with opened(self._aside(name)) as stream:
                return name if whole_digest(stream) == whole else whole
        except OSError as error:
            if error.errno not in BROKEN:
                raise
            return digest_of(f"cannot be read: {path.relative_to(self.root)}".encode())

    def _aside(self, digest: str) -> Path:
        return self.aside / f"{digest}{SUFFIX}"

    def _move(self, path: Path, target: Path) -> None:
        with self.failing(), suppress(FileNotFoundError):
            path.rename(target)
            _sync_directory(target.parent)
            _sync_directory(path.parent)

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
            descriptor, self._descriptor = self._descriptor, -1  # closed once, whatever comes of it
            os.close(descriptor)
        return self._digest.hexdigest()

    def open(self) -> BinaryIO:
        return self._path.open("rb")

    def keep(self) -> str | None:
        digest = self._digest.hexdigest()
        folder = self._archive.objects / digest[:2]
        with self._archive.failing():
            fault = self._archive.fault(digest)
            if fault is None:
                # the same bytes once more, perhaps under another transfer syntax: the first file stays as it is
                _sync_directory(folder)
                self.discard()
                return None
            # where nothing lay, another receiver may have put the same bytes by now: they are not damaged
            displaced = self._archive.copy_aside(digest) if fault is Fault.DAMAGED else None
            self._path.rename(folder / f"{digest}{SUFFIX}")
            self._settled = True
            _sync_directory(folder)
        return displaced

    def quarantine(self) -> None:
        with self._archive.failing():
            if self._archive.is_intact_aside(self._digest.hexdigest()):  # as in keep: the first stays
                _sync_directory(self._archive.aside)
                self.discard()
                return
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
            if error.errno in (errno.EIO, errno.EUCLEAN, errno.EBADMSG):
                self._archive.fail("the disk reported an input/output error; check it, then restart the intake")
            raise StorageFull(f"the disk did not take the object ({name})") from error


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> list[str]:
    """Names of the regular files of a folder, in order; without a look at any of them."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
