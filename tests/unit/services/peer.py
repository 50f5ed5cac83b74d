"""A system that hears of results: keeps what it got, can be away, refuse, be slow, or die after taking something."""

import threading
from dataclasses import dataclass, field

from triage.domain.delivery import PeerAway, PeerRefused, Receipt
from triage.domain.result import Result


class Died(BaseException):
    """What a kill is to the code: nothing behind it runs."""


@dataclass
class Peer:
    """``kept``: what it has, by the UID under which it came. ``heard``: every try, also of what it had already.

    ``away``, ``refuses``: what it does; ``silent``: it takes the next result and its answer is lost; ``slow``: answers wait.
    """

    kept: dict[str, Result] = field(default_factory=dict)
    heard: list[Result] = field(default_factory=list)
    named: dict[str, tuple[str, ...]] = field(default_factory=dict)
    away: bool = False
    refuses: bool = False
    silent: bool = False
    closed: bool = False
    fault: Exception | None = None
    slow: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.slow.set()

    def send(self, result: Result, predecessors: tuple[Result, ...]) -> Receipt:
        if self.fault is not None:
            raise self.fault
        if self.away:
            raise PeerAway("connection refused")
        self.heard.append(result)
        self.slow.wait(30)
        if self.refuses:
            raise PeerRefused("0xA900")
        uid = result.uid("sr")
        self.kept[uid] = result
        self.named[uid] = tuple(one.uid("sr") for one in predecessors)
        if self.silent:
            self.silent = False
            raise PeerAway("no answer within 30 s")
        return Receipt(status="0x0000")

    def close(self) -> None:
        self.closed = True

    @property
    def words(self) -> list[tuple[str, int]]:
        """Study and number of each result, in the order in which they came."""
        return [(one.study_instance_uid, one.number) for one in self.kept.values()]
