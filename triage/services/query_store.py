"""What queries ask of the database: which studies may match, in the order of the list, and what is known of them."""

from collections.abc import Sequence
from typing import Protocol

from triage.domain.instance import Instance
from triage.domain.query import Attributes, Coarse, Found


class QueryStore(Protocol):
    """Attributes of films, and studies by them. A film whose header is to be read yet is never left out."""

    def put_attributes(self, sop_instance_uid: str, attributes: Attributes) -> None:
        """What the header of an indexed film tells; one that is not indexed: nothing."""

    def candidates(self, coarse: Coarse) -> list[str]:
        """UIDs of the studies that may match: unread ones in reading order, then read ones, the last to arrive first."""

    def found(self, study_instance_uids: Sequence[str]) -> list[Found]:
        """These studies in this order; those that are gone are left out."""

    def unread_headers(self, after: str, limit: int) -> list[Instance]:
        """Films whose header is to be read yet, by SOP Instance UID, behind ``after``."""


class Queried(Protocol):
    """Part of a transaction (:class:`triage.services.ports.Transaction`)."""

    @property
    def queries(self) -> QueryStore:
        """What queries ask, in this transaction."""
