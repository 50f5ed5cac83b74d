"""What many people look at is made once: pieces of pages kept for as long as what they show has not changed.

Thirty readers ask for the same list at the moment when it changes; making it thirty times would keep the last of them waiting.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MOST = 64
FRESH_FOR = timedelta(seconds=2)
"""A piece holds words that depend on the time ("14 min"); a page's own clock goes on from there."""


@dataclass
class _Piece:
    lock: threading.Lock = field(default_factory=threading.Lock)
    state: Hashable = None
    made_at: datetime | None = None
    text: str = ""


class Shared:
    """Texts by what was asked for. One maker at a time for each; who comes meanwhile waits for it and gets the same."""

    def __init__(self, most: int = MOST, fresh_for: timedelta = FRESH_FOR) -> None:
        self._most = most
        self._fresh_for = fresh_for
        self._pieces: OrderedDict[Hashable, _Piece] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, asked: Hashable, state: Callable[[], Hashable], clock: Callable[[], datetime], make: Callable[[], str]
    ) -> str:
        """The piece for ``asked``: as it was made for the same ``state`` a moment ago, or made now.

        ``state`` is read before the piece is made: what changes in between is made again, never missed.
        """
        with self._lock:
            piece = self._pieces.pop(asked, None) or _Piece()
            self._pieces[asked] = piece
            while len(self._pieces) > self._most:
                self._pieces.popitem(last=False)
        with piece.lock:
            now, found = clock(), state()
            fresh = piece.made_at is not None and timedelta(0) <= now - piece.made_at < self._fresh_for
            if not fresh or piece.state != found:
                piece.text = make()
                piece.state, piece.made_at = found, now
            return piece.text
