"""The local job queue: one row per study, claimed by compare-and-set under SQLite's write lock."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from triage.database.tables import OPEN_JOB, UNFINISHED_JOB, Moment, job
from triage.domain.jobs import Job, JobState, QueueDepth, RetryPolicy

WAITING, RUNNING, DONE, QUARANTINED = (state.value for state in JobState)


class SqlQueue:
    """See :class:`triage.services.job_queue.JobQueue`.

    ``not_before`` is when a row becomes due: the arrival for a fresh job, the end of the backoff for a failed one, the
    end of the lease for a running one. So one index serves every claim, and a film that failed goes behind those that
    came meanwhile.
    """

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self.connection = connection
        self.policy = policy

    def enqueue(self, study_instance_uid: str, now: datetime) -> None:
        moments = {"not_before": now, "enqueued_at": now}
        self.connection.execute(_ENQUEUE, {"study_instance_uid": study_instance_uid, **_FRESH, **moments})

    def is_due(self, now: datetime) -> bool:
        query = select(exists().where(or_(self._claimable(now), self._exhausted(now))))
        return bool(self.connection.execute(query).scalar())

    def claim(self, worker: str, now: datetime) -> Job | None:
        lease_until = now + self.policy.lease
        oldest = (
            select(job.c.study_instance_uid)
            .where(self._claimable(now))
            .order_by(job.c.not_before, job.c.study_instance_uid)
            .limit(1)
        )
        row = self.connection.execute(
            update(job)
            .where(job.c.study_instance_uid == oldest.scalar_subquery())
            .values(
                state=RUNNING,
                attempts=job.c.attempts + 1,
                token=job.c.token + 1,
                lease_until=lease_until,
                not_before=lease_until,
                worker=worker,
            )
            .returning(job.c.study_instance_uid, job.c.token, job.c.generation, job.c.attempts, job.c.lease_until)
        ).one_or_none()
        return Job(**row._mapping) if row else None

    def renew(self, claimed: Job, now: datetime) -> bool:
        lease_until = now + self.policy.lease
        return self._change(claimed, lease_until=lease_until, not_before=lease_until)

    def finish(self, claimed: Job, now: datetime) -> bool:
        same = job.c.generation == claimed.generation
        moment = literal(now, Moment())  # inside CASE a bare value would be bound as text, which is never due
        return self._change(
            claimed,
            state=case((same, DONE), else_=WAITING),
            attempts=case((same, job.c.attempts), else_=0),
            not_before=case((same, job.c.not_before), else_=moment),
            enqueued_at=case((same, job.c.enqueued_at), else_=moment),
            error=None,
        )

    def retry(self, claimed: Job, error: str, now: datetime) -> bool:
        return self._change(claimed, state=WAITING, not_before=now + self.policy.backoff(claimed.attempts), error=error)

    def release(self, claimed: Job, now: datetime) -> bool:
        return self._change(claimed, state=WAITING, attempts=job.c.attempts - 1, not_before=job.c.enqueued_at)

    def quarantine_exhausted(self, now: datetime) -> list[str]:
        statement = update(job).where(self._exhausted(now)).values(state=QUARANTINED).returning(job.c.study_instance_uid)
        return sorted(self.connection.execute(statement).scalars())

    def depth(self) -> QueueDepth:
        # asked several times a second: done jobs, which are all but a few, are not looked at (index ix_job_unfinished)
        query = select(job.c.state, func.count(), func.min(job.c.enqueued_at)).where(UNFINISHED_JOB).group_by(job.c.state)
        rows = {state: (count, since) for state, count, since in self.connection.execute(query)}
        return QueueDepth(
            waiting=rows.get(WAITING, (0, None))[0],
            running=rows.get(RUNNING, (0, None))[0],
            quarantined=rows.get(QUARANTINED, (0, None))[0],
            oldest_waiting_since=rows.get(WAITING, (0, None))[1],
        )

    def states(self) -> dict[str, JobState]:
        query = select(job.c.study_instance_uid, job.c.state)
        return {row.study_instance_uid: JobState(row.state) for row in self.connection.execute(query)}

    def state_of(self, study_instance_uid: str) -> JobState | None:
        query = select(job.c.state).where(job.c.study_instance_uid == study_instance_uid)
        state = self.connection.execute(query).scalar()
        return JobState(state) if state else None

    def _claimable(self, now: datetime) -> ColumnElement[bool]:
        return and_(OPEN_JOB, job.c.not_before <= now, job.c.attempts < self.policy.max_attempts)

    def _exhausted(self, now: datetime) -> ColumnElement[bool]:
        waiting_or_silent = or_(job.c.state == WAITING, job.c.not_before <= now)
        return and_(OPEN_JOB, job.c.attempts >= self.policy.max_attempts, waiting_or_silent)

    def _change(self, claimed: Job, **values: Any) -> bool:
        """Change the row only where it still is as claimed: the token fences a worker that was paused past its lease."""
        statement = (
            update(job)
            .where(
                job.c.study_instance_uid == claimed.study_instance_uid,
                job.c.state == RUNNING,
                job.c.token == claimed.token,
            )
            .values(**values)
        )
        return self.connection.execute(statement).rowcount == 1


_FRESH: dict[str, Any] = {"token": 0, "generation": 1, "state": WAITING, "attempts": 0, "error": None}


def _enqueue() -> Insert:
    statement = insert(job)
    kept, running = ("state", "attempts", "error", "not_before", "enqueued_at"), job.c.state == RUNNING
    again: dict[str, Any] = {name: case((running, job.c[name]), else_=statement.excluded[name]) for name in kept}
    again["generation"] = job.c.generation + 1
    return statement.on_conflict_do_update(index_elements=["study_instance_uid"], set_=again)


_ENQUEUE = _enqueue()  # made once: each received film needs it
