"""Copies of a SQLite database from before an upgrade, and putting one of them in its place again.

::

    HOME/before-upgrade/0014_orders.db     as it was when the upgrade from that revision began
    HOME/before-upgrade/0014_orders.head   the audit's anchor of that moment
    HOME/after-upgrade/0017_figures.db     what a way back has replaced
"""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from triage.database.copying import copy_sqlite
from triage.domain.errors import ConfigError

BEFORE, AFTER = "before-upgrade", "after-upgrade"
KEPT = 3
"""So many copies stay, of the upgrades before last too."""
ANCHOR = "audit.head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One of them. ``revision``: the schema it has."""

    path: Path
    revision: str


def copies(home: Path) -> list[Copy]:
    """Those that there are, the last one first."""
    found = sorted((home / BEFORE).glob("*.db"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [Copy(path=path, revision=path.stem) for path in found]


def take(database: Path, revision: str, home: Path) -> Copy:
    """Copy the database as it is before the upgrade; replaces an earlier copy of the same revision.

    Raises:
        BackupError: it cannot be copied.
    """
    folder = home / BEFORE
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{revision}.db"
    if (home / ANCHOR).is_file():
        shutil.copyfile(home / ANCHOR, target.with_suffix(".head"))
    copy_sqlite(database, target)
    _sync(folder)
    _sync(home)
    for old in copies(home)[KEPT:]:
        old.path.unlink()
        old.path.with_suffix(".head").unlink(missing_ok=True)
    return Copy(path=target, revision=revision)


def go_back(database: Path, revision: str, copy: Copy, home: Path) -> Path:
    """Put the copy in the database's place; returns where the present one, of ``revision``, lies now. Safe to kill.

    Raises:
        BackupError: one of them cannot be copied.
        ConfigError: somebody has the database open.
    """
    aside = home / AFTER
    aside.mkdir(mode=0o700, exist_ok=True)
    copy_sqlite(database, aside / f"{revision}.db")
    _sync(aside)
    _emptied_log(database)
    # the anchor first: the audit of the later database holds against the earlier anchor too, not the other way round
    if (head := copy.path.with_suffix(".head")).is_file():
        shutil.copyfile(head, home / ANCHOR)
    copy_sqlite(copy.path, database)  # by rename: whoever is killed here leaves one of the two, whole
    _sync(home)
    return aside / f"{revision}.db"


def _emptied_log(database: Path) -> None:
    """What stands in the write-ahead log goes into the database, and the log goes: it must not meet another database."""
    with closing(sqlite3.connect(database, timeout=5)) as connection:
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")  # which nobody else may have open, and which removes the log
        except sqlite3.OperationalError:
            raise ConfigError("somebody has the database open; stop the service and every triage command, then again") from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
