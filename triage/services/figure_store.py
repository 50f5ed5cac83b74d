"""What monitoring asks of the database: figures that every process adds to, one row for each sample."""

from collections.abc import Mapping
from typing import Protocol

from triage.domain.figures import Key


class FigureStore(Protocol):
    """Part of a transaction (:class:`triage.services.ports.Transaction`)."""

    def add(self, counted: Mapping[Key, float]) -> None:
        """Add to the rows; a sample without one begins at 0."""

    def put(self, values: Mapping[Key, float]) -> None:
        """Set rows to what they are now."""

    def all(self) -> dict[Key, float]:
        """Every sample."""


class HasFigures(Protocol):
    """Part of a transaction."""

    @property
    def figures(self) -> FigureStore:
        """What was counted, in this transaction."""
