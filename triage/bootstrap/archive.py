"""The archive of a home, as its settings say."""

from contextlib import nullcontext
from functools import partial

from triage.archive.files import FileArchive
from triage.archive.objects import ObjectArchive
from triage.archive.opening import open_store
from triage.clock import utc_now
from triage.config import Settings
from triage.database.engine import SqlDatabase
from triage.domain.errors import ConfigError
from triage.services.moving import moving

SiteArchive = FileArchive | ObjectArchive


def archive_of(settings: Settings, database: SqlDatabase | None = None) -> SiteArchive:
    """The archive; its folders in the home are made where they are missing. ``database``: by which hosts take turns.

    Raises:
        ConfigError: the folder that the settings name is not there, or what speaks to the store is not installed.
    """
    storage = settings.storage
    if not storage.archive:
        return FileArchive(settings.home / "instances", storage.floor_bytes)
    if storage.folder is not None:
        if not storage.folder.is_dir():  # never made here: below a mount point that is not mounted films would be lost
            raise ConfigError(
                f"storage.archive: {storage.folder} is not there; is it mounted? Make the folder once, on that disk"
            )
        return FileArchive(storage.folder, storage.floor_bytes)
    store = open_store(storage.archive, storage.endpoint, storage.answers_within.total_seconds())
    settling = partial(moving, database, utc_now) if database is not None else nullcontext
    return ObjectArchive(store, settings.home / "instances", storage.floor_bytes, settling)


def begin(archive: SiteArchive, database: SqlDatabase) -> None:
    """Make a new object store an archive. One that is empty while rows name films is not the right one.

    Raises:
        ConfigError: so it is.
        ArchiveAway: the store does not answer.
    """
    if isinstance(archive, FileArchive) or archive.is_begun():
        return
    with database.read() as transaction:
        if transaction.upkeep().objects:
            raise ConfigError(
                "storage.archive: films were stored before, and nothing of them is in this bucket and prefix;"
                " name the right one, or move the films there first: docs/storage.md"
            )
    archive.begin()
