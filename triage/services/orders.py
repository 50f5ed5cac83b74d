"""What the RIS says of an order: kept, and applied to the studies that it is about, in one transaction."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from triage.domain.audit import Action, AuditEntry
from triage.domain.errors import AuditBroken
from triage.domain.level import HeadStarts
from triage.domain.order import Bearing, Order, Statement, asks_for_stat, bearing, orders_of
from triage.domain.study import Study, with_order
from triage.services.ports import Clock, Database, Transaction

RIS = "(ris)"
"""The actor where an order acted."""
KEPT = timedelta(days=90)
"""How long an order of which nothing is heard waits for its film."""
MOST_ALIKE = 50
"""Studies of one accession number. Where more bear it, it is a placeholder, and only its patient's are looked at: films that
arrive must not wait for thousands."""
OTHER_PATIENT = "an order with its number is another patient's: not applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One statement and where it came from: the sending application and facility, and the message's control id."""

    statement: Statement
    sender: str
    control_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How many statements were new, and how many studies they moved."""

    new: int
    moved: int


def take_orders(database: Database, heard: Sequence[Heard], head_starts: HeadStarts, clock: Clock) -> Taken:
    """Keep what was said and move the studies that it is about; returning means that it is durable. Said again: nothing.

    Raises:
        IndexUnavailable: nothing was kept.
    """
    with database.write() as transaction:
        now = clock()
        new = [one for one in heard if transaction.orders.put(one.statement, one.sender, one.control_id, now)]
        moved = 0
        for uid in _touched(transaction, {one.statement.key for one in new}):
            before = transaction.study(uid)
            if before is None:
                continue
            after = ordered(transaction, before, head_starts, now)
            if after != before:
                transaction.put_study(after)
                moved += 1
        return Taken(new=len(new), moved=moved)


def ordered(transaction: Transaction, study: Study, head_starts: HeadStarts, now: datetime) -> Study:
    """The study as its orders have it; the caller puts it. A change, and an order that is another patient's, are audited."""
    uid, facts = study.study_instance_uid, study.facts
    found = transaction.orders.about(uid, facts.accession_number)
    if not found:
        return study
    orders = [order for statements in found.values() for order in orders_of(statements)]
    for order in orders:
        if order.raised_once and bearing(order, uid, facts) is Bearing.OTHER_PATIENT:
            _note(transaction, uid, Action.ORDER, {"outcome": OTHER_PATIENT, "order": _named(order)}, now, once=True)
    asked = asks_for_stat(orders, uid, facts)
    if asked is None:
        return study
    after = with_order(study, asked, head_starts)
    if after.stat is not study.stat:
        action = Action.STAT if after.stat else Action.UNSTAT
        _note(transaction, uid, action, {"level": after.level.value}, now)
    return after


def _touched(transaction: Transaction, keys: set[str]) -> list[str]:
    """Studies that an order names, or has named."""
    said = [one for key in sorted(keys) for one in transaction.orders.of(key)]
    uids = {one.study_instance_uid for one in said if one.study_instance_uid}
    for number in {one.accession_number for one in said if one.accession_number}:
        found = transaction.orders.studies({number})
        if len(found) > MOST_ALIKE:
            found = transaction.orders.studies({number}, {patient.number for one in said for patient in one.patients})
        uids |= set(found)
    return sorted(uids)


def _named(order: Order) -> str:
    """An order for the audit, which holds no number of a patient or of an examination."""
    return sha256(order.key.encode()).hexdigest()[:16]


def _note(
    transaction: Transaction, uid: str, action: Action, details: dict[str, str], now: datetime, once: bool = False
) -> None:
    written = json.dumps(details, sort_keys=True)
    if once and transaction.latest_audit_about(uid, action, RIS, written) is not None:
        return
    with suppress(AuditBroken):  # whoever broke the chain must not keep the order away; the scheduler reports the break
        transaction.append_audit(AuditEntry(at=now, actor=RIS, action=action, subject=uid, details=details))
