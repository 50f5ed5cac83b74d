"""Backing up and restoring, wired: a site, a backup's folder, and what else of the home belongs to it."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage import __version__
from triage.archive.copies import FILMS, Copies, sync, write
from triage.archive.files import FileArchive
from triage.archive.objects import ObjectArchive
from triage.archive.part10 import data_set_offset
from triage.bootstrap import UNFINISHED
from triage.bootstrap.archive import archive_of
from triage.clock import utc_now
from triage.database.copying import copy_database, is_empty, restore_database, shared_moment
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import knows, newest, present
from triage.database.sqlite import file_of, sqlite_url
from triage.domain.errors import BackupError, ConfigError
from triage.services.backup import ASIDE, FILM, Backup, Progress, Stored, facts, keep, objects_in, objects_of, put_back
from triage.services.retention import Policy, Retired, retire

if TYPE_CHECKING:
    from typing import BinaryIO

    from triage.bootstrap import Site
    from triage.config import Settings

ALONG = ("triage.toml", "audit.head")
"""Files of the home that go with the database. Keys do not: ``tls/`` is to be kept apart."""
MODELS = "models"


def back_up(site: "Site", root: Path, keep_generations: int, progress: Progress) -> Backup:
    """One more generation under ``root``; the last ``keep_generations`` stay.

    Raises:
        BackupError: it cannot be made; those before it stay.
    """
    copies = Copies(root.absolute(), create=True)
    turn = len(copies.generations()) + utc_now().toordinal()
    with alone(site.settings.home, wait=True), copies.alone():
        folder = copies.begin(at := utc_now())
        try:
            _take_along(site.settings.home, folder)  # the audit's anchor must not be ahead of the database
            database, objects = _copied(site, folder)
            done = keep(
                site.archive, copies, objects, progress, lambda digest: (int(digest[:4], 16) - turn) % keep_generations == 0
            )
            done.name = folder.name
            write(folder / FILMS, "".join(f"{kind} {digest}\n" for kind, digest in objects).encode("ascii"))
            copies.finish(folder, facts(done, at, __version__, present(site.database.engine) or "", database.name))
        except OSError as error:
            raise BackupError(f"{root}: not written ({error.strerror}); the backups before it stay") from error
        done.dropped = copies.drop_before(keep_generations)
    return done


def _copied(site: "Site", folder: Path) -> tuple[Path, list[tuple[str, str]]]:
    """The copy of the database, and the films that it names."""
    url = site.settings.database
    if file_of(url) is not None:
        database = copy_database(url, folder)
        return database, _objects(database)
    with site.database.read() as transaction:
        objects = objects_in(transaction)
        return copy_database(url, folder, shared_moment(transaction.connection)), objects


def _objects(database: Path) -> list[tuple[str, str]]:
    copy = SqlDatabase(open_engine(sqlite_url(database)))
    try:
        return objects_of(copy)
    finally:
        copy.close()
        for rest in ("-wal", "-shm"):  # what was only read needs neither
            database.with_name(database.name + rest).unlink(missing_ok=True)


def _take_along(home: Path, folder: Path) -> None:
    for name in ALONG:
        if (home / name).is_file():
            shutil.copyfile(home / name, folder / name)
            os.chmod(folder / name, 0o600)
    if (home / MODELS).is_dir():
        shutil.copytree(home / MODELS, folder / MODELS, ignore=shutil.ignore_patterns("*.part", "tmp*"))
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as written:
                os.fsync(written.fileno())


def chosen(directory: Path) -> tuple[Copies, Path]:
    """A backup's folder and the generation meant: the one named, or the last of those in it.

    Raises:
        BackupError: there is none.
    """
    directory = directory.absolute()
    if (directory.parent / "films").is_dir() and (directory / FILMS).is_file():
        return Copies(directory.parent), directory
    copies = Copies(directory)
    if not (whole := copies.generations()):
        raise BackupError(f"{directory}: no whole backup lies here; name the folder that was given to: triage backup")
    return copies, whole[-1]


def restore(settings: "Settings", directory: Path, progress: Progress) -> dict[str, Any]:
    """Put a backup into an empty home; returns what its manifest says. Broken off, it can be run again.

    Raises:
        BackupError: the backup is not whole.
        ConfigError: the home is not empty, or the backup is of a later version.
    """
    copies, folder = chosen(directory)
    manifest = copies.manifest(folder)
    if not knows(str(manifest["revision"])):
        words = f"made by version {manifest['version']}, schema {manifest['revision']}; this version knows up to {newest()}"
        raise ConfigError(f"{folder}: {words}: install that version to restore it")
    home = settings.home
    marker = home / UNFINISHED
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    archive = archive_of(settings)
    # a store that has films already may be the site's own, whose database was lost: they are named by what they are
    full = isinstance(archive, FileArchive) and next(archive.digests(), None) is not None
    if not marker.exists() and full:
        raise ConfigError(f"home: {home} is not empty; name another with --home, or move this one away")
    if not marker.exists() and not is_empty(settings.database):
        raise ConfigError(f"home: {home} is not empty, it has a database; name another with --home, or another database_url")
    if isinstance(archive, ObjectArchive):
        archive.begin()
    marker.write_text(f"{folder}\n")
    sync(home)
    lines = [line.split() for line in (folder / FILMS).read_text(encoding="ascii").splitlines()]
    absent = {*manifest["damaged"], *manifest["missing"]}
    stored = (one for one in _stored(copies, lines) if one.digest not in absent)
    put_back(archive, stored, len(lines), progress)
    for name in ALONG:
        if (folder / name).is_file() and not (home / name).exists():
            shutil.copyfile(folder / name, home / name)
            os.chmod(home / name, 0o600)
    if (folder / MODELS).is_dir():
        shutil.copytree(folder / MODELS, home / MODELS, dirs_exist_ok=True)
    restore_database(folder / str(manifest["database"]), settings.database)
    marker.unlink()
    sync(home)
    return manifest


@contextmanager
def alone(home: Path, *, wait: bool) -> Iterator[None]:
    """Of backup and retention one works at a time: a film that goes between two steps of a backup would be missing there.

    Raises:
        BackupError: the other one works (not with ``wait``).
    """
    descriptor = os.open(home / "upkeep.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    except BlockingIOError:
        raise BackupError("a backup is under way; try again when it is done") from None
    finally:
        os.close(descriptor)


def retire_old(site: "Site", *, dry_run: bool = False, go_on: Callable[[], object] = lambda: None) -> Retired:
    """Let studies go as the settings say."""
    settings = site.settings
    policy = Policy(
        after=settings.retention.studies_after,
        destinations=[one.name for one in settings.destinations],
        committing=[one.name for one in settings.destinations if one.commitment],
    )
    with alone(settings.home, wait=False):
        return retire(site.archive, site.database, policy, utc_now, settings.retention.at_most, dry_run=dry_run, go_on=go_on)


def _stored(copies: Copies, lines: list[list[str]]) -> Iterator[Stored]:
    for kind, digest in lines:
        path = copies.film(digest) if kind == FILM else copies.aside_film(digest)
        yield Stored(kind=kind, digest=digest, path=path, head=partial(_head, kind))


def _head(kind: str, stream: "BinaryIO") -> int:
    try:
        offset = data_set_offset(stream)
    except ValueError:
        if kind != ASIDE:
            raise BackupError("a film of the backup is no DICOM file; take another generation") from None
        offset = 0  # named by all of its bytes
    stream.seek(0)
    return offset
