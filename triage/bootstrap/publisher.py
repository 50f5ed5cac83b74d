"""The publisher role: every destination of the settings with what speaks to it."""

import fcntl
import os
import secrets
import threading
import time
from typing import TYPE_CHECKING

import structlog

from triage.bootstrap.scheduler import holder
from triage.bootstrap.transports import transport_of
from triage.clock import utc_now
from triage.domain.errors import ConfigError
from triage.domain.schedule import STANDBY
from triage.heartbeat import Heartbeat
from triage.publisher import EXIT_HUNG, Publisher, run_publishers, trouble_of
from triage.services.election import RENEW_EVERY, Election
from triage.services.publish import recover
from triage.supervisor import stop_event

if TYPE_CHECKING:
    from triage.bootstrap import Launch, Site


LOCKED_WITHIN, LOOK_EVERY = 60.0, 0.2
"""Seconds."""


def run_publisher(site: "Site", launch: "Launch") -> None:
    """Send results until SIGTERM.

    Raises:
        ConfigError: no destination is configured, one cannot be spoken to, or another publisher runs on this home.
    """
    settings = site.settings.destinations
    if not settings:
        raise ConfigError("publisher: no destination is configured; add [[destinations]] to the settings (docs/results.md)")
    stop = stop_event(launch.supervised)
    lock = lock_of(site, stop)
    election = Election(site.database, "publisher", holder(), utc_now)
    with Heartbeat(site.database, launch.name, clock=utc_now, restarts=launch.restarts, state=lambda: STANDBY):
        stood_by = stand_by(election, stop)
    if not stood_by:
        os.close(lock)
        return
    transports = {one.name: transport_of(site, one) for one in settings}
    names = [one.name for one in settings]
    if again := recover(site.database, names, utc_now):
        structlog.get_logger().info("deliveries recovered", results=again)
    publishers, bells = [], []
    for one in settings:
        bells.append(bell := site.results_bell)
        bell.listen()
        publishers.append(
            Publisher(
                destination=one.name,
                transport=transports[one.name],
                database=site.database,
                within=one.within,
                clock=utc_now,
                chance=secrets.SystemRandom().random,
                wait=bell.wait,
            )
        )
    with Heartbeat(
        site.database,
        launch.name,
        clock=utc_now,
        restarts=launch.restarts,
        trouble=lambda: trouble_of(site.database, names, utc_now),
        tally=site.tally,
    ):
        structlog.get_logger().info("publishing", destinations=names)
        watch = threading.Thread(target=keep_elected, args=(election, stop), name="election", daemon=True)
        watch.start()
        run_publishers(publishers, stop)
    election.resign()
    for bell in bells:
        bell.close()
    os.close(lock)


def stand_by(election: Election, stop: threading.Event) -> bool:
    """Wait until this publisher is the site's only one, whatever host the others are on; ``False``: told to stop before."""
    while not election.step():
        if stop.wait(RENEW_EVERY.total_seconds()):
            return False
    return True


def keep_elected(election: Election, stop: threading.Event) -> None:
    """Keep the lease; a process that has lost it ends: what it was at is sent by the other one, under the same UIDs."""
    while not stop.wait(RENEW_EVERY.total_seconds()):
        if not election.step():
            structlog.get_logger().error("another publisher was elected")
            os._exit(EXIT_HUNG)


def lock_of(site: "Site", stop: threading.Event, within: float = LOCKED_WITHIN) -> int:
    """This home's only publisher: two would send the same result at the same time after a restart of one.

    One whose supervisor has died may still finish what it was at: it is waited for.

    Raises:
        ConfigError: another one runs, and does not end.
    """
    handle = os.open(site.settings.home / "publisher.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + within
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() < end and not stop.wait(LOOK_EVERY):
                continue
            os.close(handle)
            raise ConfigError(f"publisher: another one runs on {site.settings.home}; stop it first") from None
        return handle
