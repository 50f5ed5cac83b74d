"""The scheduler role: APScheduler rings bells; what is due is always asked of the database."""

import threading
from collections.abc import Callable
from datetime import UTC, timedelta

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from triage.domain.errors import AuditBroken, TriageError
from triage.domain.level import HeadStarts
from triage.services.audit import verify_audit
from triage.services.housekeeping import quarantine_exhausted
from triage.services.ports import Archive, AuditAnchor, Clock, Database
from triage.services.verify import verify

STALLED_EVERY = timedelta(seconds=5)
VERIFY_EVERY = timedelta(hours=6)
AUDIT_EVERY = timedelta(minutes=10)
"""So long a record can lie unanchored: only against an anchor shows what was cut off the chain's end or written anew."""


class _Stopped(Exception):
    """The role is to stop."""


class Bells:
    """The recurring jobs of one site, as a table of (name, how often, what)."""

    def __init__(
        self, *, database: Database, archive: Archive, head_starts: HeadStarts, clock: Clock, anchor: AuditAnchor
    ) -> None:
        self._database = database
        self._archive = archive
        self._head_starts = head_starts
        self._clock = clock
        self._anchor = anchor
        self._trouble: str | None = None
        self._audit_trouble: str | None = None
        self._stop = threading.Event()
        self.jobs: tuple[tuple[str, timedelta, Callable[[], None]], ...] = (
            ("stalled jobs", STALLED_EVERY, self.stalled_jobs),
            ("verify", VERIFY_EVERY, self.verify),
            ("audit", AUDIT_EVERY, self.audit),
        )

    @property
    def trouble(self) -> str | None:
        """What the last verifications found amiss, or ``None``."""
        return self._audit_trouble or self._trouble

    def stalled_jobs(self) -> None:
        """Studies whose worker died on them too often are set aside even while no worker is alive."""
        for uid in quarantine_exhausted(self._database, self._head_starts, self._clock):
            structlog.get_logger().error("quarantined", study_instance_uid=uid)

    def verify(self) -> None:
        """Read every digest again, compare with every row."""
        try:
            account = verify(self._archive, self._database, self._go_on)
        except _Stopped:
            return
        log = structlog.get_logger().bind(acknowledged=account.acknowledged, gaps=len(account.gaps))
        if account.ok:
            self._trouble = None
            log.info("verified")
        else:
            self._trouble = f"verification found {len(account.gaps)} gaps; run: triage verify"
            log.error("verification found gaps", first=account.gaps[0].what)

    def audit(self) -> None:
        """Walk the audit chain and note its head apart from the database."""
        try:
            found = verify_audit(self._database, self._anchor, self._clock)
            self._audit_trouble = found.trouble
        except AuditBroken as error:
            self._audit_trouble = str(error)
        if self._audit_trouble:
            structlog.get_logger().error("audit broken", cause=self._audit_trouble)

    def _go_on(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise _Stopped

    def ring(self, stop: threading.Event) -> None:
        """Ring until ``stop``; a bell that is ringing may finish, a verification is left at the next film."""
        self._stop = stop
        scheduler = BackgroundScheduler(
            timezone=UTC,
            # the default grace of one second drops jobs silently when the machine is busy
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
        for name, every, what in self.jobs:
            scheduler.add_job(what, "interval", seconds=every.total_seconds(), id=name, name=name)
        scheduler.start()
        stop.wait()
        scheduler.shutdown(wait=True)


def _report(event: JobExecutionEvent) -> None:
    kind = type(event.exception).__name__ if getattr(event, "exception", None) else "missed"
    cause = str(event.exception) if isinstance(getattr(event, "exception", None), TriageError) else kind
    structlog.get_logger().error("scheduled job failed", job=event.job_id, cause=cause)
