"""What of a study has been sent to other systems, as its page shows it."""

from collections.abc import Iterable
from dataclasses import dataclass

from triage.domain.delivery import DELIVERED, Delivery
from triage.domain.result import Result
from triage.web.rows import word
from triage.web.text import full_time, plain

KEPT = {True: ", kept", False: ", not known to be kept", None: ""}
"""What its storage commitment said (PS3.4 J); ``None``: it was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A result on its way to one destination, or there."""

    at: str
    number: int
    level: str
    word: str
    destination: str
    state: str
    answer: str


def sent(deliveries: Iterable[Delivery], results: Iterable[Result]) -> list[Sent]:
    """Deliveries in the order given."""
    levels = {one.number: one.level for one in results}
    return [
        Sent(
            at=full_time(one.ended_at or one.tried_at or one.created_at),
            number=one.number,
            level=levels[one.number].value,
            word=word(levels[one.number]),
            destination=plain(one.destination),
            state=one.state.value + KEPT[one.committed],
            answer=plain(one.status if one.state is DELIVERED else one.error, 200),
        )
        for one in deliveries
    ]
