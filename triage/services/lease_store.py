"""What election and schedule ask of the database."""

from datetime import datetime
from typing import Protocol

from triage.domain.schedule import JobRun, Lease


class LeaseStore(Protocol):
    """One row for each right that only one may have at a time, one for each recurring job."""

    def take(self, name: str, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Take a lease that nobody holds or whose time is over, or renew one's own; ``None``: another has it.

        Over, too, is one that would last longer than any lease does: a clock was ahead when it was written.
        """

    def holds(self, lease: Lease, now: datetime) -> bool:
        """Whether it is still this holder's, under this token."""

    def release(self, name: str, holder: str) -> None:
        """Give one's own lease back; another's stays."""

    def begun(self, job: str, at: datetime) -> None:
        """A recurring job begins."""

    def ended(self, job: str, at: datetime, error: str | None) -> None:
        """It has ended; ``error``: how it failed."""

    def runs(self) -> dict[str, JobRun]:
        """The last run of each, by name."""


class HasLeases(Protocol):
    """Part of a transaction (:class:`triage.services.ports.Transaction`)."""

    @property
    def leases(self) -> LeaseStore:
        """Leases and runs, in this transaction."""
