"""The scheduler role: the recurring jobs, wired; of several schedulers of one site one rings."""

import os
import secrets
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from triage.bootstrap.backup import back_up, retire_old
from triage.clock import utc_now
from triage.domain.errors import BackupError
from triage.domain.schedule import DRIFT, FLOOD, SILENCE
from triage.heartbeat import Heartbeat
from triage.pki.folder import AuthorityFolder
from triage.scheduler import Bells, Recurring
from triage.services.audit import note_policy
from triage.services.drift import look_for_drift, look_for_flood
from triage.services.election import Election
from triage.services.silence import look_for_silence
from triage.supervisor import stop_event

if TYPE_CHECKING:
    from triage.bootstrap import Launch, Site

SILENCE_EVERY = timedelta(minutes=10)
DRIFT_EVERY, FLOOD_EVERY = timedelta(hours=1), timedelta(minutes=5)
RETENTION_EVERY = timedelta(hours=1)


def holder() -> str:
    """This process's name in an election: no other, on whatever host, ever has it."""
    return f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"


def run_scheduler(site: "Site", launch: "Launch") -> None:
    """Ring until SIGTERM."""
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
        more=recurring(site),
        election=Election(site.database, "scheduler", holder(), utc_now),
    )
    note_policy(site.database, {name: str(value) for name, value in policy.items()}, utc_now)
    with Heartbeat(
        site.database,
        launch.name,
        clock=utc_now,
        restarts=launch.restarts,
        trouble=lambda: bells.trouble,
        state=lambda: bells.state,
        tally=site.tally,
    ):
        bells.ring(stop)


def recurring(site: "Site") -> list[Recurring]:
    """The jobs that the settings ask for, beside those that always ring."""
    jobs: list[Recurring] = [
        (SILENCE, SILENCE_EVERY, lambda go_on: look_for_silence(site.database, utc_now)),
        (DRIFT, DRIFT_EVERY, lambda go_on: look_for_drift(site.database)),
        (FLOOD, FLOOD_EVERY, lambda go_on: look_for_flood(site.database)),
    ]
    backup, retention = site.settings.backup, site.settings.retention
    if backup.directory is not None:
        jobs.append(("backup", backup.every, lambda go_on: _back_up(site, go_on)))
    if retention.studies_after:
        jobs.append(("retention", RETENTION_EVERY, lambda go_on: _retire(site, go_on)))
    return jobs


def _back_up(site: "Site", go_on: Callable[[], object]) -> None:
    settings = site.settings.backup
    assert settings.directory is not None

    def step(number: int, total: int) -> None:
        go_on()

    done = back_up(site, settings.directory, settings.keep, step)
    structlog.get_logger().info("backed up", films=done.films, copied=done.copied, dropped=len(done.dropped))
    if not done.ok:
        raise BackupError(f"{len(done.damaged) + len(done.missing)} films are damaged or gone; run: triage verify")


def _retire(site: "Site", go_on: Callable[[], object]) -> None:
    done = retire_old(site, go_on=go_on)
    structlog.get_logger().info("retired", studies=len(done.studies), films=done.films, stayed=len(done.stayed))
