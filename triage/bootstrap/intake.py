"""The intake role: the Storage SCP with TLS and storage commitment, on an archive that was put right first."""

import math
import resource
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import structlog

from triage.archive.receiving import nobody_receives
from triage.bootstrap.archive import begin
from triage.clock import utc_now
from triage.config.destinations import DIMSE
from triage.config.sections import DimseSettings
from triage.dimse.commitment_heard import Reports
from triage.dimse.commitment_scp import StorageCommitment
from triage.dimse.commitment_scu import Calls
from triage.dimse.contexts import STORAGE_CLASSES
from triage.dimse.listener import Limits, Listener
from triage.dimse.loop import CameBack
from triage.dimse.peers import Peer
from triage.dimse.query_scp import Permissions, Queries
from triage.dimse.refusals import Refusals
from triage.dimse.reporter import END_WITHIN, Reporter
from triage.dimse.tls import TlsServer
from triage.dimse.tls_client import ClientContext, client_context
from triage.domain.destination import Destination
from triage.domain.errors import ArchiveAway, TriageError
from triage.domain.figures import TURNED_AWAY
from triage.heartbeat import Heartbeat
from triage.services.audit import turned_away
from triage.services.publish import reported
from triage.services.receive import Reception
from triage.services.reconcile import QUIET, Reconciliation, reconcile
from triage.supervisor import stop_event

if TYPE_CHECKING:
    from triage.bootstrap import Launch, Site

LOOK_EVERY = 1.0
"""Seconds between two looks whether the listener still listens."""
AGAIN = QUIET * 2
"""So long after the start of one of several intakes it looks once more: what it left half-way at its end is quiet by then."""
LOOKED_FOR = 10
"""Missing films that are looked for with each sign of life: of an object store each is a question."""
FILES = 8192
"""Open files that the listener wants: 2,048 connections that wait, the associations, and what they write."""


def run_intake(site: "Site", launch: "Launch") -> None:
    """Reconcile, listen, and drain on SIGTERM.

    Raises:
        ConfigError: another intake runs on this home, the port is taken, or the TLS files cannot be used.
        TriageError: the listener ended without having been told to.
    """
    stop = stop_event(launch.supervised)
    _allow_files()
    settings, dimse = site.settings, site.settings.dimse
    secure = TlsServer(settings.tls_files, settings.tls_bindings, utc_now) if settings.tls_files is not None else None
    found = _put_right(site)
    commitment = _commitment(site)
    reporter = Reporter(commitment, database=site.database, destinations=dimse.destinations, calls=_calls(site), clock=utc_now)
    reporter.start(alone=not settings.node)
    refusals = Refusals(lambda address, cause: _turned_away(site, address, cause))
    refusals.start()
    listener = Listener(
        ae_title=dimse.ae_title,
        host=dimse.host,
        port=dimse.port,
        peers=[Peer.parse(text) for text in dimse.allowed_peers],
        limits=Limits(
            associations=dimse.max_associations,
            of_address=min(dimse.max_associations_of_address, dimse.max_associations),
            object_bytes=dimse.max_object_bytes,
        ),
        begin=partial(
            Reception,
            archive=site.archive,
            database=site.database,
            head_starts=settings.policy.head_starts,
            max_object_bytes=dimse.max_object_bytes,
            clock=utc_now,
            listed=site.bell.ring,
            came_back=CameBack(),
        ),
        secure=secure,
        refused=refusals.note,
        commitments=commitment,
        queries=_queries(site),
        reports=_reports(site),
        answered=site.tally.film,
    )

    def trouble() -> str | None:
        return (
            site.archive.trouble() or _still_missing(site, found.missing) or (secure.trouble() if secure is not None else None)
        )

    with Heartbeat(site.database, launch.name, clock=utc_now, restarts=launch.restarts, trouble=trouble, tally=site.tally):
        structlog.get_logger().info("listening", ae_title=dimse.ae_title, host=dimse.host, port=listener.port)
        again = time.monotonic() + AGAIN.total_seconds() if settings.node else math.inf
        while not stop.wait(LOOK_EVERY) and listener.is_listening:
            if time.monotonic() >= again:
                _look_again(site)
                again = math.inf
        failed = not stop.is_set()
        aborted = listener.stop()
        reporter.stop()
        refusals.stop(END_WITHIN)
        structlog.get_logger().info("stopped", aborted=aborted)
    if failed:
        raise TriageError("the listener ended by itself; its last log lines say why")


def _put_right(site: "Site") -> Reconciliation:
    """Before this intake listens. Where it is one of several nodes', what the others may be receiving is left alone."""
    site.archive.lock(site.settings.node)
    begin(site.archive, site.database)
    head_starts = site.settings.policy.head_starts
    if site.settings.node:
        return _told(reconcile(site.archive, site.database, head_starts, utc_now, QUIET))
    with nobody_receives(site.archive.root):  # the web role may store by STOW-RS
        return _told(reconcile(site.archive, site.database, head_starts, utc_now))


def _look_again(site: "Site") -> None:
    try:
        _told(reconcile(site.archive, site.database, site.settings.policy.head_starts, utc_now, QUIET))
    except TriageError as error:  # what it would have found is found at the next start
        structlog.get_logger().error("reconciling failed", cause=str(error))


def _still_missing(site: "Site", missing: list[str]) -> str | None:
    """What is said of films that were not there at the start; a few of them are looked for each time."""
    try:
        for digest in missing[:LOOKED_FOR]:
            if site.archive.holds(digest):
                missing.remove(digest)
    except ArchiveAway as error:
        return str(error)
    return f"{len(missing)} indexed films are not on disk; run: triage verify" if missing else None


def _told(found: Reconciliation) -> Reconciliation:
    structlog.get_logger().info("reconciled", **{name: len(items) for name, items in found.as_dict().items()})
    return found


def _turned_away(site: "Site", address: str, cause: str) -> None:
    site.tally.add(TURNED_AWAY)
    turned_away(site.database, address, cause, utc_now)


def _commitment(site: "Site") -> StorageCommitment:
    return StorageCommitment(
        archive=site.archive,
        database=site.database,
        supported=STORAGE_CLASSES,
        reachable=site.settings.dimse.destinations,
        clock=utc_now,
        chance=secrets.SystemRandom().random,
    )


def _reports(site: "Site") -> Reports | None:
    """What those tell whom we ask whether they keep our results; ``None``: we ask nobody."""
    asked: dict[str, list[str]] = {}
    for one in site.settings.destinations:
        if one.commitment and one.kind in DIMSE:
            asked.setdefault(one.entity.ae_title, []).append(one.name)

    def heard(ae_title: str, commitment_uid: str, kept: bool) -> bool:
        return reported(site.database, asked[ae_title], commitment_uid, kept, utc_now)

    return Reports(tuple(asked), heard) if asked else None


def _queries(site: "Site") -> Queries:
    dimse = site.settings.dimse
    return Queries(
        ae_title=dimse.ae_title,
        database=site.database,
        archive=site.archive,
        local=site.archive.local,
        clock=utc_now,
        permissions=permissions(dimse),
        tls=_tls(site),
    )


def permissions(dimse: DimseSettings) -> Permissions:
    """Who may ask and fetch, as the settings name them.

    Raises:
        ConfigError: not AET or AET@ADDRESS.
    """
    return Permissions(
        query=[Peer.parse(text, "dimse.query_peers") for text in dimse.query_peers],
        retrieve=[Peer.parse(text, "dimse.retrieve_peers") for text in dimse.retrieve_peers],
        destinations={one.ae_title: one for one in map(Destination.parse, dimse.move_destinations)},
    )


def _calls(site: "Site") -> Calls:
    return Calls(site.settings.dimse.ae_title, _tls(site))


def _tls(site: "Site") -> Callable[[Destination], ClientContext] | None:
    """What makes the TLS of a call to somebody; ``None``: calls go without."""
    settings = site.settings

    def context(to: Destination) -> ClientContext:
        assert settings.tls_files is not None
        return client_context(
            settings.tls_files, ae_title=to.ae_title, host=to.host, bindings=settings.tls_bindings, clock=utc_now
        )

    return context if settings.tls_files is not None else None


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES if hard == resource.RLIM_INFINITY else min(FILES, hard), hard))
