"""Bringing a site's database to this version, and back to the one it had before."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from triage import __version__
from triage.bootstrap import UMASK, open_database
from triage.clock import utc_now
from triage.config import Settings
from triage.database.alive import alive
from triage.database.copying import copy_sqlite
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import knows, migrate, newest, present, revision_of, steps_after
from triage.database.since import Difference, since
from triage.database.sqlite import file_of, sqlite_url
from triage.database.way_back import Copy, copies, go_back, take
from triage.domain.errors import ConfigError

SPACES = 2
"""So many times the database's size has to be free beside it: tables written anew, and the log. Once more: the copy."""
MINIMUM = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What an upgrade would meet. ``steps``: the revisions to come; ``at_work``: roles; ``in_the_way``: why it must not begin,
    each with a remedy; ``way_back``: the revision that ``migrate --back`` leads to. Sizes in bytes; of PostgreSQL they are not
    known here.
    """

    revision: str | None
    needed: str
    steps: list[str]
    at_work: list[str] = field(default_factory=list)
    in_the_way: list[str] = field(default_factory=list)
    database_bytes: int | None = None
    free_bytes: int | None = None
    way_back: str | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def nothing_to_do(self) -> bool:
        """Whether the database is as this version needs it."""
        return self.revision == self.needed

    def as_dict(self) -> dict[str, Any]:
        """For people who want JSON."""
        return asdict(self)


def preflight(settings: Settings) -> Preflight:
    """Look, and change nothing.

    Raises:
        ConfigError, IndexUnavailable: the database cannot be opened.
    """
    file = file_of(settings.database)
    versions = {"triage": __version__, "python": platform.python_version()}
    if file is not None and not file.is_file():
        return Preflight(revision=None, needed=newest(), steps=steps_after(None), versions=versions)
    with closing(open_database(settings)) as database:
        revision = present(database.engine)
        known = revision is None or knows(revision)
        size = _size(file) if file is not None else None
        with database.engine.connect() as connection:
            at_work = alive(connection, utc_now())
            server = ".".join(map(str, connection.dialect.server_version_info or ()))
        return Preflight(
            revision=revision,
            needed=newest(),
            steps=steps_after(revision) if known else [],
            at_work=at_work,
            in_the_way=[*_strange(revision, known), *_busy(at_work), *_no_room(settings.home, file, size or 0)],
            database_bytes=size,
            free_bytes=shutil.disk_usage(file.parent).free if file is not None else None,
            way_back=next((one.revision for one in copies(settings.home) if one.revision != revision), None),
            versions=versions | {database.engine.dialect.name: server},
        )


def upgrade(settings: Settings) -> tuple[Preflight, Copy | None]:
    """Bring the database to this version, all steps or none; returns what was met, and the copy (SQLite) made before.

    Nobody writes between copy and upgrade: both happen in one transaction, which has the right to write.

    Raises:
        ConfigError: something is in the way.
        BackupError: the copy cannot be made; nothing was changed.
    """
    os.umask(UMASK)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    met, file = preflight(settings), file_of(settings.database)
    if met.nothing_to_do:
        return met, None
    if met.in_the_way:
        raise ConfigError(f"migrate: {met.in_the_way[0]}")
    taken: list[Copy] = []

    def keep(connection: Any) -> None:
        if revision_of(connection) != met.revision:
            raise ConfigError("migrate: somebody else upgrades this database; look again: triage migrate --check")
        for words in _busy(alive(connection, utc_now())):
            raise ConfigError(f"migrate: {words}")
        if file is not None and met.revision is not None:
            taken.append(take(file, met.revision, settings.home))

    with closing(open_database(settings)) as database:
        migrate(database.engine, first=keep)
    return met, taken[0] if taken else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """What going back means. ``lost``: what is not in the copy, by table. ``aside``: where the present one lies."""

    revision: str
    to: str
    lost: dict[str, Difference]
    aside: Path


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
        with database.engine.connect() as connection:
            at_work = alive(connection, utc_now())
        for words in _busy(at_work):
            raise ConfigError(f"migrate --back: {words}")
        with _upgraded(copy, revision, settings.home) as earlier:
            lost = since(database.engine, earlier)
    if lost and not accept_loss:
        words = "; ".join(f"{table}: {difference}" for table, difference in lost.items())
        raise ConfigError(f"migrate --back: what came since would be lost ({words}); add --accept-loss (docs/upgrade.md)")
    return WayBack(revision=revision, to=copy.revision, lost=lost, aside=go_back(file, revision, copy, settings.home))


@contextmanager
def _upgraded(copy: Copy, revision: str, home: Path) -> Iterator[Path]:
    """The copy as the upgrade left it, to compare with; of a later version's database the copy as it is."""
    compared = home / "compared.db"
    try:
        copy_sqlite(copy.path, compared)
        if knows(revision):
            with closing(SqlDatabase(open_engine(sqlite_url(compared)))) as database:
                migrate(database.engine, to=revision)
        yield compared
    finally:
        for rest in ("", "-wal", "-shm"):
            compared.with_name(compared.name + rest).unlink(missing_ok=True)


def _size(file: Path) -> int:
    return sum(part.stat().st_size for part in (file, file.with_name(file.name + "-wal")) if part.exists())


def _strange(revision: str | None, known: bool) -> Iterator[str]:
    if not known:
        yield f"the database is of a later version (schema {revision}); install that version, or: triage migrate --back"


def _busy(at_work: list[str]) -> Iterator[str]:
    if at_work:
        yield f"the service runs ({', '.join(at_work)}); stop it first, on every machine"


def _no_room(home: Path, file: Path | None, size: int) -> Iterator[str]:
    """The copy goes into the home, which may lie on another disk than the database."""
    if file is None:
        return
    places = [(file.parent, SPACES * size + MINIMUM), (home if home.is_dir() else file.parent, size)]
    wanted: dict[int, int] = {}
    for folder, need in places:
        wanted[folder.stat().st_dev] = wanted.get(folder.stat().st_dev, 0) + need
    for folder, _ in places:
        need, free = wanted.pop(folder.stat().st_dev, 0), shutil.disk_usage(folder).free
        if free < need:
            yield f"{free / 1e6:.0f} MB are free in {folder}, {need / 1e6:.0f} MB are needed; make room"
