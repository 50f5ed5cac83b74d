"""Objects on a file system: ``.part`` -> fsync -> rename -> fsync of the directory.

::

    instances/incoming/<random>.part     being received; nothing of it counts
    instances/objects/ab/abcd….dcm       kept, named by the SHA-256 of the data set
    instances/quarantine/abcd….dcm       set aside, not indexed; named by what it holds

The order is the one that lost nothing under power cuts and kills at every system call; see
``docs/decisions/0001-success-means-durable.md``.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from triage.archive.age import is_older, now_of
from triage.archive.content import data_set_digest, from_disk, is_file, opened, whole_digest
from triage.archive.disk import Disk, Part, files_of, sync_directory
from triage.archive.strays import SUFFIX, digest_in, strays
from triage.domain.errors import ArchiveAway
from triage.domain.fault import Fault
from triage.domain.identifiers import DIGEST_PREFIXES, digest_of, is_digest
from triage.domain.stray import Kind, Stray

BROKEN = (errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA)
"""What a disk answers that knows its bytes to be bad; anything else says nothing about the film."""


class FileArchive(Disk):
    """See :class:`triage.services.ports.Archive`. ``floor_bytes``: room that receiving leaves free on the disk."""

    def __init__(self, root: Path, floor_bytes: int) -> None:
        super().__init__(root, floor_bytes)
        self.objects = root / "objects"
        self.aside = root / "quarantine"
        for folder in (self.objects, self.aside):
            folder.mkdir(mode=0o700, exist_ok=True)
        # all at once: made on demand, one receiver could use a folder whose entry another has not synced yet
        for prefix in DIGEST_PREFIXES:
            (self.objects / prefix).mkdir(mode=0o700, exist_ok=True)
        sync_directory(self.objects)
        sync_directory(root)
        sync_directory(root.parent)

    def receive(self, file_meta: bytes, expected_bytes: int) -> "FileIncoming":
        self.admit(expected_bytes)
        return FileIncoming(self, file_meta)

    def open(self, digest: str) -> BinaryIO:
        return opened(self.path(digest))

    @contextmanager
    def local(self, digest: str) -> Iterator[Path]:
        """A file with a kept object's bytes, for as long as it is needed: its own."""
        yield self.path(digest)

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
                for name in files_of(self.objects / folder):
                    if (digest := digest_in(name)) is not None and digest.startswith(prefix or folder):
                        yield digest

    def digests_aside(self) -> Iterator[str]:
        for name in files_of(self.aside):
            if (digest := digest_in(name)) is not None:
                yield digest

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
                sync_directory(self.aside)

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

    def copy_aside(self, digest: str) -> str | None:
        """A second name in the quarantine for the damaged bytes in an object's place, which are to be replaced: at no moment is
        nothing there. Returns that name; ``None``: there is no file."""
        path = self.path(digest)
        if not is_file(path):
            return None
        name = self._name_aside(path)
        with suppress(FileExistsError):
            os.link(path, self._aside(name))
        sync_directory(self.aside)
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
            sync_directory(target.parent)
            sync_directory(path.parent)


class FileIncoming(Part):
    """See :class:`triage.services.ports.Incoming`."""

    def __init__(self, archive: FileArchive, file_meta: bytes) -> None:
        self._archive = archive
        super().__init__(archive, file_meta)

    def keep(self) -> str | None:
        digest = self._digest.hexdigest()
        folder = self._archive.objects / digest[:2]
        with self._archive.failing():
            fault = self._archive.fault(digest)
            if fault is None:
                # the same bytes once more, perhaps under another transfer syntax: the first file stays as it is
                sync_directory(folder)
                self.discard()
                return None
            # where nothing lay, another receiver may have put the same bytes by now: they are not damaged
            displaced = self._archive.copy_aside(digest) if fault is Fault.DAMAGED else None
            self._path.rename(folder / f"{digest}{SUFFIX}")
            self._settled = True
            sync_directory(folder)
        return displaced

    def quarantine(self) -> None:
        with self._archive.failing():
            if self._archive.is_intact_aside(self._digest.hexdigest()):  # as in keep: the first stays
                sync_directory(self._archive.aside)
                self.discard()
                return
            self._path.rename(self._archive.aside / f"{self._digest.hexdigest()}{SUFFIX}")
            self._settled = True
            sync_directory(self._archive.aside)
