"""Settings become wired objects; the only module that knows every concrete class."""

import os
import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from triage import logs
from triage.archive.files import FileArchive
from triage.bell import Bell
from triage.clock import utc_now
from triage.config import Settings
from triage.database.anchor import FileAnchor
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import ensure, migrate
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
    from triage.oidc.provider import Provider
    from triage.services.accounts import Accounts
    from triage.web.external import External

ROLES = ("intake", "worker", "web", "scheduler", "publisher", "orders")
"""The last two only where the settings ask for them."""
UMASK = 0o077


@dataclass(frozen=True, slots=True)
class Site:
    """One home, opened. ``tally``: what this process counts for monitoring."""

    settings: Settings
    database: SqlDatabase
    archive: FileArchive
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
    database = open_database(settings)
    ensure(database.engine)
    return Site(settings, database, FileArchive(home / "instances", settings.storage.floor_bytes))


def accounts_of(site: Site) -> "Accounts":
    """The steps around accounts, on this home's database."""
    from triage.database.passwords import Argon2
    from triage.services.accounts import Accounts

    return Accounts(
        database=site.database,
        passwords=Argon2(),
        clock=utc_now,
        secret=lambda: secrets.token_urlsafe(32),
        limits=site.settings.sessions.limits,
        passwords_allowed=site.settings.oidc.password_sign_in,
    )


def provider_of(settings: Settings) -> "Provider | None":
    """The hospital's identity provider, where the settings name one.

    Raises:
        ConfigError: the extra ``[oidc]`` is not installed.
    """
    oidc = settings.oidc
    if not oidc.issuer:
        return None
    try:
        from triage.oidc.provider import Provider
    except ImportError as error:
        raise ConfigError("oidc.issuer needs a library; install it: pip install 'chest-triage[oidc]'") from error
    return Provider(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=oidc.secret(),
        scopes=oidc.scopes,
        clock=utc_now,
    )


def external_of(site: Site, accounts: "Accounts") -> "External | None":
    """Sign-in by :func:`provider_of`, as the pages need it."""
    from triage.services.external_sign_in import ExternalSignIn
    from triage.web.external import External

    oidc, provider = site.settings.oidc, provider_of(site.settings)
    if provider is None:
        return None
    steps = ExternalSignIn(accounts=accounts, rules=oidc.rules)
    return External(provider=provider, steps=steps, label=oidc.label, passwords=oidc.password_sign_in)


def greet_first(site: Site, *, demo: bool) -> None:
    """At the first start make the administrator and tell the one-time password on stderr: once, and in no log line.

    A demonstration makes its own accounts (:mod:`triage.cli.demo`); without passwords the provider names the administrators.
    """
    if demo or not site.settings.oidc.password_sign_in:
        return
    with site.database.read() as transaction:
        if transaction.accounts.accounts():
            return
    if made := accounts_of(site).first_run("(first start)"):
        name, password = made
        sys.stderr.write(f"First sign-in: {name} / {password}   (told once; it has to be changed then)\n")
        sys.stderr.flush()


def open_database(settings: Settings) -> SqlDatabase:
    """The database alone, whatever its schema."""
    policy = RetryPolicy(max_attempts=settings.worker.max_attempts, lease=settings.worker.lease)
    return SqlDatabase(open_engine(settings.database), policy)


def migrate_database(settings: Settings) -> tuple[str | None, str]:
    """Bring the database to this version; returns (revision before, after)."""
    os.umask(UMASK)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = open_database(settings)
    try:
        return migrate(database.engine)
    finally:
        database.close()


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
    from triage.pki.folder import AuthorityFolder
    from triage.scheduler import Bells
    from triage.services.audit import note_policy

    stop = stop_event(launch.supervised)
    settings = site.settings.policy
    policy = {f"head_start.{name}": value for name, value in settings.head_start} | {"min_age_years": settings.min_age_years}
    policy |= {f"viewer.{name}": value for name, value in site.settings.viewer}
    bells = Bells(
        database=site.database,
        archive=site.archive,
        head_starts=site.settings.policy.head_starts,
        clock=utc_now,
        anchor=site.anchor,
        keep_revocations=AuthorityFolder(site.settings.home / "tls").keep_current,
        scrub_every=site.settings.storage.scrub_every,
        scrub_slice_bytes=site.settings.storage.scrub_slice_bytes,
        tally=site.tally,
    )
    note_policy(site.database, {name: str(value) for name, value in policy.items()}, utc_now)
    with Heartbeat(
        site.database,
        launch.name,
        clock=utc_now,
        restarts=launch.restarts,
        trouble=lambda: bells.trouble,
        tally=site.tally,
    ):
        bells.ring(stop)


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
