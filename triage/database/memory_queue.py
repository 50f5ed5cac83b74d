"""The in-memory twin of :mod:`triage.database.queue`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from triage.domain.jobs import Job, JobState, QueueDepth, RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A study's job."""

    state: JobState
    attempts: int
    token: int
    generation: int
    not_before: datetime
    enqueued_at: datetime
    lease_until: datetime | None = None


class MemoryQueue:
    """See :class:`triage.services.job_queue.JobQueue`."""

    def __init__(self, rows: dict[str, JobRow], policy: RetryPolicy) -> None:
        self._rows = rows
        self._policy = policy

    def enqueue(self, study_instance_uid: str, now: datetime) -> None:
        row = self._rows.get(study_instance_uid)
        if row is None:
            row = JobRow(state=JobState.WAITING, attempts=0, token=0, generation=1, not_before=now, enqueued_at=now)
        elif row.state is JobState.RUNNING:
            row = replace(row, generation=row.generation + 1)
        else:
            row = replace(
                row, state=JobState.WAITING, attempts=0, generation=row.generation + 1, not_before=now, enqueued_at=now
            )
        self._rows[study_instance_uid] = row

    def is_due(self, now: datetime) -> bool:
        return any(self._claimable(row, now) or self._exhausted(row, now) for row in self._rows.values())

    def claim(self, worker: str, now: datetime) -> Job | None:
        due = [(row.not_before, uid) for uid, row in self._rows.items() if self._claimable(row, now)]
        if not due:
            return None
        _, uid = min(due)
        row, lease_until = self._rows[uid], now + self._policy.lease
        self._rows[uid] = row = replace(
            row,
            state=JobState.RUNNING,
            attempts=row.attempts + 1,
            token=row.token + 1,
            lease_until=lease_until,
            not_before=lease_until,
        )
        return Job(
            study_instance_uid=uid,
            token=row.token,
            generation=row.generation,
            attempts=row.attempts,
            lease_until=lease_until,
        )

    def renew(self, job: Job, now: datetime) -> bool:
        lease_until = now + self._policy.lease
        return self._change(job, lambda row: replace(row, lease_until=lease_until, not_before=lease_until))

    def finish(self, job: Job, now: datetime) -> bool:
        def finished(row: JobRow) -> JobRow:
            if row.generation == job.generation:
                return replace(row, state=JobState.DONE)
            return replace(row, state=JobState.WAITING, attempts=0, not_before=now, enqueued_at=now)

        return self._change(job, finished)

    def retry(self, job: Job, error: str, now: datetime) -> bool:
        not_before = now + self._policy.backoff(job.attempts)
        return self._change(job, lambda row: replace(row, state=JobState.WAITING, not_before=not_before))

    def release(self, job: Job, now: datetime) -> bool:
        return self._change(
            job, lambda row: replace(row, state=JobState.WAITING, attempts=row.attempts - 1, not_before=row.enqueued_at)
        )

    def quarantine_exhausted(self, now: datetime) -> list[str]:
        exhausted = sorted(uid for uid, row in self._rows.items() if self._exhausted(row, now))
        for uid in exhausted:
            self._rows[uid] = replace(self._rows[uid], state=JobState.QUARANTINED)
        return exhausted

    def depth(self) -> QueueDepth:
        states = [row.state for row in self._rows.values()]
        waiting = [row.enqueued_at for row in self._rows.values() if row.state is JobState.WAITING]
        return QueueDepth(
            waiting=len(waiting),
            running=states.count(JobState.RUNNING),
            quarantined=states.count(JobState.QUARANTINED),
            oldest_waiting_since=min(waiting, default=None),
        )

    def states(self) -> dict[str, JobState]:
        return {uid: row.state for uid, row in self._rows.items()}

    def state_of(self, study_instance_uid: str) -> JobState | None:
        row = self._rows.get(study_instance_uid)
        return row.state if row else None

    def _claimable(self, row: JobRow, now: datetime) -> bool:
        open_ = row.state in (JobState.WAITING, JobState.RUNNING)
        return open_ and row.not_before <= now and row.attempts < self._policy.max_attempts

    def _exhausted(self, row: JobRow, now: datetime) -> bool:
        used_up = row.attempts >= self._policy.max_attempts
        silent = row.state is JobState.RUNNING and row.not_before <= now
        return used_up and (row.state is JobState.WAITING or silent)

    def _change(self, job: Job, change: Callable[[JobRow], JobRow]) -> bool:
        row = self._rows.get(job.study_instance_uid)
        if row is None or row.state is not JobState.RUNNING or row.token != job.token:
            return False
        self._rows[job.study_instance_uid] = change(row)
        return True
