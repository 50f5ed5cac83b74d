"""What storage commitment asks of the database: requests that were accepted, and which report is owed to whom."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from triage.domain.commitment import ActionInformation, Commitment, CommitmentState, Owed


class CommitmentStore(Protocol):
    """One row for each AE title, Transaction UID and list of objects. A claim counts as long as its token is the newest."""

    def put(
        self, action: ActionInformation, calling_ae_title: str, address: str, now: datetime, due_at: datetime, until: datetime
    ) -> Commitment:
        """A new request, or the same one again, which starts over. ``until``: when its report is given up."""

    def open_requests(self, calling_ae_title: str) -> int:
        """How many requests of an AE title wait for their report."""

    def open_references(self) -> int:
        """How many objects all such requests name, whoever asked."""

    def is_due_here(self, calling_ae_title: str, address: str, now: datetime, fresh_only: bool) -> bool:
        """Whether :meth:`claim_here` would find something; cheap, for a reader."""

    def claim_here(
        self, calling_ae_title: str, address: str, now: datetime, lease_until: datetime, fresh_only: bool
    ) -> Commitment | None:
        """The oldest request of a requestor that is connected now: one that was not tried yet, whether its time has come or
        not, or (not with ``fresh_only``) one whose next try is due.
        """

    def claim(self, calling_ae_titles: Collection[str], now: datetime, lease_until: datetime) -> Commitment | None:
        """The request of one of these AE titles that has been due for longest, or whose claim has run out."""

    def next_due(self, calling_ae_titles: Collection[str]) -> datetime | None:
        """When :meth:`claim` will find something next, or ``None``: not without a new request."""

    def finish(self, commitment: Commitment, failed: int, now: datetime) -> bool:
        """The report was taken, ``failed`` objects in it not committed; ``False``: no longer the claimant's."""

    def retry(self, commitment: Commitment, error: str, not_before: datetime) -> bool:
        """The report was not taken: it waits; ``False``: no longer the claimant's."""

    def defer(self, calling_ae_title: str, not_before: datetime) -> None:
        """Whatever waits for this AE title waits until then at least."""

    def hurry(self, calling_ae_title: str, address: str, now: datetime) -> None:
        """What was not tried yet of this requestor is due now."""

    def recover(self, now: datetime) -> int:
        """Every claim ends: the process that held it is gone. Returns how many there were."""

    def give_up(self, now: datetime) -> list[Commitment]:
        """Requests whose time is over and that nobody has claimed; returns them, each once."""

    def forget(self, before: datetime, most: int) -> int:
        """Drop what ended before then, and of the rest what ended before the ``most`` that ended last; returns how many."""

    def owed(self) -> list[Owed]:
        """What each AE title is still to be told or was never told, in the order of the titles; nothing: left out."""

    def state_of(self, calling_ae_title: str, transaction_uid: str) -> list[CommitmentState]:
        """The states of every request under a Transaction UID, first asked first."""
