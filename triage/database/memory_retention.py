"""The in-memory twin of :mod:`triage.database.retention`."""

from collections.abc import Callable
from datetime import datetime

from triage.database.memory_commitments import MemoryCommitments
from triage.database.memory_deliveries import MemoryDeliveries
from triage.domain.study import ReadingState, Study


class MemoryRetention:
    """See :class:`triage.services.retention_store.RetentionStore`. ``drop_rows``: removes the rest."""

    def __init__(
        self,
        studies: dict[str, Study],
        deliveries: MemoryDeliveries,
        commitments: MemoryCommitments,
        drop_rows: Callable[[str], None],
    ) -> None:
        self._studies, self._deliveries, self._commitments = studies, deliveries, commitments
        self._drop_rows = drop_rows

    def read_before(self, moment: datetime, after: str, limit: int) -> list[Study]:
        found = (
            study
            for uid, study in sorted(self._studies.items())
            if uid > after
            and study.reading.state is ReadingState.READ
            and study.reading.since is not None
            and study.reading.since < moment
        )
        return list(found)[:limit]

    def owed_objects(self) -> frozenset[str]:
        return self._commitments.owed_objects()

    def has_last_result(self, study_instance_uid: str) -> bool:
        return self._deliveries.is_last(study_instance_uid)

    def drop(self, study_instance_uid: str) -> None:
        self._deliveries.drop(study_instance_uid)
        self._drop_rows(study_instance_uid)
