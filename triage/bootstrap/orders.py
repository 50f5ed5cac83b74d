"""The orders role: listens for what the RIS says of orders, keeps it and applies it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from triage.clock import utc_now
from triage.domain.errors import ConfigError, TriageError
from triage.heartbeat import Heartbeat
from triage.hl7.desk import Desk
from triage.hl7.listener import Limits, Listener
from triage.hl7.orders import Reading
from triage.services.orders import KEPT, Heard, Taken, take_orders
from triage.supervisor import stop_event

if TYPE_CHECKING:
    from triage.bootstrap import Launch, Site

LOOK_EVERY = 1.0
"""Seconds between two looks whether the listener still listens."""
FORGET_EVERY = 3600.0


def run_orders(site: "Site", launch: "Launch") -> None:
    """Listen, and end on SIGTERM once the messages at hand are answered.

    Raises:
        ConfigError: no port is set, or it is taken.
        TriageError: the listener ended without having been told to.
    """
    hl7 = site.settings.hl7
    if not hl7.port:
        raise ConfigError("hl7.port is not set: name the port on which the RIS sends orders, or leave the role orders out")
    stop = stop_event(launch.supervised)
    head_starts = site.settings.policy.head_starts

    def take(heard: Sequence[Heard]) -> Taken:
        return take_orders(site.database, heard, head_starts, utc_now)

    desk = Desk(take, utc_now, Reading(places=tuple(hl7.accession_at), stat=tuple(hl7.stat_priorities)))
    listener = Listener(
        host=hl7.host,
        port=hl7.port,
        peers=hl7.allowed_peers,
        limits=Limits(connections=hl7.max_connections, message_bytes=hl7.max_message_bytes),
        answer=desk.answer,
        unframed=desk.unframed,
    )
    with Heartbeat(site.database, launch.name, clock=utc_now, restarts=launch.restarts, tally=site.tally):
        structlog.get_logger().info("listening for orders", host=hl7.host, port=listener.port)
        forgotten_at = float("-inf")
        while not stop.wait(LOOK_EVERY) and listener.is_listening:
            if time.monotonic() - forgotten_at > FORGET_EVERY:
                forgotten_at = time.monotonic()
                _forget(site)
        failed = not stop.is_set()
        listener.stop()
    if failed:
        raise TriageError("the listener for orders ended by itself; its last log lines say why")


def _forget(site: "Site") -> None:
    try:
        with site.database.write() as transaction:
            forgotten = transaction.orders.forget(utc_now() - KEPT)
    except TriageError as error:
        structlog.get_logger().warning("old orders stay for now", cause=str(error))
    else:
        if forgotten:
            structlog.get_logger().info("old orders forgotten", statements=forgotten)
