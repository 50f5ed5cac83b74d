"""A connection to PostgreSQL that does not wait for ever: a server that was stopped goes on acknowledging what it is sent."""

import time
from collections.abc import Generator
from typing import Any

import psycopg

PATIENCE = 120.0
"""Seconds for the answer to one statement, where nothing else was said."""


class ImpatientConnection(psycopg.Connection[Any]):
    """``patience``: seconds after which a statement without an answer ends the connection."""

    patience: float = PATIENCE

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **named: Any) -> Any:
        """As any connection, but within its patience.

        Raises:
            psycopg.OperationalError: no answer; the connection is closed, what was asked for may have been done.
        """
        return super().wait(self._within(gen, time.monotonic() + self.patience), *arguments, **named)

    def _within(self, gen: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
        try:
            state = next(gen)
            while True:
                ready = yield state
                if time.monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server gives no answer")
                state = gen.send(ready)
        except StopIteration as end:
            return end.value
