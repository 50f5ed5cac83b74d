"""How a result reaches one destination."""

from typing import Protocol

from triage.domain.delivery import Receipt
from triage.domain.result import Result


class Transport(Protocol):
    """One destination, as the configuration describes it. Used by one thread at a time."""

    def send(self, result: Result, predecessors: tuple[Result, ...]) -> Receipt:
        """Send ``result``; returning means that the peer has said, for each object, that it took it.

        The same result sent again is the same objects and messages, by their UIDs and control ids. ``predecessors``: the
        study's earlier results, oldest first, which this one supersedes.

        Raises:
            PeerAway: try again later.
            PeerRefused: do not.
        """

    def close(self) -> None:
        """Give up what is kept open between two results."""
