"""The in-memory twin of :mod:`triage.database.orders`."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from triage.domain.order import Statement
from triage.domain.study import Study


@dataclass(frozen=True, slots=True)
class _Row:
    statement: Statement
    received_at: datetime


@dataclass
class OrderState:
    """Part of a state that is copied whole: what was said, by its content."""

    said: dict[str, _Row] = field(default_factory=dict)


class MemoryOrders:
    """See :class:`triage.services.order_store.OrderStore`."""

    def __init__(self, rows: dict[str, _Row], studies: dict[str, Study]) -> None:
        self._rows = rows
        self._studies = studies

    def put(self, statement: Statement, sender: str, control_id: str, received_at: datetime) -> bool:
        if statement.content in self._rows:
            return False
        self._rows[statement.content] = _Row(statement, received_at)
        return True

    def about(self, study_instance_uid: str, accession_number: str | None) -> dict[str, list[Statement]]:
        keys = {
            one.key
            for one in self._said()
            if one.study_instance_uid == study_instance_uid
            or (accession_number is not None and one.accession_number == accession_number)
        }
        return {key: self.of(key) for key in sorted(keys)}

    def of(self, key: str) -> list[Statement]:
        return [one for one in self._said() if one.key == key]

    def studies(self, accession_numbers: Collection[str], patient_ids: Collection[str] | None = None) -> list[str]:
        named = (one for one in self._studies.values() if one.facts.accession_number in accession_numbers)
        found = (one for one in named if patient_ids is None or one.facts.patient_id in patient_ids)
        return sorted(one.study_instance_uid for one in found)

    def forget(self, before: datetime) -> int:
        heard = {row.statement.key for row in self._rows.values() if row.received_at >= before}
        old = [content for content, row in self._rows.items() if row.statement.key not in heard]
        for content in old:
            del self._rows[content]
        return len(old)

    def _said(self) -> list[Statement]:
        return [row.statement for row in self._rows.values()]
