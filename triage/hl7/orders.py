"""What ORM^O01, OMI^O23 and OMG^O19 say of orders, as statements (HL7 v2.5.1 4.4; IHE RAD TF-2 4.4): tables, and their walk."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from triage.domain.errors import TriageError
from triage.domain.identifiers import check_uid
from triage.domain.order import PatientNumber, Statement
from triage.hl7.structure import Malformed, Message, Segment
from triage.hl7.times import parse_ts

NUMBER_MAX = 199
MOST_ORDERS = 50
"""Of one message."""
AHEAD = timedelta(days=1)
"""A sender's clock that is further ahead than this is not believed: what it says would outlast everything said later."""

PLACES = {
    "ORM^O01": ("OBR-18", "OBR-3", "ORC-3"),
    "OMG^O19": ("OBR-18", "OBR-3", "ORC-3"),
    "OMI^O23": ("IPC-1", "OBR-18", "OBR-3", "ORC-3"),
}
"""Where the accession number stands, by message type: the first place that has a value. OBR-18 is IHE's place for it."""


class Control(Enum):
    """What ORC-1 makes of an order."""

    PLACED = "placed"
    CHANGED = "changed"
    OVER = "over"


CONTROLS = {
    **dict.fromkeys(("NW", "PA", "CH", "SN", "RO"), Control.PLACED),
    **dict.fromkeys(("XO", "XR", "XX", "SC", "NA", "OK"), Control.CHANGED),
    **dict.fromkeys(("CA", "CR", "OC", "DC", "DR", "OD", "RP", "RQ", "RU"), Control.OVER),
}
"""ORC-1 (table 0119). Anything else (hold, release, requests, errors) is refused, so that its sender hears that nothing
came of it. A placed order that is not STAT asks for nothing; only a change can take a STAT back."""
OVER = ("CA", "DC", "RP")
"""ORC-5 (table 0038) of a change of status that ends the order."""

PRIORITIES = (("ORC", 7, 6), ("TQ1", 9, 1), ("OBR", 27, 6), ("OBR", 5, 1))
"""Segment, field, component: where a priority stands. One place that says STAT is enough."""
STAT = ("S", "STAT")
"""Priorities (table 0485) that put a study at STAT. ``A``, as soon as possible, is by its definition filled after those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a site's orders are read: ``places`` of the accession number (empty: :data:`PLACES`), priorities that mean STAT."""

    places: Sequence[str] = ()
    stat: Sequence[str] = STAT


def statements(message: Message, reading: Reading, received_at: datetime) -> list[Statement]:
    """What a message says, one statement for each of its orders.

    Raises:
        Malformed: it is no order, says nothing that could be applied, or a part of it cannot be read; then nothing counts.
    """
    _check_header(message)
    groups = list(_groups(message))
    if not groups:
        raise Malformed("no order: ORC is missing", 100, "ORC")
    if len(groups) > MOST_ORDERS:
        raise Malformed(f"more than {MOST_ORDERS} orders", 104, "ORC")
    patients = tuple(_patients(message))
    said_at = _said_at(message.header, received_at)
    return [_statement(group, message.kind, patients, reading, said_at) for group in groups]


def _check_header(message: Message) -> None:
    header = message.header
    if not message.control_id:
        raise Malformed("MSH-10 is missing", 101, "MSH", 10)
    if header.value(9) not in {kind.partition("^")[0] for kind in PLACES}:
        raise Malformed("only orders are taken: ORM, OMG, OMI", 200, "MSH", 9)
    if message.kind not in PLACES:
        raise Malformed("an event that is not taken", 201, "MSH", 9)
    if header.value(11) not in ("", "P"):
        raise Malformed("only production messages are taken: MSH-11 is not P", 202, "MSH", 11)
    if not header.value(12).startswith("2."):
        raise Malformed("only HL7 version 2", 203, "MSH", 12)


def _groups(message: Message) -> Iterator[list[Segment]]:
    """The segments of each order. A ZDS or IPC at the end counts for every order that has none of its own: in IHE's messages
    there is one for all orders of a requested procedure."""
    groups: list[list[Segment]] = []
    for segment in message.segments:
        if segment.name == "ORC":
            groups.append([])
        if groups:
            groups[-1].append(segment)
    for name in ("ZDS", "IPC"):
        last = [one for one in groups[-1] if one.name == name] if groups else []
        for group in groups[:-1] if last else ():
            if not any(one.name == name for one in group):
                group.append(last[-1])
    yield from groups


def _statement(
    group: list[Segment],
    kind: str,
    patients: tuple[PatientNumber, ...],
    reading: Reading,
    said_at: datetime,
) -> Statement:
    orc = group[0]
    control = CONTROLS.get(orc.value(1).upper())
    if control is None:
        raise Malformed("an order control that is not taken", 103, "ORC", 1)
    stat = _stat(group, reading.stat)
    said = Statement(
        placer_order_number=_entity(group, ("ORC-2", "OBR-2")),
        filler_order_number=_entity(group, ("ORC-3", "OBR-3")),
        accession_number=_first(group, reading.places or PLACES[kind]),
        study_instance_uid=_study(group),
        patients=patients,
        placed=control is Control.PLACED,
        stat=stat or None if control is Control.PLACED else stat,
        over=control is Control.OVER or orc.value(5).upper() in OVER,
        said_at=said_at,
    )
    if not said.key:
        raise Malformed("no order number, accession number or Study Instance UID", 101, "ORC", 2)
    if control is Control.PLACED and not (said.accession_number or said.study_instance_uid):
        raise Malformed("a new order without accession number and Study Instance UID", 101, "OBR", 18)
    return said


def _patients(message: Message) -> Iterator[PatientNumber]:
    """PID-3, every repetition; where it is empty, PID-2 of older versions."""
    for pid in message.all("PID"):
        for field in (3, 2):
            found = [
                PatientNumber(number, issuer or None)
                for one in pid.repetitions(field)
                if (number := _bounded(pid.within(one), "PID", field))
                for issuer in [_bounded(pid.within(one, 4) or pid.within(one, 4, 2), "PID", field)]
            ]
            if found:
                yield from dict.fromkeys(found)
                break
        return


def _stat(group: Iterable[Segment], stat: Sequence[str]) -> bool | None:
    said = [
        value
        for segment in group
        for name, field, component in PRIORITIES
        if segment.name == name
        for one in segment.repetitions(field)
        if (value := segment.within(one, component).upper())
    ]
    return any(value in stat for value in said) if said else None


def _study(group: Sequence[Segment]) -> str | None:
    uid = _first(group, ("ZDS-1", "IPC-3"))
    try:
        return check_uid(uid, "Study Instance UID") if uid else None
    except TriageError:
        raise Malformed("the Study Instance UID is none", 102, "ZDS", 1) from None


def _first(group: Sequence[Segment], places: Sequence[str]) -> str | None:
    for place in places:
        name, _, field = place.partition("-")
        for segment in group:
            if segment.name == name and (value := _bounded(segment.value(int(field)), name, int(field))):
                return value
    return None


def _entity(group: Sequence[Segment], places: Sequence[str]) -> str | None:
    """EI: the number, and whose it is: two placers may use one number."""
    for place in places:
        name, _, field = place.partition("-")
        for segment in group:
            if segment.name == name and (number := _bounded(segment.value(int(field)), name, int(field))):
                whose = segment.value(int(field), 2) or segment.value(int(field), 3)
                return f"{number}^{whose[:NUMBER_MAX]}" if whose else number
    return None


def _said_at(header: Segment, received_at: datetime) -> datetime:
    """MSH-7, when the sender made the message."""
    said_at = parse_ts(header.value(7))
    return received_at if said_at is None or said_at > received_at + AHEAD else said_at


def _bounded(value: str, segment: str, field: int) -> str:
    if len(value) > NUMBER_MAX:
        raise Malformed(f"a number of more than {NUMBER_MAX} characters", 104, segment, field)
    return value
