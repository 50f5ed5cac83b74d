"""What the RIS says of an imaging order, and which study it is about. Pure.

An order is what all messages about it say together, in the order in which they were said (not that in which they came), so that
it makes no difference whether they or the films came first. The RIS takes back what the RIS has asked for, nothing else.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from hashlib import sha256

from triage.domain.instance import Facts


@dataclass(frozen=True, slots=True)
class PatientNumber:
    """A Patient ID, and under whose authority it is one; ``None``: not said."""

    number: str
    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one message says of one order; what it leaves out is ``None`` and changes nothing.

    ``placed``: it is a new order, not word of one that there is. ``stat``: whether it asks for STAT. ``over``: the order was
    cancelled or discontinued. ``said_at``: aware, UTC, by the sender's clock.
    """

    placer_order_number: str | None = None
    filler_order_number: str | None = None
    accession_number: str | None = None
    study_instance_uid: str | None = None
    patients: tuple[PatientNumber, ...] = ()
    placed: bool = False
    stat: bool | None = None
    over: bool = False
    said_at: datetime

    @property
    def key(self) -> str:
        """Which order it is: the first number of this list that it has."""
        numbers = {
            "placer": self.placer_order_number,
            "filler": self.filler_order_number,
            "accession": self.accession_number,
            "study": self.study_instance_uid,
        }
        return next((f"{name}:{number}" for name, number in numbers.items() if number), "")

    @property
    def content(self) -> str:
        """SHA-256 over all that it says: the same again is a repeat."""
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        said["patients"] = [[one.number, one.issuer] for one in self.patients]
        return sha256(json.dumps(said | {"said_at": self.said_at.isoformat()}, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it stands. ``raised_once``: it has asked for STAT, whether it still does or not."""

    key: str
    accession_number: str | None = None
    study_instance_uid: str | None = None
    patients: tuple[PatientNumber, ...] = ()
    stat: bool = False
    over: bool = False
    raised_once: bool = False

    @property
    def raises(self) -> bool:
        """Whether it asks for STAT now."""
        return self.stat and not self.over


class Bearing(Enum):
    """What an order that names a study, or has named it, is to that study."""

    ITS_OWN = "its own"
    OTHER_PATIENT = "another patient's"
    NONE = "none"


class Alike(Enum):
    """Whether two lists of numbers are one patient's. UNKNOWN: one of them is empty."""

    SAME = "same"
    UNKNOWN = "unknown"
    OTHER = "other"


def orders_of(statements: Iterable[Statement]) -> list[Order]:
    """The orders that statements of one key make: one for each patient, as placers use a number again, and one for each
    accession number, as they order several procedures under one. What a statement does not name, it says of each of them."""
    said = sorted(statements, key=lambda one: one.said_at)
    patients: list[tuple[PatientNumber, ...]] = []
    for one in said:
        if one.patients and all(same_patient(known, one.patients) is Alike.OTHER for known in patients):
            patients.append(one.patients)
    alike = ([one for one in said if same_patient(known, one.patients) is not Alike.OTHER] for known in patients or [()])
    return [order_of(some) for theirs in alike for some in _by_procedure(theirs)]


def _by_procedure(statements: list[Statement]) -> list[list[Statement]]:
    """Where orders were placed under one accession number, another one that is told later is where they moved to."""
    placed = {one.accession_number for one in statements if one.placed and one.accession_number}
    if len(placed) < 2:
        return [statements]
    numbers = sorted({one.accession_number for one in statements if one.accession_number})
    return [[one for one in statements if one.accession_number in (None, number)] for number in numbers]


def order_of(statements: Iterable[Statement]) -> Order:
    """The order that statements of one key make, in the order in which they were said; said at the same moment: as they came.

    A statement of another patient than the order's is left out. So is one that would lower the order without naming its
    patient: a number mistyped, or used again, may raise a film too many, but must not let one wait.
    """
    said = sorted(statements, key=lambda one: one.said_at)
    order = Order(key=said[0].key)
    for one in said:
        alike = same_patient(order.patients, one.patients)
        lowers = order.raises and (one.over or one.stat is False)
        unnamed = alike is Alike.UNKNOWN and bool(order.patients)
        if alike is Alike.OTHER or (lowers and unnamed):
            continue
        order = _after(order, one)
    return order


def _after(order: Order, one: Statement) -> Order:
    stat = order.stat if one.stat is None else one.stat
    return replace(
        order,
        accession_number=one.accession_number or order.accession_number,
        study_instance_uid=one.study_instance_uid or order.study_instance_uid,
        patients=order.patients or one.patients,
        stat=stat,
        over=one.over,
        raised_once=order.raised_once or (stat and not one.over),
    )


def same_patient(some: Sequence[PatientNumber], others: Sequence[PatientNumber]) -> Alike:
    """Whether one number stands in both lists, under authorities that do not contradict each other."""
    if not some or not others:
        return Alike.UNKNOWN
    found = any(
        one.number == other.number and (one.issuer is None or other.issuer is None or one.issuer == other.issuer)
        for one in some
        for other in others
    )
    return Alike.SAME if found else Alike.OTHER


def bearing(order: Order, study_instance_uid: str, facts: Facts) -> Bearing:
    """By Study Instance UID, or by accession number; neither, where both name a patient and it is not the same.

    An accession number alone is enough where one of the two names no patient: all that it can do then is to raise.
    """
    by_uid = order.study_instance_uid == study_instance_uid
    by_number = order.accession_number is not None and order.accession_number == facts.accession_number
    if not (by_uid or by_number):
        return Bearing.NONE
    of_study = (PatientNumber(facts.patient_id, facts.issuer_of_patient_id),) if facts.patient_id else ()
    return Bearing.OTHER_PATIENT if same_patient(order.patients, of_study) is Alike.OTHER else Bearing.ITS_OWN


def asks_for_stat(orders: Iterable[Order], study_instance_uid: str, facts: Facts) -> bool | None:
    """Whether the orders that name or have named a study ask for STAT; ``None``: none of them ever did."""
    orders = tuple(orders)
    if any(one.raises and bearing(one, study_instance_uid, facts) is Bearing.ITS_OWN for one in orders):
        return True
    return False if any(one.raised_once for one in orders) else None
