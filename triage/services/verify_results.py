"""What does not add up of results: what a study's row says, what was said of it, and what of that has arrived."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from triage.domain.delivery import OPEN, OVERDUE, REFUSED
from triage.domain.result import Result, has_word
from triage.domain.study import Study
from triage.services.ports import Transaction

_REPORT = "report it: a step of the service left it so"
REMEDIES = {
    "result_differs": _REPORT,
    "result_without_delivery": _REPORT,
    "result_refused": "see why: triage deliveries; then: triage deliveries retry",
    "result_waits": "is the destination up, does the publisher run? see: triage deliveries",
}
"""What a person does about a gap, by its code."""
Found = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Awaited:
    """Where results should have arrived by now: the destinations that are configured."""

    names: tuple[str, ...]
    now: datetime


def compare_results(transaction: Transaction, studies: Iterable[Study], awaited: Awaited | None) -> Found:
    """(code, Study Instance UID) of each gap."""
    last = {one.study_instance_uid: one for one in transaction.deliveries.last_results()}
    for study in studies:
        if _differs(study, last.get(study.study_instance_uid)):
            yield "result_differs", study.study_instance_uid
    if awaited is not None:
        for name in awaited.names:
            yield from _of_destination(transaction, name, awaited.now)


def _differs(study: Study, last: Result | None) -> bool:
    """A study from before there were results has none, until the network's word on it changes."""
    if last is None or not has_word(study):
        return False
    return (last.level, last.reason, last.probability) != (study.network_level, study.reason, study.probability)


def _of_destination(transaction: Transaction, name: str, now: datetime) -> Found:
    store = transaction.deliveries
    for uid, _ in store.missing(name):
        yield "result_without_delivery", uid
    for one in store.deliveries(states=[REFUSED], destination=name):
        yield "result_refused", one.study_instance_uid
    for one in store.deliveries(states=OPEN, destination=name):
        if now - one.created_at > OVERDUE:
            yield "result_waits", one.study_instance_uid
    unheard = store.unheard_since(name)
    if unheard is not None and now - unheard > OVERDUE:
        yield "result_waits", name
