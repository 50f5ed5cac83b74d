"""The scheduler role: APScheduler rings bells; what is due is always asked of the database."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from triage.domain.errors import ArchiveAway, AuditBroken, ConfigError, Noticed, TriageError
from triage.domain.figures import AUDIT_INTACT, AUDIT_WALKED
from triage.domain.level import HeadStarts
from triage.domain.schedule import CUT_OFF, NOTICED, RINGING, STANDBY, first_run
from triage.services.attributes import read_headers
from triage.services.audit import verify_audit
from triage.services.election import Election
from triage.services.housekeeping import quarantine_exhausted
from triage.services.ports import Archive, AuditAnchor, Clock, Database
from triage.services.scrub import scrub, share
from triage.services.tally import Tally, tell_upkeep
from triage.services.verify import verify

STALLED_EVERY = timedelta(seconds=5)
SCRUB_EVERY = timedelta(minutes=10)
"""Between two slices of the scrub; how much a slice reads follows from the size of the archive."""
VERIFY_EVERY = timedelta(hours=6)
"""Between two comparisons of names and rows; bytes are the scrub's."""
AUDIT_EVERY = timedelta(minutes=10)
"""So long a record can lie unanchored: only against an anchor shows what was cut off the chain's end or written anew."""

HEADERS_EVERY = timedelta(seconds=20)
"""Between two slices of reading headers of films that came before queries were answered: a query that finds none is cheap."""
HEADERS = 2000
"""Films of one slice: some seconds of a slow disk."""

REVOCATIONS_EVERY = timedelta(hours=6)
"""How often our own authority's revocation list is looked at: it has to be written anew before it runs out."""


SOON = timedelta(seconds=30)
"""So long after a start rings what was due while nobody rang."""
WATCH = 0.2
"""Seconds between two looks whether this scheduler is still the one that rings."""
Recurring = tuple[str, timedelta, Callable[[Callable[[], object]], None]]
"""A job's name, how often, and what it does; it is given what to call between two steps, which ends it when it has to end."""


class _Stopped(Exception):
    """The role is to stop."""


class Bells:
    """The recurring jobs of one site, as a table of (name, how often, what); ``more``: those of whoever makes it.

    Of several schedulers of one site, on whatever hosts, the one that ``election`` names rings.
    """

    def __init__(
        self,
        *,
        database: Database,
        archive: Archive,
        head_starts: HeadStarts,
        clock: Clock,
        anchor: AuditAnchor,
        keep_revocations: Callable[[datetime], bool] = lambda now: False,
        scrub_every: timedelta = timedelta(days=30),
        scrub_slice_bytes: int = 4 << 30,
        tally: Tally | None = None,
        more: Sequence[Recurring] = (),
        election: Election | None = None,
    ) -> None:
        self._database = database
        self._archive = archive
        self._head_starts = head_starts
        self._clock = clock
        self._anchor = anchor
        self._keep_revocations = keep_revocations
        self._scrub_every = scrub_every
        self._scrub_slice_bytes = scrub_slice_bytes
        self._tally = tally or Tally()
        self._troubles: dict[str, str] = {}
        self._stop = threading.Event()
        self._headers_after = ""
        self._election = election or Election(database, "scheduler", "the only one", clock)
        self.state = STANDBY
        self.jobs: tuple[tuple[str, timedelta, Callable[[], None]], ...] = (
            ("stalled jobs", STALLED_EVERY, self.stalled_jobs),
            ("scrub", SCRUB_EVERY, self.scrub),
            ("verify", VERIFY_EVERY, self.verify),
            ("audit", AUDIT_EVERY, self.audit),
            ("revocation list", REVOCATIONS_EVERY, self.revocations),
            ("headers", HEADERS_EVERY, self.headers),
            *((name, every, partial(self._other, name, what)) for name, every, what in more),
        )

    @property
    def trouble(self) -> str | None:
        """What the bells found amiss when they last rang, or ``None``."""
        first = ("audit", "scrub", "verify", "revocations")
        return next((self._troubles[name] for name in (*first, *sorted(self._troubles)) if name in self._troubles), None)

    def stalled_jobs(self) -> None:
        """Studies whose worker died on them too often are set aside even while no worker is alive."""
        for uid in quarantine_exhausted(self._database, self._head_starts, self._clock):
            structlog.get_logger().error("quarantined", study_instance_uid=uid)

    def scrub(self) -> None:
        """Read a slice of the archive again: what was not read for longest."""
        log = structlog.get_logger()
        try:
            with self._database.read() as transaction:
                upkeep = transaction.upkeep()
            tell_upkeep(self._tally, upkeep)
            budget = share(upkeep, self._scrub_every, SCRUB_EVERY, self._scrub_slice_bytes)
            done = scrub(self._archive, self._database, self._head_starts, self._clock, budget, self._go_on)
        except _Stopped:
            raise  # it is noted as cut off, and no success
        except ArchiveAway as error:
            self._say("scrub", str(error))
            log.error("scrub ended", cause=str(error))
            return
        for instance in done.mended:
            log.info("film mended", study_instance_uid=instance.study_instance_uid, digest=instance.digest)
        self.look_at_faults()
        log.info("scrubbed", films=done.films, size_bytes=done.size_bytes, faulty=len(done.faulty))

    def look_at_faults(self) -> None:
        """Whether films are known to be damaged or missing, by the rows alone."""
        with self._database.read() as transaction:
            faulty = transaction.faulty()
        for one in faulty:
            assert one.fault is not None
            uid, digest = one.instance.study_instance_uid, one.instance.digest
            structlog.get_logger().error("film faulty", fault=one.fault.code, study_instance_uid=uid, digest=digest)
        words = f"{len(faulty)} {'film is' if len(faulty) == 1 else 'films are'} damaged or gone; run: triage verify"
        self._say("scrub", words if faulty else None)

    def verify(self) -> None:
        """Compare every name with every row."""
        try:
            account = verify(self._archive, self._database, self._go_on, reading=False)
        except _Stopped:
            raise  # it is noted as cut off, and no success
        log = structlog.get_logger().bind(acknowledged=account.acknowledged, gaps=len(account.gaps))
        if account.ok:
            self._say("verify", None)
            log.info("verified")
        else:
            self._say("verify", f"verification found {len(account.gaps)} gaps; run: triage verify")
            log.error("verification found gaps", first=account.gaps[0].what)

    def audit(self) -> None:
        """Walk the audit chain and note its head apart from the database."""
        try:
            trouble = verify_audit(self._database, self._anchor, self._clock).trouble
        except AuditBroken as error:
            trouble = str(error)
        self._say("audit", trouble)
        self._tally.put(AUDIT_INTACT, 0 if trouble else 1)
        self._tally.put(AUDIT_WALKED, self._clock().timestamp())
        if trouble:
            structlog.get_logger().error("audit broken", cause=trouble)

    def revocations(self) -> None:
        """Write our own authority's revocation list anew when half of its time is over."""
        try:
            if self._keep_revocations(self._clock()):
                structlog.get_logger().info("revocation list written anew")
            self._say("revocations", None)
        except (ConfigError, OSError) as error:
            self._say("revocations", f"the revocation list is not kept current: {error}")
            structlog.get_logger().error("revocation list not written", cause=str(error))

    def headers(self) -> None:
        """Read headers of films that came before this version did; what cannot be read is tried again after the others."""
        try:
            done = read_headers(self._archive, self._database, HEADERS, self._headers_after, self._go_on)
        except _Stopped:
            raise  # it is noted as cut off, and no success
        self._headers_after = done.last
        if done.read:
            structlog.get_logger().info("headers read", films=done.read, unreadable=done.unreadable)

    def _say(self, name: str, trouble: str | None) -> None:
        others = {bell: told for bell, told in self._troubles.items() if bell != name}
        self._troubles = others | ({name: trouble} if trouble else {})  # whole at any moment: the heartbeat reads it

    def _other(self, name: str, what: Callable[[Callable[[], object]], None]) -> None:
        try:
            what(self._go_on)
        except Noticed:
            self._say(name, None)  # it is noted with the run, and no trouble of ours
            raise
        except TriageError as error:
            self._say(name, f"{name}: {error}")
            raise
        self._say(name, None)

    def _go_on(self, *_: object) -> None:
        if self._stop.is_set() or (self.state == RINGING and not self._election.elected):
            raise _Stopped

    def run_job(self, name: str, what: Callable[[], None]) -> bool:
        """Ring one bell if it is ours to ring, and note when it began and how it ended; ``False``: it is another's."""
        if not self._election.still():
            return False
        error: str | None = CUT_OFF
        with self._database.write() as transaction:
            transaction.leases.begun(name, self._clock())
        try:
            what()
            error = None
        except _Stopped:
            pass
        except Exception as failure:
            error = str(failure) if isinstance(failure, TriageError) else type(failure).__name__
            error = NOTICED + error if isinstance(failure, Noticed) else error
            raise
        finally:
            with self._database.write() as transaction:
                transaction.leases.ended(name, self._clock(), error)
        return True

    def ring(self, stop: threading.Event) -> None:
        """Ring until ``stop`` whenever this scheduler is the elected one; what is under way ends at its next step."""
        self._stop = stop
        election = threading.Thread(target=self._election.run, args=(stop,), name="election", daemon=True)
        self._election.step()
        election.start()
        while not stop.is_set():
            if not self._election.elected:
                stop.wait(WATCH)
                continue
            scheduler, self.state = self._begin(), RINGING
            structlog.get_logger().info("ringing")
            while not stop.wait(WATCH) and self._election.elected:
                pass
            self.state = STANDBY
            scheduler.shutdown(wait=True)
        election.join()

    def _begin(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone=UTC,
            # the default grace of one second drops jobs silently when the machine is busy
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
        with self._database.read() as transaction:
            runs = transaction.leases.runs()
        for name, every, what in self.jobs:
            due = first_run(runs.get(name), every, self._clock(), SOON)
            rung = partial(self.run_job, name, what)
            scheduler.add_job(rung, "interval", seconds=every.total_seconds(), id=name, name=name, next_run_time=due)
        self.revocations()  # after a long stop it may have run out: then nobody could send
        self.look_at_faults()
        scheduler.start()
        return scheduler


def _report(event: JobExecutionEvent) -> None:
    kind = type(event.exception).__name__ if getattr(event, "exception", None) else "missed"
    cause = str(event.exception) if isinstance(getattr(event, "exception", None), TriageError) else kind
    structlog.get_logger().error("scheduled job failed", job=event.job_id, cause=cause)
