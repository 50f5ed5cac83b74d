"""What a crash, a disk or a person can leave in an archive: one planter a family, and where reconciliation must put it."""

import os
from collections.abc import Callable
from pathlib import Path

from tests import films
from tests.unit.domain import make
from tests.unit.services.world import World
from triage.archive.files import FileArchive
from triage.domain.identifiers import digest_of

Plant = Callable[[World, bytes], str]


def archive_of(world: World) -> FileArchive:
    assert isinstance(world.archive, FileArchive)
    return world.archive


def orphan(world: World, film: bytes) -> str:
    """A kept object whose row was never committed."""
    meta, data = films.split(film)
    incoming = world.archive.receive(meta, len(film))
    incoming.write(data)
    digest = incoming.sync()
    incoming.keep()
    return digest


def part(world: World, film: bytes) -> str:
    """A receipt that a crash ended."""
    before = set(world.archive.leftovers())
    world.archive.receive(b"", len(film)).write(film[:500])
    (name,) = set(world.archive.leftovers()) - before
    return name


def aside(world: World, film: bytes) -> str:
    """An object that was set aside just before a crash, its row not written."""
    digest = orphan(world, film)
    world.archive.set_aside(digest)
    return digest


def ghost(world: World, film: bytes) -> str:
    """A row whose file somebody removed."""
    digest = world.store(film).digest
    archive_of(world).path(digest).unlink()
    return digest


def wrong_name(world: World, film: bytes) -> str:
    """An object under a name that is not its digest, without a row."""
    right, wrong = orphan(world, film), make.digest(film)
    archive_of(world).path(right).rename(archive_of(world).path(wrong))
    return right


def wrong_folder(world: World, film: bytes) -> str:
    """An object under its own name in the folder of another prefix."""
    digest = orphan(world, film)
    other = archive_of(world).objects / f"{(int(digest[:2], 16) + 1) % 256:02x}"
    archive_of(world).path(digest).rename(other / f"{digest}.dcm")
    return digest


def empty(world: World, film: bytes) -> str:
    """An object of which the disk kept nothing but the name."""
    archive_of(world).path(make.digest(film)).touch()
    return digest_of(b"")


def no_digest(world: World, film: bytes) -> str:
    """A file that somebody put there, under a name of his own; all folders in turn."""
    number = sum(1 for _ in archive_of(world).root.rglob("film *"))
    folder = ("objects", "objects/ab", "quarantine", "incoming")[number % 4]
    (archive_of(world).root / folder / f"film {number}.dcm").write_bytes(film)
    return films.digest(film)


def folder(world: World, film: bytes) -> str:
    """A folder, one of them in the place of an object."""
    digest = films.digest(film)
    places = (f"objects/{digest[:2]}/{digest}.dcm", f"objects/{digest[:6]}", f"quarantine/{digest}", f"incoming/{digest}.part")
    place = places[int(digest[-1], 16) % 4]
    (archive_of(world).root / place).mkdir()
    return place


def link(world: World, film: bytes) -> str:
    """A symbolic link to a whole film elsewhere, under its digest."""
    digest = films.digest(film)
    elsewhere = archive_of(world).root.parent / f"{digest}.elsewhere"
    elsewhere.write_bytes(film)
    places = (f"objects/{digest[:2]}/{digest}.dcm", f"quarantine/{digest}.dcm", f"incoming/{digest}.part")
    place = places[int(digest[-1], 16) % 3]
    (archive_of(world).root / place).symlink_to(elsewhere)
    return place


def pipe(world: World, film: bytes) -> str:
    """A named pipe, which would keep for ever whoever opens it."""
    digest = films.digest(film)
    place = f"objects/{digest[:2]}/{digest}.dcm"
    os.mkfifo(archive_of(world).root / place)
    return place


FAMILIES: dict[str, tuple[Plant, str]] = {
    "part": (part, "leftovers_removed"),
    "orphan": (orphan, "adopted"),
    "wrong name": (wrong_name, "quarantined"),
    "wrong folder": (wrong_folder, "adopted"),
    "empty": (empty, "quarantined"),
    "no digest": (no_digest, "quarantined"),
    "aside": (aside, "quarantined"),
    "ghost": (ghost, "missing"),
}
"""Family: (planter, the list that it must go into)."""
FOR_A_PERSON: dict[str, tuple[Plant, str]] = {
    "folder": (folder, "strays"),
    "link": (link, "strays"),
    "pipe": (pipe, "strays"),
}


def bytes_under(root: Path) -> list[bytes]:
    """The contents of every file of an archive, but for unfinished receipts and locks."""
    paths = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path.read_bytes() for path in paths if path.suffix not in (".part", ".lock")]
