"""Back a site up while it works, and restore it elsewhere.

The database first, then the films that this copy of it names: a film is kept before its row is written, so that every one of
them is there. What arrives meanwhile is in the next backup.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from triage.domain.errors import BackupError
from triage.services.ports import Archive, Database, Transaction

FILM, ASIDE = "film", "aside"
Progress = Callable[[int, int], None]
"""Hears (done, total) objects."""


class Generation(Protocol):
    """What a backup's folder offers (:class:`triage.archive.copies.Copies`)."""

    def keep_film(self, digest: str, source: Callable[[], BinaryIO], *, again: bool = False) -> bool:
        """Copy a film that is not there yet; ``False``: it was. ``again``: read what is there, replace it if damaged."""

    def keep_aside(self, digest: str, source: Callable[[], BinaryIO]) -> bool:
        """The same of an object that was set aside."""


@dataclass(slots=True, kw_only=True)
class Backup:
    """What was backed up. ``damaged`` and ``missing``: films that could not be, by digest; the rest is whole."""

    name: str = ""
    films: int = 0
    copied: int = 0
    set_aside: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every film is in it."""
        return not self.damaged and not self.missing

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "ok": self.ok}


def objects_of(copy: Database) -> list[tuple[str, str]]:
    """What a copy of the database needs beside it: (film or aside, digest)."""
    with copy.read() as transaction:
        return objects_in(transaction)


def objects_in(transaction: Transaction) -> list[tuple[str, str]]:
    """The same of the moment that a transaction sees."""
    films = sorted({instance.digest for instance in transaction.all_instances()})
    aside = sorted({one.digest for one in transaction.quarantined()})
    return [(FILM, digest) for digest in films] + [(ASIDE, digest) for digest in aside]


def keep(
    archive: Archive, into: Generation, objects: Iterable[tuple[str, str]], progress: Progress, again: Callable[[str], bool]
) -> Backup:
    """Copy every object that is not there yet. A film that is damaged or gone is named, and the others go on.

    ``again``: whether the copy of this digest, which may have rotted since, is read again this time.

    Raises:
        OSError: the backup's disk does not take it.
    """
    done, wanted = Backup(), list(objects)
    for number, (kind, digest) in enumerate(wanted, start=1):
        try:
            done.copied += _keep(archive, into, kind, digest, again(digest))
        except FileNotFoundError:
            done.missing.append(digest)
        except BackupError:
            done.damaged.append(digest)
        progress(number, len(wanted))
    done.films = sum(kind == FILM for kind, _ in wanted)
    done.set_aside = len(wanted) - done.films
    return done


def _keep(archive: Archive, into: Generation, kind: str, digest: str, again: bool) -> bool:
    if kind == ASIDE:
        return into.keep_aside(digest, lambda: archive.open_aside(digest))
    return into.keep_film(digest, lambda: archive.open(digest), again=again)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One object of a backup. ``head``: bytes before its data set."""

    kind: str
    digest: str
    path: Path
    head: Callable[[BinaryIO], int]


def put_back(archive: Archive, objects: Iterable[Stored], total: int, progress: Progress) -> int:
    """Give every object its place in an archive, each checked against its name; returns how many.

    Raises:
        BackupError: one is missing or damaged in the backup.
        StorageFull: the disk does not take it.
    """
    number, aside = 0, set(archive.digests_aside())
    for number, one in enumerate(objects, start=1):
        present = archive.holds(one.digest) if one.kind == FILM else one.digest in aside
        if not present:
            _put_back(archive, one)
        progress(number, total)
    return number


def _put_back(archive: Archive, one: Stored) -> None:
    try:
        stream = one.path.open("rb")
    except OSError as error:
        raise BackupError(f"{one.digest}: not in the backup ({error.strerror}); take another generation") from None
    with stream:
        size = one.path.stat().st_size
        incoming = archive.receive(stream.read(one.head(stream)), size)
        try:
            while chunk := stream.read(1 << 20):
                incoming.write(chunk)
            if incoming.sync() != one.digest:
                raise BackupError(f"{one.digest}: damaged in the backup; take another generation")
            incoming.keep() if one.kind == FILM else incoming.quarantine()
        finally:
            incoming.discard()


def facts(done: Backup, at: datetime, version: str, revision: str, database: str) -> dict[str, Any]:
    """What a manifest says beside the digests of its files."""
    counts = {"films": done.films, "set_aside": done.set_aside, "damaged": done.damaged, "missing": done.missing}
    return {"made_at": at.isoformat(), "version": version, "revision": revision, "database": database, **counts}
