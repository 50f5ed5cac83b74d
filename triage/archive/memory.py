"""The in-memory twin of the archive."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from itertools import count
from typing import BinaryIO

from triage.archive.part10 import data_set_offset
from triage.clock import utc_now
from triage.domain.errors import StorageFull
from triage.domain.fault import Fault
from triage.domain.identifiers import digest_of, is_digest
from triage.domain.stray import Kind, Stray


class MemoryArchive:
    """See :class:`triage.services.ports.Archive`. ``capacity_bytes``: the size of the pretended disk."""

    def __init__(self, capacity_bytes: int = 1 << 30, clock: Callable[[], datetime] = utc_now) -> None:
        self.capacity_bytes = capacity_bytes
        self.parts: dict[str, bytearray] = {}
        self.objects: dict[str, bytes] = {}
        self.aside: dict[str, bytes] = {}
        self.unknown: dict[str, tuple[Kind, bytes]] = {}
        """What lies where it does not belong, by its place."""
        self._settling = threading.RLock()
        self.written: dict[str, datetime] = {}
        """When a part or an object was written, by its name, as ``clock`` said."""
        self.clock = clock
        self.numbers = count(1)

    def receive(self, file_meta: bytes, expected_bytes: int) -> "MemoryIncoming":
        if self.free_bytes() < expected_bytes:
            raise StorageFull("the pretended disk is full")
        return MemoryIncoming(self, file_meta)

    def open(self, digest: str) -> BinaryIO:
        if digest not in self.objects:
            raise FileNotFoundError(digest)
        return BytesIO(self.objects[digest])

    def holds(self, digest: str) -> bool:
        return digest in self.objects

    def is_intact(self, digest: str) -> bool:
        return self.fault(digest) is None

    def fault(self, digest: str) -> Fault | None:
        if digest not in self.objects:
            return Fault.MISSING
        return None if _data_set_digest(self.objects[digest]) == digest else Fault.DAMAGED

    def digests(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(digest for digest in self.objects if digest.startswith(prefix)))

    def digests_aside(self) -> Iterator[str]:
        return iter(sorted(self.aside))

    def leftovers(self) -> list[str]:
        return sorted(self.parts)

    def sweep(self, quiet: timedelta = timedelta(0)) -> list[str]:
        swept = [name for name in self.leftovers() if self.is_quiet(name, quiet)]
        for name in swept:
            del self.parts[name]
        return swept

    def is_quiet(self, digest: str, quiet: timedelta) -> bool:
        return not quiet or (digest in self.written and self.written[digest] <= self.clock() - quiet)

    def set_aside(self, digest: str) -> None:
        if digest in self.objects:
            self.aside[digest] = self.objects.pop(digest)

    def displace(self, digest: str) -> str:
        name = self.name_aside(self.objects[digest])
        self.aside[name] = self.objects.pop(digest)
        return name

    def take_back(self, digest: str) -> None:
        if digest in self.aside:
            self.objects[digest] = self.aside.pop(digest)

    def drop_aside(self, digest: str) -> None:
        self.aside.pop(digest, None)

    def open_aside(self, digest: str) -> BinaryIO:
        if digest not in self.aside:
            raise FileNotFoundError(digest)
        return BytesIO(self.aside[digest])

    def is_intact_aside(self, digest: str) -> bool:
        return digest in self.aside and _data_set_digest(self.aside[digest]) == digest

    def strays(self) -> list[Stray]:
        found = []
        for place, (kind, _) in sorted(self.unknown.items()):
            name = place.rpartition("/")[2].removesuffix(".dcm")
            digest = name if is_digest(name) and not place.startswith("quarantine/") else None
            found.append(Stray(place=place, kind=kind, digest=digest))
        return found

    def settle(self, stray: Stray) -> str | None:
        kind, content = self.unknown.get(stray.place, (Kind.SPECIAL, b""))
        if kind not in (Kind.FILE, Kind.MISPLACED):
            return None
        del self.unknown[stray.place]
        if stray.digest is not None and stray.digest not in self.objects and _data_set_digest(content) == stray.digest:
            self.objects[stray.digest] = content
            return stray.digest
        name = self.name_aside(content)
        self.aside[name] = content
        return name

    @contextmanager
    def settling(self) -> Iterator[None]:
        with self._settling:
            yield

    def name_aside(self, content: bytes) -> str:
        """The digest of what an object holds; where other bytes have that name, of all of it."""
        name = _data_set_digest(content) or digest_of(content)
        return name if self.aside.get(name, content) == content else digest_of(content)

    def free_bytes(self) -> int:
        held = (*self.parts.values(), *self.objects.values(), *self.aside.values())
        return self.capacity_bytes - sum(len(data) for data in held)

    def failure(self) -> str | None:
        return None


class MemoryIncoming:
    """See :class:`triage.services.ports.Incoming`."""

    def __init__(self, archive: MemoryArchive, file_meta: bytes) -> None:
        self._archive = archive
        self._name = f"{next(archive.numbers)}.part"
        self._digest = sha256()
        archive.parts[self._name] = bytearray(file_meta)
        archive.written[self._name] = archive.clock()

    def write(self, data: bytes | memoryview) -> None:
        if self._archive.free_bytes() < len(data):
            raise StorageFull("the pretended disk is full")
        self._archive.parts[self._name] += data
        self._archive.written[self._name] = self._archive.clock()
        self._digest.update(data)

    def sync(self) -> str:
        return self._digest.hexdigest()

    def open(self) -> BinaryIO:
        return BytesIO(bytes(self._archive.parts[self._name]))

    def keep(self) -> str | None:
        content, digest = bytes(self._archive.parts.pop(self._name)), self._digest.hexdigest()
        if self._archive.is_intact(digest):
            return None
        self._archive.written[digest] = self._archive.clock()
        damaged, self._archive.objects[digest] = self._archive.objects.get(digest), content
        if damaged is None:
            return None
        name = self._archive.name_aside(damaged)
        self._archive.aside[name] = damaged
        return name

    def quarantine(self) -> None:
        digest = self._digest.hexdigest()
        self._archive.written[digest] = self._archive.clock()
        self._archive.aside[digest] = bytes(self._archive.parts.pop(self._name))

    def discard(self) -> None:
        self._archive.parts.pop(self._name, None)


def _data_set_digest(content: bytes) -> str | None:
    """As of a file (:mod:`triage.archive.content`)."""
    try:
        data = content[data_set_offset(BytesIO(content)) :]
    except ValueError:
        return None
    return digest_of(data) if data else None
