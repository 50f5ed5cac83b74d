"""Objects in a store that several hosts share: received on this machine's disk, then put under their digest in one request.

::

    instances/incoming/<random>.part          on this machine: being received; nothing of it counts
    PREFIX/archive                            in the store: says that this is one
    PREFIX/objects/ab/abcd….dcm               kept, named by the SHA-256 of the data set
    PREFIX/quarantine/abcd….dcm               set aside, named by what it holds

A key is its content: putting it twice is harmless, from whatever host. See ``docs/decisions/0032-object-store.md``.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from hashlib import md5, sha256
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from triage.archive.content import CHUNK, data_set_digest, whole_digest
from triage.archive.disk import Disk, Part
from triage.archive.store import Store, Sums
from triage.archive.strays import PART, SUFFIX, digest_in
from triage.domain.errors import ArchiveAway
from triage.domain.fault import Fault
from triage.domain.identifiers import is_digest
from triage.domain.stray import Kind, Stray

MARK = "archive"
MARK_TEXT = b"films of chest-triage; see docs/storage.md\n"
LOOKED_FOR = 60.0
"""Seconds for which the mark, once seen, is taken to be there."""

Settling = Callable[[], AbstractContextManager[object]]


class ObjectArchive(Disk):
    """See :class:`triage.services.ports.Archive`. ``root``: the folder on this machine where objects are received.

    ``settling``: nobody else, on whatever host, moves objects meanwhile.
    """

    def __init__(self, store: Store, root: Path, floor_bytes: int, settling: Settling = nullcontext) -> None:
        super().__init__(root, floor_bytes)
        self.store = store
        self._alone = settling
        self._seen: float | None = None

    def receive(self, file_meta: bytes, expected_bytes: int) -> "ObjectIncoming":
        self.admit(expected_bytes)
        return ObjectIncoming(self, file_meta)

    def open(self, digest: str) -> BinaryIO:
        return self._opened(digest, key_of)

    def open_aside(self, digest: str) -> BinaryIO:
        return self._opened(digest, aside_of)

    @contextmanager
    def local(self, digest: str) -> Iterator[Path]:
        """A file with a kept object's bytes, for as long as it is needed.

        Raises:
            FileNotFoundError: not kept.
            ArchiveAway: the store does not answer.
        """
        path = self.incoming / f"{secrets.token_hex(16)}{PART}"
        try:
            with self.open(digest) as stream, self.failing(), path.open("xb") as copy:
                copyfileobj(stream, copy, CHUNK)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def begin(self) -> None:
        """Make the mark of a new archive, without which nothing is taken for missing; one that has it stays as it is.

        Raises:
            ArchiveAway: the store does not answer.
        """
        if not self.is_begun():
            self.store.note(MARK, MARK_TEXT)

    def holds(self, digest: str) -> bool:
        return is_digest(digest) and self._is_there(key_of(digest))

    def is_intact(self, digest: str) -> bool:
        try:
            return self.fault(digest) is None
        except ArchiveAway:
            return False

    def fault(self, digest: str) -> Fault | None:
        try:
            with self.open(digest) as stream:
                return None if data_set_digest(stream) == digest else Fault.DAMAGED
        except FileNotFoundError:
            return Fault.MISSING
        except OSError:  # shorter than the store said
            return Fault.DAMAGED

    def is_intact_aside(self, digest: str) -> bool:
        try:
            with self.open_aside(digest) as stream:
                return data_set_digest(stream) == digest
        except (OSError, ArchiveAway):
            return False

    def digests(self, prefix: str = "") -> Iterator[str]:
        for key in self.store.names(f"objects/{prefix[:2]}"):
            digest = digest_in(key.rpartition("/")[2])
            if digest is not None and key == key_of(digest) and digest.startswith(prefix):
                yield digest

    def digests_aside(self) -> Iterator[str]:
        for key in self.store.names("quarantine/"):
            digest = digest_in(key.rpartition("/")[2])
            if digest is not None and key == aside_of(digest):
                yield digest

    def is_quiet(self, digest: str, quiet: timedelta) -> bool:
        if not quiet:
            return True
        written = [at for key in (key_of(digest), aside_of(digest)) if is_digest(digest) and (at := self._written_at(key))]
        return bool(written) and min(written) <= self.store.now() - quiet

    def set_aside(self, digest: str) -> None:
        if is_digest(digest):
            self._move(key_of(digest), aside_of(digest))

    def take_back(self, digest: str) -> None:
        if is_digest(digest):
            self._move(aside_of(digest), key_of(digest))

    def displace(self, digest: str) -> str:
        name = self._name_aside(key_of(digest))
        self._move(key_of(digest), aside_of(name))
        return name

    def drop_aside(self, digest: str) -> None:
        if is_digest(digest):
            self.store.remove(aside_of(digest))

    def strays(self) -> list[Stray]:
        return [_stray(key) for place in ("objects/", "quarantine/") for key in self.store.names(place) if not _is_known(key)]

    def settle(self, stray: Stray) -> str | None:
        if stray.kind not in (Kind.FILE, Kind.MISPLACED) or not self._is_there(stray.place):
            return None
        digest = stray.digest
        if digest is not None and not self._is_there(key_of(digest)) and self._digest_of(stray.place) == digest:
            self._move(stray.place, key_of(digest))
            return digest
        name = self._name_aside(stray.place)
        self._move(stray.place, aside_of(name))
        return name

    @contextmanager
    def settling(self) -> Iterator[None]:
        with super().settling(), self._alone():
            yield

    def trouble(self) -> str | None:
        return super().trouble() or self.store.trouble()

    def copy_aside(self, digest: str) -> str:
        """A second name for the damaged bytes in an object's place, which are to be replaced; returns that name."""
        name = self._name_aside(key_of(digest))
        self.store.copy(key_of(digest), aside_of(name))
        return name

    def _opened(self, digest: str, name: Callable[[str], str]) -> BinaryIO:
        if not is_digest(digest):
            raise FileNotFoundError("not a digest")
        try:
            return self.store.open(name(digest))
        except FileNotFoundError:
            self._be_there()
            raise

    def _is_there(self, key: str) -> bool:
        try:
            self.store.size(key)
        except FileNotFoundError:
            self._be_there()
            return False
        return True

    def _be_there(self) -> None:
        """Where something is not, look whether the archive itself is: another bucket, or an empty one, is no lost film."""
        if not self.is_begun():
            raise ArchiveAway("the archive's mark is not in the object store; is storage.archive the right bucket and prefix?")

    def is_begun(self) -> bool:
        """Whether it has its mark."""
        if self._seen is not None and time.monotonic() - self._seen < LOOKED_FOR:
            return True
        try:
            self.store.size(MARK)
        except FileNotFoundError:
            return False
        self._seen = time.monotonic()
        return True

    def _digest_of(self, key: str) -> str | None:
        with self.store.open(key) as stream:
            return data_set_digest(stream)

    def _name_aside(self, key: str) -> str:
        """The digest of what an object holds; where that name is taken by one that is not equal in all, of the whole object."""
        with self.store.open(key) as stream:
            whole = whole_digest(stream)
            name = data_set_digest(stream) or whole
        try:
            with self.store.open(aside_of(name)) as stream:
                return name if whole_digest(stream) == whole else whole
        except FileNotFoundError:
            return name

    def _move(self, key: str, to: str) -> None:
        """The copy before the original goes: at no moment is nothing there."""
        with suppress(FileNotFoundError):
            self.store.copy(key, to)
            self.store.remove(key)

    def _written_at(self, key: str) -> datetime | None:
        try:
            return self.store.written_at(key)
        except FileNotFoundError:
            return None


class ObjectIncoming(Part):
    """See :class:`triage.services.ports.Incoming`.

    Its digests are of the bytes as they came in: what this machine's disk or the network makes of them on their way shows.
    """

    def __init__(self, archive: ObjectArchive, file_meta: bytes) -> None:
        self._archive = archive
        self._size, self._whole, self._md5 = 0, sha256(), md5(usedforsecurity=False)
        super().__init__(archive, file_meta)

    def keep(self) -> str | None:
        digest = self._digest.hexdigest()
        with self._archive.failing():
            fault = self._archive.fault(digest)
            displaced = self._archive.copy_aside(digest) if fault is Fault.DAMAGED else None
            if fault is not None:  # else the same bytes once more, perhaps under another transfer syntax: the first stay
                self._put(key_of(digest), replace=fault is Fault.DAMAGED)
        self.discard()
        return displaced

    def quarantine(self) -> None:
        digest = self._digest.hexdigest()
        with self._archive.failing():
            if not self._archive.is_intact_aside(digest):
                self._put(aside_of(digest), replace=True)
        self.discard()

    def _put(self, key: str, *, replace: bool) -> None:
        sums = Sums(size=self._size, sha256=self._whole.digest(), md5=self._md5.hexdigest())
        try:
            self._archive.store.put(key, self._path, sums, replace=replace)
        except FileExistsError:  # another node's, at this moment, or ours, whose answer was lost
            if not self._archive.is_intact(self._digest.hexdigest()):
                raise ArchiveAway("another one put the same film at this moment, and it is not whole; send it again") from None

    def _append(self, data: bytes | memoryview) -> None:
        super()._append(data)
        self._size += len(data)
        self._whole.update(data)
        self._md5.update(data)


def key_of(digest: str) -> str:
    """Where a kept object lies."""
    return f"objects/{digest[:2]}/{digest}{SUFFIX}"


def aside_of(digest: str) -> str:
    """Where an object that was set aside lies."""
    return f"quarantine/{digest}{SUFFIX}"


def _is_known(key: str) -> bool:
    digest = digest_in(key.rpartition("/")[2])
    return digest is not None and key in (key_of(digest), aside_of(digest))


def _stray(key: str) -> Stray:
    digest = digest_in(key.rpartition("/")[2]) if key.startswith("objects/") else None
    return Stray(place=key, kind=Kind.FILE if digest is None else Kind.MISPLACED, digest=digest)
