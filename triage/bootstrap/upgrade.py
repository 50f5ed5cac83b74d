"""Bringing a site's database to this version, and back to the one it had before."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from triage.bootstrap import UMASK, open_database
from triage.clock import utc_now
from triage.config import Settings
from triage.database.alive import alive
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import knows, migrate, newest, present, steps_after
from triage.database.sqlite import file_of, sqlite_url
from triage.database.way_back import Copy, copies, go_back, since, take
from triage.domain.errors import ConfigError

SPACES = 3
"""So many times the database's size has to be free: a copy of it, tables that are written anew, and the log."""
MINIMUM = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What an upgrade would meet. ``steps``: the revisions to come; ``in_the_way``: why it must not begin, each with a remedy;
    ``way_back``: the revision that ``migrate --back`` leads to. Sizes in bytes; of PostgreSQL they are not known here.
    """

    revision: str | None
    needed: str
    steps: list[str]
    in_the_way: list[str] = field(default_factory=list)
    database_bytes: int | None = None
    free_bytes: int | None = None
    way_back: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For people who want JSON."""
        return asdict(self)


def preflight(settings: Settings) -> Preflight:
    """Look, and change nothing.

    Raises:
        ConfigError, IndexUnavailable: the database cannot be opened.
    """
    file = file_of(settings.database)
    if file is not None and not file.is_file():
        return Preflight(revision=None, needed=newest(), steps=steps_after(None))
    with closing(open_database(settings)) as database:
        revision = present(database.engine)
        known = revision is None or knows(revision)
        size, free = (_size(file), shutil.disk_usage(file.parent).free) if file is not None else (None, None)
        return Preflight(
            revision=revision,
            needed=newest(),
            steps=steps_after(revision) if known else [],
            in_the_way=[*_strange(revision, known), *_at_work(database), *_no_room(size, free)],
            database_bytes=size,
            free_bytes=free,
            way_back=next((one.revision for one in copies(settings.home) if one.revision != revision), None),
        )


def upgrade(settings: Settings) -> tuple[Preflight, Copy | None]:
    """Bring the database to this version, all steps or none; returns what was met, and the copy (SQLite) made before.

    Raises:
        ConfigError: something is in the way.
        BackupError: the copy cannot be made; nothing was changed.
    """
    os.umask(UMASK)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    met, file = preflight(settings), file_of(settings.database)
    if met.revision == met.needed:
        return met, None
    if met.in_the_way:
        raise ConfigError(f"migrate: {met.in_the_way[0]}")
    copy = take(file, met.revision, settings.home) if file is not None and met.revision is not None else None
    with closing(open_database(settings)) as database:
        migrate(database.engine)
    return met, copy


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """What going back means. ``since``: rows more or less than in the copy, by table. ``aside``: where the present one lies."""

    revision: str
    to: str
    since: dict[str, int]
    aside: Path | None = None


def way_back(settings: Settings, *, accept_loss: bool = False) -> WayBack:
    """Put the copy from before the last upgrade in the database's place.

    Raises:
        ConfigError: there is none, somebody is at work, or what came since would be lost and that was not accepted.
        BackupError: the copy is damaged; nothing was changed.
    """
    os.umask(UMASK)
    file = file_of(settings.database)
    if file is None:
        raise ConfigError("migrate --back: for SQLite only; of PostgreSQL restore the dump made before (docs/upgrade.md)")
    if not file.is_file():
        raise ConfigError(f"migrate --back: {file} does not exist")
    with closing(open_database(settings)) as database:
        revision = present(database.engine) or "empty"
        copy = next((one for one in copies(settings.home) if one.revision != revision), None)
        if copy is None:
            raise ConfigError(f"migrate --back: no copy from before an upgrade in {settings.home}; restore a backup")
        if at_work := list(_at_work(database)):
            raise ConfigError(f"migrate --back: {at_work[0]}")
        with closing(SqlDatabase(open_engine(sqlite_url(copy.path)))) as before:
            lost = since(database.engine, before.engine)
    if lost and not accept_loss:
        words = ", ".join(f"{name} {number:+}" for name, number in lost.items())
        raise ConfigError(f"migrate --back: rows since the copy would be lost ({words}); add --accept-loss (docs/upgrade.md)")
    return WayBack(revision=revision, to=copy.revision, since=lost, aside=go_back(file, revision, copy, settings.home))


def _size(file: Path) -> int:
    return sum(part.stat().st_size for part in (file, file.with_name(file.name + "-wal")) if part.exists())


def _strange(revision: str | None, known: bool) -> Iterator[str]:
    if not known:
        yield f"the database is of a later version (schema {revision}); install that version, or: triage migrate --back"


def _at_work(database: SqlDatabase) -> Iterator[str]:
    if found := alive(database.engine, utc_now()):
        yield f"the service runs ({', '.join(found)}); stop it first, on every machine"


def _no_room(size: int | None, free: int | None) -> Iterator[str]:
    if size is not None and free is not None and free < (wanted := SPACES * size + MINIMUM):
        yield f"{free / 1e6:.0f} MB are free beside the database, {wanted / 1e6:.0f} MB are needed; make room"
