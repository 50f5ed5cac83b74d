"""The archive of a home, as its settings say."""

from triage.archive.files import FileArchive
from triage.config import Settings


def archive_of(settings: Settings) -> FileArchive:
    """The archive; its folders are made where they are missing."""
    return FileArchive(settings.home / "instances", settings.storage.floor_bytes)
