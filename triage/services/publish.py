"""Bring results to one destination: spread what is new, claim one delivery, send it, write how it ended."""

from collections.abc import Callable, Collection
from datetime import timedelta

from triage.domain.delivery import LEASE_BEYOND, MOST_FAULTS, Delivery, PeerAway, PeerRefused, Receipt, backoff
from triage.domain.errors import ArchiveAway
from triage.domain.result import Result
from triage.services.ports import Clock, Database, Transaction
from triage.services.transport import Transport

SLICE = 500
"""Results that are spread in one transaction: a film that arrives must not wait long for its own."""
Reached = Callable[[str], None]
"""Hears the name of each step behind which the process may die: ``spread``, ``claimed``, ``sent``, ``ended``."""
Payload = tuple[Result, tuple[Result, ...]]


def register(database: Database, names: Collection[str], clock: Clock) -> list[str]:
    """Whoever is configured for the first time hears of every result from now on; returns those that are new."""
    with database.read() as transaction:
        known = {one.name for one in transaction.deliveries.destinations()}
    if known >= set(names):
        return []
    with database.write() as transaction:
        return transaction.deliveries.register(names, clock())


def recover(database: Database, names: Collection[str], clock: Clock) -> int:
    """What a dead publisher had begun is begun again. Only while no other one runs. Returns how many there were."""
    with database.write() as transaction:
        return transaction.deliveries.recover(names, clock())


def reported(database: Database, names: Collection[str], commitment_uid: str, kept: bool, clock: Clock) -> bool:
    """A destination tells whether it keeps what it was sent (PS3.4 J.3.3); ``False``: nothing that it was asked."""
    with database.write() as transaction:
        return transaction.deliveries.reported(commitment_uid, names, kept, clock())


def publish(
    database: Database,
    name: str,
    transport: Transport,
    within: timedelta,
    clock: Clock,
    chance: Callable[[], float],
    reached: Reached = lambda step: None,
) -> bool:
    """Send what is due next, if anything; ``False``: nothing is.

    The claim is committed before the first byte goes out and the end after the last answer came, so that a result is sent
    again, as the same objects, by whoever comes after a crash: at least once here, exactly once there.
    """
    with database.read() as transaction:
        if not transaction.deliveries.is_due(name, clock()):
            return False
    claimed = _claim(database, name, within, clock, reached)
    if claimed is None:
        return False
    delivery, payload = claimed
    reached("claimed")
    _settle(database, delivery, _try(transport, payload, reached), clock, chance)
    reached("ended")
    return True


def _claim(
    database: Database, name: str, within: timedelta, clock: Clock, reached: Reached
) -> tuple[Delivery, Payload | Exception] | None:
    with database.write() as transaction:
        transaction.deliveries.fan_out(name, clock(), SLICE)
    reached("spread")
    with database.write() as transaction:
        now = clock()
        delivery = transaction.deliveries.claim(name, now, now + within + LEASE_BEYOND)
        return (delivery, _payload(transaction, delivery)) if delivery else None


def _payload(transaction: Transaction, delivery: Delivery) -> Payload | Exception:
    """Of a document that cannot be read, the failure: it is the result's own, and must not keep the next ones back."""
    try:
        return transaction.deliveries.payload(delivery)
    except (KeyError, TypeError, ValueError) as error:
        return error


def _try(transport: Transport, payload: Payload | Exception, reached: Reached) -> Receipt | Exception:
    if isinstance(payload, Exception):
        return payload
    try:
        receipt = transport.send(*payload)
    except Exception as error:
        return error
    reached("sent")
    return receipt


def _settle(
    database: Database, delivery: Delivery, end: Receipt | Exception, clock: Clock, chance: Callable[[], float]
) -> None:
    with database.write() as transaction:
        store, now = transaction.deliveries, clock()
        if isinstance(end, Receipt):
            store.delivered(delivery, end, now)
        elif isinstance(end, PeerRefused):
            store.refused(delivery, str(end), now)
        elif isinstance(end, (PeerAway, ArchiveAway, OSError)):
            words, drawn = words_of(end), chance()
            if store.put_off(delivery, words, now + backoff(delivery.attempts, drawn)):
                failures = store.failures(delivery.destination) + 1
                store.rest(delivery.destination, words, now + backoff(failures, drawn), now)
        elif delivery.attempts >= MOST_FAULTS:
            store.refused(delivery, words_of(end), now)
        else:
            store.put_off(delivery, words_of(end), now + backoff(delivery.attempts, chance()))


def words_of(error: Exception) -> str:
    """A failure as it may be kept and shown: the message of one that we raised, of any other only its kind."""
    if isinstance(error, (PeerAway, PeerRefused, ArchiveAway)):
        return str(error)
    if isinstance(error, OSError):
        return f"not reached ({type(error).__name__})"
    return f"could not be sent from here ({type(error).__name__})"
