"""What a person does about deliveries: has one that was refused sent again, or the past to a destination that is new."""

from datetime import datetime
from typing import Any

from triage.domain.audit import Action, AuditEntry
from triage.domain.delivery import REFUSED, Delivery, DestinationState, UnknownDelivery
from triage.services.audit import with_way
from triage.services.ports import Clock, Database, Transaction
from triage.services.results import note_result

SLICE = 200
"""Studies of the past, or refused results, that are written in one transaction: a film must not wait for all of them."""


def retry(database: Database, delivery_id: int, actor: str, clock: Clock) -> Delivery:
    """Have a refused delivery sent again, or superseded where a later result of its study counts by now; audited.

    Raises:
        UnknownDelivery: there is no refused one of that id.
    """
    with database.write() as transaction:
        again = _retry(transaction, delivery_id, actor, clock())
        if again is None:
            raise UnknownDelivery("no refused delivery has this id; see: triage deliveries --state refused")
        return again


def retry_refused(database: Database, destination: str | None, actor: str, clock: Clock) -> list[Delivery]:
    """The same for every refused one, or those of one destination."""
    with database.read() as transaction:
        refused = [one.id for one in reversed(transaction.deliveries.deliveries(states=[REFUSED], destination=destination))]
    again = list[Delivery]()
    for first in range(0, len(refused), SLICE):
        with database.write() as transaction:
            found = (_retry(transaction, one, actor, clock()) for one in refused[first : first + SLICE])
            again += [one for one in found if one is not None]
    return again


def send_past(database: Database, name: str, since: datetime, actor: str, clock: Clock) -> int:
    """Have the word that stands on every study that arrived since sent to a destination that has not heard it; audited.

    Studies from before there were results get theirs now. Returns how many deliveries wait for it.

    Raises:
        UnknownDelivery: there never was a destination of that name.
    """
    with database.read() as transaction:
        if name not in {one.name for one in transaction.deliveries.destinations()}:
            raise UnknownDelivery(
                "no destination has this name, or none of the roles was started since; see: triage config show"
            )
        uids = [one.study_instance_uid for one in transaction.worklist(include_read=True) if one.arrived_at >= since]
    for first in range(0, len(uids), SLICE):
        with database.write() as transaction:
            for uid in uids[first : first + SLICE]:
                if study := transaction.study(uid):
                    note_result(transaction, study, clock())
    made, more = 0, True
    while more:
        with database.write() as transaction:
            some = transaction.deliveries.send_last(name, since, clock(), SLICE)
            made, more = made + some, some == SLICE
            if not more:
                details = {"step": "send past", "since": since.isoformat(), "results": str(made)}
                _record(transaction, name, details, actor, clock())
    return made


def delivery_record(one: Delivery) -> dict[str, Any]:
    """A delivery as the API and ``--json`` give it."""
    return {
        "id": one.id,
        "destination": one.destination,
        "study_instance_uid": one.study_instance_uid,
        "number": one.number,
        "state": one.state.value,
        "attempts": one.attempts,
        "created_at": one.created_at.isoformat(),
        "tried_at": _time(one.tried_at),
        "next_try_at": one.not_before.isoformat() if one.ended_at is None else None,
        "ended_at": _time(one.ended_at),
        "status": one.status,
        "committed": one.committed,
        "error": one.error,
    }


def destination_record(one: DestinationState, configured: bool, behind: int) -> dict[str, Any]:
    """A destination as the API and ``--json`` give it; ``behind``: results that wait and have no delivery yet."""
    return {
        "name": one.name,
        "configured": configured,
        "since": one.since.isoformat(),
        "waiting": one.waiting + behind,
        "refused": one.refused,
        "delivered": one.delivered,
        "superseded": one.superseded,
        "oldest_waiting_since": _time(one.oldest_waiting),
        "no_answer_since": _time(one.away_since),
        "last_delivered_at": _time(one.last_delivered_at),
        "error": one.error,
    }


def _retry(transaction: Transaction, delivery_id: int, actor: str, now: datetime) -> Delivery | None:
    again = transaction.deliveries.replay(delivery_id, now)
    if again is not None:
        details = {"step": "retry", "destination": again.destination, "result": str(again.number), "now": again.state.value}
        _record(transaction, again.study_instance_uid, details, actor, now)
    return again


def _record(transaction: Transaction, subject: str, details: dict[str, str], actor: str, now: datetime) -> None:
    entry = AuditEntry(at=now, actor=actor, action=Action.DELIVERY, subject=subject, details=with_way(details))
    transaction.append_audit(entry)


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
