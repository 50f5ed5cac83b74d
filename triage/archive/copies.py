"""A backup's folder: films by digest, shared by all its generations, and each generation's manifest, written last.

::

    DIR/films/ab/abcd….dcm            every film that any generation holds; a film never changes
    DIR/aside/abcd….dcm               objects that were set aside
    DIR/20261201T031500Z/             one generation: database, models, settings …
    DIR/20261201T031500Z/films.txt    the digests it needs, one a line
    DIR/20261201T031500Z/manifest.json   what makes it one: a folder without it is a backup that was broken off
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from triage.archive.content import CHUNK, data_set_digest, is_file, opened, whole_digest
from triage.domain.errors import BackupError
from triage.domain.identifiers import is_digest

MANIFEST, FILMS, LOCK = "manifest.json", "films.txt", "backup.lock"
FORMAT = 1
STAMP = "%Y%m%dT%H%M%S%fZ"
PART = ".part"


class Copies:
    """One backup folder; made when it is not there.

    Raises:
        BackupError: it cannot be made.
    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        self.root = root
        self.films, self.aside = root / "films", root / "aside"
        if create:
            try:
                for folder in (root, self.films, self.aside):
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise BackupError(f"{root}: cannot be made ({error.strerror}); name a folder on a disk that can") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes here meanwhile.

        Raises:
            BackupError: somebody does.
        """
        descriptor = os.open(self.root / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise BackupError(f"{self.root}: another backup into it is under way; wait for it") from None
        finally:
            os.close(descriptor)

    def generations(self) -> list[Path]:
        """Those that are whole, the oldest first."""
        return sorted(path.parent for path in self.root.glob(f"*/{MANIFEST}"))

    def begin(self, at: datetime) -> Path:
        """The folder of a new generation."""
        folder = self.root / at.strftime(STAMP)
        folder.mkdir(mode=0o700)
        return folder

    def keep_film(self, digest: str, source: Callable[[], BinaryIO]) -> bool:
        """Copy a film that is not here yet, durably; ``False``: it was here.

        Raises:
            FileNotFoundError: the source has none.
            BackupError: its bytes are not what its name says.
            OSError: it cannot be read or written.
        """
        target = self.film(digest)
        if is_file(target):
            return False
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with source() as stream:
            _copy(stream, target, lambda copy: data_set_digest(copy) == digest)
        return True

    def keep_aside(self, digest: str, source: Callable[[], BinaryIO]) -> bool:
        """The same of an object that was set aside, whatever its bytes are."""
        target = self.aside_film(digest)
        if is_file(target):
            return False
        with source() as stream:
            _copy(stream, target, lambda copy: True)
        return True

    def film(self, digest: str) -> Path:
        """Where a film lies."""
        if not is_digest(digest):
            raise FileNotFoundError("not a digest")
        return self.films / digest[:2] / f"{digest}.dcm"

    def aside_film(self, digest: str) -> Path:
        """Where an object that was set aside lies."""
        if not is_digest(digest):
            raise FileNotFoundError("not a digest")
        return self.aside / f"{digest}.dcm"

    def finish(self, folder: Path, facts: dict[str, Any]) -> None:
        """Write the manifest: digests of every file of the generation, then ``facts``; from now on it counts."""
        for directory in (self.films, self.aside, folder):
            for path in [directory, *(one for one in directory.rglob("*") if one.is_dir())]:
                sync(path)
        files = {str(path.relative_to(folder)): digest_of(path) for path in sorted(folder.rglob("*")) if is_file(path)}
        write(folder / MANIFEST, json.dumps({"format": FORMAT, **facts, "files": files}, indent=2, sort_keys=True).encode())
        sync(folder)
        sync(self.root)

    def manifest(self, folder: Path) -> dict[str, Any]:
        """A generation's manifest, its files checked against it.

        Raises:
            BackupError: it is no whole generation, of another format, or a file differs.
        """
        try:
            document: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
            files = {str(name): str(digest) for name, digest in document["files"].items()}
            known = document["format"] == FORMAT
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise BackupError(f"{folder}: no whole backup lies here; take another generation") from None
        if not known:
            raise BackupError(f"{folder}: made by another version; restore it with that one")
        for name, digest in files.items():
            path = (folder / name).resolve()
            if folder.resolve() not in path.parents or not is_file(path) or digest_of(path) != digest:
                raise BackupError(f"{folder}: {name} is missing or damaged; take another generation")
        return document

    def drop_before(self, keep: int) -> list[str]:
        """Remove all generations but the last ``keep`` and what was broken off, then the films that none needs; their names."""
        whole = self.generations()
        last = set(whole[-keep:])
        gone = [path for path in self._folders() if path not in last]
        for folder in gone:
            (folder / MANIFEST).unlink(missing_ok=True)  # half removed, it must not be taken for a whole one
            shutil.rmtree(folder)
        needed = {digest for folder in last for digest in self.needed(folder)}
        for path in [*self.films.glob("*/*"), *self.aside.glob("*")]:
            if path.suffix == PART or path.stem not in needed:
                path.unlink()
        return sorted(path.name for path in gone)

    def needed(self, folder: Path) -> Iterator[str]:
        """The digests that a generation needs, those that were set aside among them."""
        with (folder / FILMS).open(encoding="ascii") as lines:
            for line in lines:
                yield line.split()[1]

    def _folders(self) -> list[Path]:
        own = {self.films, self.aside}
        return sorted(path for path in self.root.iterdir() if path.is_dir() and path not in own and path.name[:8].isdigit())


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with opened(path) as stream:
        return whole_digest(stream)


def write(path: Path, content: bytes) -> None:
    """A new file, durably and all at once."""
    part = path.with_name(path.name + PART)
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(path)


def sync(folder: Path) -> None:
    """The names in a folder are durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(stream: BinaryIO, target: Path, is_right: Callable[[BinaryIO], bool]) -> None:
    part = target.with_name(target.name + PART)
    try:
        with part.open("w+b") as copy:
            shutil.copyfileobj(stream, copy, CHUNK)
            copy.flush()
            os.fsync(copy.fileno())
            if not is_right(copy):
                raise BackupError(f"{target.stem}: damaged where it lies; run: triage verify")
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
