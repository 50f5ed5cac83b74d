"""Settings become wired objects; the only module that knows every concrete class."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from triage import logs
from triage.bell import Bell
from triage.bootstrap.archive import SiteArchive, archive_of
from triage.clock import utc_now
from triage.config import Settings
from triage.database.anchor import FileAnchor
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import ensure
from triage.domain.errors import ConfigError, TriageError
from triage.domain.jobs import RetryPolicy
from triage.domain.role import RoleStatus, signed
from triage.heartbeat import Heartbeat
from triage.notify import Pulse
from triage.services.tally import Tally
from triage.supervisor import Supervisor, stop_event

if TYPE_CHECKING:
    from triage.inference.active import ActiveClassifier
    from triage.inference.registry import Registry

ROLES = ("intake", "worker", "web", "scheduler", "publisher", "orders")
"""The last two only where the settings ask for them."""
UMASK = 0o077
UNFINISHED = "restore.unfinished"
"""Lies in a home into which a restore was broken off (:mod:`triage.bootstrap.backup`)."""


@dataclass(frozen=True, slots=True)
class Site:
    """One home, opened. ``tally``: what this process counts for monitoring."""

    settings: Settings
    database: SqlDatabase
    archive: SiteArchive
    tally: Tally = field(default_factory=Tally)

    @property
    def anchor(self) -> FileAnchor:
        """Where heads of the audit are noted apart from the database."""
        return FileAnchor(self.settings.home / "audit.head")

    @property
    def bell(self) -> Bell:
        """What wakes the workers: a new one for each that rings or listens."""
        return Bell(self.settings.home / "bell")

    @property
    def results_bell(self) -> Bell:
        """What wakes the publisher."""
        return Bell(self.settings.home / "bell_results")

    @property
    def models(self) -> Path:
        """Where bundles are installed."""
        return self.settings.home / "models"


def open_site(settings: Settings, *, create: bool = False) -> Site:
    """Open a home; with ``create``, make what is missing.

    Raises:
        ConfigError: there is no home, or its database is of another version.
    """
    os.umask(UMASK)
    home = settings.home
    if create:
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"home: cannot make {home} ({error.strerror})") from error
    elif not home.is_dir():
        raise ConfigError(f"home: {home} does not exist; start the service once (triage serve) or name it with --home")
    if (home / UNFINISHED).exists():
        raise ConfigError(f"home: a restore into {home} was broken off; run it again: triage restore DIR --home {home}")
    database = open_database(settings)
    try:
        ensure(database.engine)
    except BaseException:
        database.close()
        raise
    return Site(settings, database, archive_of(settings, database))


def open_database(settings: Settings) -> SqlDatabase:
    """The database alone, whatever its schema."""
    policy = RetryPolicy(max_attempts=settings.worker.max_attempts, lease=settings.worker.lease)
    return SqlDatabase(open_engine(settings.database), policy)


def registry(settings: Settings) -> "Registry":
    """The installed bundles."""
    from triage.inference.registry import Registry

    return Registry(settings.home / "models")


def active_classifier(site: Site) -> "ActiveClassifier":
    """The network that serves."""
    from triage.inference.active import ActiveClassifier

    return ActiveClassifier(site.models, site.settings.worker.threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a role's process was started. ``name`` tells apart several of one role; with the node it signs the heartbeat."""

    name: str
    supervised: bool = False
    restarts: int = 0
    demo: bool = False


def run_role(role: str, settings: Settings, launch: Launch) -> None:
    """Run one role in this process until SIGTERM.

    Raises:
        ConfigError: it cannot start.
    """
    launch = replace(launch, name=signed(launch.name, settings.node))
    logs.configure(launch.name)
    with Pulse():
        site = open_site(settings, create=True)
        note_destinations(site)
        RUNNERS[role](site, launch)


def note_destinations(site: Site) -> None:
    """Note destinations that are new, before the next result is written: from then on they hear of every one."""
    from triage.services.publish import register

    if names := [one.name for one in site.settings.destinations]:
        register(site.database, names, utc_now)


def _run_intake(site: Site, launch: Launch) -> None:
    from triage.bootstrap.intake import run_intake

    run_intake(site, launch)


def _run_publisher(site: Site, launch: Launch) -> None:
    from triage.bootstrap.publisher import run_publisher

    run_publisher(site, launch)


def _run_orders(site: Site, launch: Launch) -> None:
    from triage.bootstrap.orders import run_orders

    run_orders(site, launch)


def _run_worker(site: Site, launch: Launch) -> None:
    from triage.sandbox.films import SandboxFilms
    from triage.worker import Worker

    stop = stop_event(launch.supervised)
    bell, results_bell = site.bell, site.results_bell
    bell.listen()
    films = SandboxFilms()
    films.start()  # loads its libraries while the network is loaded
    worker = Worker(
        name=f"{launch.name}-{os.getpid()}",
        database=site.database,
        archive=site.archive,
        films=films,
        load=active_classifier(site),
        head_starts=site.settings.policy.head_starts,
        min_age_years=site.settings.policy.min_age_years,
        clock=utc_now,
        wait=bell.wait,
        said=results_bell.ring,
        tally=site.tally,
    )
    worker.warm_up()
    with Heartbeat(
        site.database,
        launch.name,
        clock=utc_now,
        restarts=launch.restarts,
        trouble=lambda: worker.trouble,
        model=lambda: worker.model,
        tally=site.tally,
    ):
        worker.run(stop)
    bell.close()
    results_bell.close()
    films.close()


def _run_web(site: Site, launch: Launch) -> None:
    from triage.bootstrap.web import run_web

    run_web(site, launch)


def _run_scheduler(site: Site, launch: Launch) -> None:
    from triage.bootstrap.scheduler import run_scheduler

    run_scheduler(site, launch)


RUNNERS: dict[str, Callable[[Site, Launch], None]] = {
    "intake": _run_intake,
    "worker": _run_worker,
    "web": _run_web,
    "scheduler": _run_scheduler,
    "publisher": _run_publisher,
    "orders": _run_orders,
}


def run_supervisor(roles: list[str], settings: Settings, arguments: list[str], stop: threading.Event) -> int:
    """Run several roles, each its own process; ``arguments`` are the options that every role gets. Returns the exit code."""
    logs.configure("supervisor")
    site = open_site(settings, create=True)
    note_destinations(site)

    names = [name for role in roles for name in _names(role, settings)]

    def command(name: str, restarts: int) -> list[str]:
        own = ["--supervised", "--name", name, "--restarts", str(restarts)]
        return [sys.executable, "-m", "triage", "serve", name.partition("-")[0], *arguments, *own]

    def died(role: str, exit_code: int, restarts: int) -> None:
        now = utc_now()
        status = RoleStatus(
            role=signed(role, settings.node),
            pid=0,
            started_at=now,
            beat_at=now,
            state="restarting",
            restarts=restarts,
            trouble=f"died (exit code {exit_code}), restart {restarts}",
        )
        try:
            with site.database.write() as transaction:
                transaction.put_role(status)
        except TriageError as error:
            structlog.get_logger().warning("restart not recorded", cause=str(error))

    return Supervisor(names, command, died).run(stop)


def _names(role: str, settings: Settings) -> list[str]:
    """The processes of a role: ``worker``, ``worker-2``, …; one of every other."""
    count = settings.worker.processes if role == "worker" else 1
    return [role, *(f"{role}-{number}" for number in range(2, count + 1))]
