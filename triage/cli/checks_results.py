"""What ``triage check`` looks at of destinations: each answers, and nothing waits or was refused."""

import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

from triage.bootstrap import open_database
from triage.cli.finding import FAIL, OK, WARN, Finding
from triage.clock import utc_now
from triage.config import Settings
from triage.config.destinations import DestinationSettings, Kind
from triage.database import schema
from triage.domain.delivery import LONG, DestinationState, counted
from triage.domain.worklist import span

WITHIN = 3.0
WEB_PORTS = {"http": 80, "https": 443}
_BY_URL = (Kind.STOW, Kind.WEBHOOK)


def destinations(settings: Settings) -> Iterator[Finding]:
    """Whoever hears of results answers at its address, and what waits for it does not wait long."""
    for one in settings.destinations:
        yield _reached(one)
    if not settings.destinations or not settings.home.is_dir():
        return
    with closing(open_database(settings)) as database:
        if schema.present(database.engine) != schema.newest():
            return
        with database.read() as transaction:
            standing = transaction.deliveries.destinations()
    names = {one.name for one in settings.destinations}
    for state in standing:
        yield from _standing(state, state.name in names)


def address_of(settings: DestinationSettings) -> tuple[str, int]:
    """Host and port of a destination."""
    if settings.kind in _BY_URL:
        url = urlsplit(settings.url)
        return url.hostname or "", url.port or WEB_PORTS[url.scheme]
    return settings.entity.host, settings.entity.port


def _reached(settings: DestinationSettings) -> Finding:
    host, port = address_of(settings)
    subject, where = "destination", f"{settings.name} ({settings.kind.value}) at {host}:{port}"
    try:
        socket.create_connection((host, port), WITHIN).close()
    except OSError as error:
        remedy = "is it running, is the address right, does a firewall stand between? Results wait for it, however long"
        return Finding(FAIL, subject, f"{where} does not answer ({error.strerror or type(error).__name__})", remedy)
    return Finding(OK, subject, f"{where} answers")


def _standing(one: DestinationState, configured: bool) -> Iterator[Finding]:
    if one.refused:
        words = f"{one.name} refused {counted(one.refused)}"
        yield Finding(
            WARN, "deliveries", words, "see why: triage deliveries; mend it, then: triage deliveries retry --all-refused"
        )
    if one.waiting and not configured:
        words = f"{counted(one.waiting)} for {one.name}, which is configured no more"
        yield Finding(WARN, "deliveries", words, "name it in the settings again, or leave them")
    waited = utc_now() - one.oldest_waiting if one.oldest_waiting else None
    if configured and waited is not None and waited > LONG:
        words = f"{counted(one.waiting)} for {one.name}, the oldest since {span(waited)}"
        yield Finding(WARN, "deliveries", words, "does the publisher run? see why: triage deliveries")
