"""What retention asks of the database: studies whose time may have come, what is owed on them, and their end."""

from datetime import datetime
from typing import Protocol

from triage.domain.study import Study


class RetentionStore(Protocol):
    """Rows of a study go all together; the audit stays."""

    def read_before(self, moment: datetime, after: str, limit: int) -> list[Study]:
        """Studies that were read before then, by Study Instance UID, behind ``after``."""

    def owed_objects(self) -> frozenset[str]:
        """SOP Instance UIDs on which a report of storage commitment is still owed."""

    def has_last_result(self, study_instance_uid: str) -> bool:
        """Whether the result that was written last, of all studies, is one of it."""

    def drop(self, study_instance_uid: str) -> None:
        """Remove a study and all that belongs to it: films' rows, outcomes, results, deliveries, readings, its job."""


class HasRetention(Protocol):
    """Part of a transaction (:class:`triage.services.ports.Transaction`)."""

    @property
    def retention(self) -> RetentionStore:
        """What retention asks, in this transaction."""
