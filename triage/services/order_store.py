"""What orders ask of the database: everything that the RIS has said, and which studies it names."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from triage.domain.order import Statement


class OrderStore(Protocol):
    """One row for each thing that was said."""

    def put(self, statement: Statement, sender: str, control_id: str, received_at: datetime) -> bool:
        """Keep what was said; ``False``: it was said before, in exactly these words."""

    def about(self, study_instance_uid: str, accession_number: str | None) -> dict[str, list[Statement]]:
        """All that was said of each order that was ever said to be about this study or this accession number, by the key of the
        order, as it came."""

    def of(self, key: str) -> list[Statement]:
        """All that was said of one order, as it came."""

    def studies(self, accession_numbers: Collection[str], patient_ids: Collection[str] | None = None) -> list[str]:
        """The studies with one of these accession numbers, by UID; ``patient_ids``: only with one of these Patient IDs, too."""

    def forget(self, before: datetime) -> int:
        """Drop orders of which nothing was heard since then, whole; returns how many statements."""


class HasOrders(Protocol):
    """Part of a transaction (:class:`triage.services.ports.Transaction`)."""

    @property
    def orders(self) -> OrderStore:
        """What the RIS has said, in this transaction."""
