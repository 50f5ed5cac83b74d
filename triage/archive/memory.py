"""The in-memory twin of the archive."""

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

from triage.archive.part10 import data_set_offset
from triage.domain.errors import StorageFull
from triage.domain.identifiers import digest_of


class MemoryArchive:
    """See :class:`triage.services.ports.Archive`. ``capacity_bytes``: the size of the pretended disk."""

    def __init__(self, capacity_bytes: int = 1 << 30) -> None:
        self.capacity_bytes = capacity_bytes
        self.parts: dict[str, bytearray] = {}
        self.objects: dict[str, bytes] = {}
        self.aside: dict[str, bytes] = {}

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
        if digest not in self.objects:
            return False
        data = self.objects[digest]
        try:
            return digest_of(data[data_set_offset(BytesIO(data)) :]) == digest
        except ValueError:
            return False

    def digests(self) -> Iterator[str]:
        return iter(sorted(self.objects))

    def digests_aside(self) -> Iterator[str]:
        return iter(sorted(self.aside))

    def leftovers(self) -> list[str]:
        return sorted(self.parts)

    def sweep(self) -> list[str]:
        swept = self.leftovers()
        self.parts.clear()
        return swept

    def set_aside(self, digest: str) -> None:
        if digest in self.objects:
            self.aside[digest] = self.objects.pop(digest)

    def drop_aside(self, digest: str) -> None:
        self.aside.pop(digest, None)

    def free_bytes(self) -> int:
        held = (*self.parts.values(), *self.objects.values(), *self.aside.values())
        return self.capacity_bytes - sum(len(data) for data in held)

    def failure(self) -> str | None:
        return None


class MemoryIncoming:
    """See :class:`triage.services.ports.Incoming`."""

    def __init__(self, archive: MemoryArchive, file_meta: bytes) -> None:
        self._archive = archive
        self._name = f"{id(self):x}.part"
        self._digest = sha256()
        archive.parts[self._name] = bytearray(file_meta)

    def write(self, data: bytes | memoryview) -> None:
        if self._archive.free_bytes() < len(data):
            raise StorageFull("the pretended disk is full")
        self._archive.parts[self._name] += data
        self._digest.update(data)

    def sync(self) -> str:
        return self._digest.hexdigest()

    def open(self) -> BinaryIO:
        return BytesIO(bytes(self._archive.parts[self._name]))

    def keep(self) -> None:
        content, digest = bytes(self._archive.parts.pop(self._name)), self._digest.hexdigest()
        if not self._archive.is_intact(digest):
            self._archive.objects[digest] = content

    def quarantine(self) -> None:
        self._archive.aside[self._digest.hexdigest()] = bytes(self._archive.parts.pop(self._name))

    def discard(self) -> None:
        self._archive.parts.pop(self._name, None)
