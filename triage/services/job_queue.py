"""The queue of studies that need assessing, as the steps see it."""

from datetime import datetime
from typing import Protocol

from triage.domain.jobs import Job, JobState, QueueDepth


class JobQueue(Protocol):
    """One job per study, in the transaction that changes the study."""

    def enqueue(self, study_instance_uid: str, now: datetime) -> None:
        """The study needs assessing (again): a new job, or the present one starts over with a new generation."""

    def is_due(self, now: datetime) -> bool:
        """Whether :meth:`claim` or :meth:`quarantine_exhausted` would find something; cheap, for a reader."""

    def claim(self, worker: str, now: datetime) -> Job | None:
        """The job that has waited longest, or one whose lease ran out; ``None``: nothing to do."""

    def renew(self, job: Job, now: datetime) -> bool:
        """Extend the lease; ``False``: the job is no longer this worker's."""

    def finish(self, job: Job, now: datetime) -> bool:
        """The job is done, or waits again when images arrived meanwhile; ``False``: no longer this worker's, write nothing."""

    def retry(self, job: Job, error: str, now: datetime) -> bool:
        """The attempt failed: wait and try again; ``False``: no longer this worker's."""

    def release(self, job: Job, now: datetime) -> bool:
        """Give the job back untried (the worker stops); the attempt does not count."""

    def quarantine_exhausted(self, now: datetime) -> list[str]:
        """Set aside jobs that have used up their attempts; returns their studies, each once."""

    def depth(self) -> QueueDepth:
        """How the queue stands."""

    def states(self) -> dict[str, JobState]:
        """The state of every job, by study."""

    def state_of(self, study_instance_uid: str) -> JobState | None:
        """The state of a study's job, for reconciliation; ``None``: no job."""
