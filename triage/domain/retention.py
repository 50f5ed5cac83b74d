"""Which studies may go, and why the others stay: a policy deletes only what nobody waits for any more."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from triage.domain.delivery import DELIVERED, SUPERSEDED, Delivery
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.result import Result
from triage.domain.study import ReadingState, Study


class Kept(StrEnum):
    """Why a study stays."""

    NOT_READ = "nobody has read it"
    TOO_YOUNG = "it was read, or has arrived, too recently"
    PENDING = "the network has not looked at all of it"
    DOUBT = "it is in doubt whose films these are, or whether they are whole"
    SET_ASIDE = "an object of it lies set aside, and nobody has decided on it"
    FAULTY = "a film of it is damaged or missing"
    UNDELIVERED = "a result of it has not arrived everywhere"
    LAST_WORD = "the last result of all is one of it: numbers go on from there"
    UNCOMMITTED = "storage commitment is asked of its films, or of a result, and not answered yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What is known of a study when its time may have come.

    ``set_aside``: undecided objects whose header names it; ``faulty``: films known to be damaged or missing; ``last_word``: no
    result of any study was written after its own. ``owed``: a report on a film of it is owed to a modality. ``heard_by``:
    destinations that have to have its last result, and since when each hears of results; ``committing``: those of them that are
    asked whether they keep it.
    """

    study: Study
    last_result: Result | None = None
    deliveries: tuple[Delivery, ...] = ()
    set_aside: int = 0
    faulty: int = 0
    last_word: bool = False
    owed: bool = False
    heard_by: tuple[tuple[str, datetime], ...] = ()
    committing: Collection[str] = ()


def kept(end: End, after: timedelta, now: datetime) -> Kept | None:
    """The first reason for which a study stays; ``None``: it may go, ``after`` the time since it was read and arrived."""
    return next((reason for reason, stays in _RULES if stays(end, after, now)), None)


def _too_young(end: End, after: timedelta, now: datetime) -> bool:
    since = end.study.reading.since
    return since is None or now - since < after or now - end.study.arrived_at < after


def _pending(end: End, after: timedelta, now: datetime) -> bool:
    study = end.study
    covered = study.probability is None or study.images_covered == study.images
    return study.network_level is Level.PENDING or study.reason is Reason.NO_MODEL or not covered


def _undelivered(end: End, after: timedelta, now: datetime) -> bool:
    if any(one.state not in (DELIVERED, SUPERSEDED) for one in end.deliveries):
        return True
    last = end.last_result
    there = {(one.destination, one.number) for one in end.deliveries}
    return last is not None and any(
        last.decided_at >= since and (name, last.number) not in there for name, since in end.heard_by
    )


def _uncommitted(end: End, after: timedelta, now: datetime) -> bool:
    asked = (one for one in end.deliveries if one.destination in end.committing and one.state is DELIVERED)
    return end.owed or any(one.committed is not True for one in asked)


_RULES: tuple[tuple[Kept, Callable[[End, timedelta, datetime], bool]], ...] = (
    (Kept.NOT_READ, lambda end, after, now: end.study.reading.state is not ReadingState.READ),
    (Kept.TOO_YOUNG, _too_young),
    (Kept.PENDING, _pending),
    (Kept.DOUBT, lambda end, after, now: end.study.doubt is not None),
    (Kept.SET_ASIDE, lambda end, after, now: end.set_aside > 0),
    (Kept.FAULTY, lambda end, after, now: end.faulty > 0),
    (Kept.UNDELIVERED, _undelivered),
    (Kept.UNCOMMITTED, _uncommitted),
    (Kept.LAST_WORD, lambda end, after, now: end.last_word),
)
"""Every rule, in the order in which they are told."""
