"""The worker: claim a study, let the network look, write the outcome; again until told to stop."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from triage.domain.assessment import Assessment, Outcome
from triage.domain.errors import ArchiveAway, BundleError, FilmsUnavailable, IndexUnavailable
from triage.domain.figures import ASSESSED, EXCUSED, OUTCOMES, STEP, WAITED
from triage.domain.instance import Instance
from triage.domain.jobs import Job
from triage.domain.level import HeadStarts
from triage.domain.study import with_outcome
from triage.services.assess import BUDGET, Budget, assess
from triage.services.housekeeping import excuse_without_model, quarantine_exhausted
from triage.services.ports import Archive, Classifier, Clock, Database, Films
from triage.services.results import place
from triage.services.tally import Tally

HUNG_AFTER = timedelta(seconds=30)
"""So long after the budget of decoding is used up the network itself hangs: the process ends itself, and the job's attempts
lead to the study's quarantine."""
EXIT_HUNG = 70
POLL = timedelta(milliseconds=500)
"""How often an idle worker looks for work that nobody rings for: one indexed read."""
LOADED_WITHIN = timedelta(seconds=5)
"""So long a starting worker waits until films can be opened, before it says that they cannot be yet."""
OPENED_AGAIN_AFTER = timedelta(seconds=10)
"""After a failure to start what opens films, the next try."""
NOT_YET = "no film can be opened yet: the process for it is loading its libraries"


class Worker:
    """One warm network.

    ``load`` gives the active classifier, the same object while nothing changed. ``wait(stop, seconds)`` returns when there may
    be work, or after so many seconds. ``said``: called when there may be a result to send.
    """

    def __init__(
        self,
        *,
        name: str,
        database: Database,
        archive: Archive,
        films: Films,
        load: Callable[[], Classifier],
        head_starts: HeadStarts,
        min_age_years: int,
        clock: Clock,
        budget: Budget = BUDGET,
        hung_after: timedelta = HUNG_AFTER,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
        said: Callable[[], None] = lambda: None,
        tally: Tally | None = None,
    ) -> None:
        self._name = name
        self._database = database
        self._archive = archive
        self._films = films
        self._load = load
        self._head_starts = head_starts
        self._min_age_years = min_age_years
        self._clock = clock
        self._budget = budget
        self._hung_after = hung_after
        self._wait = wait
        self._said = said
        self._tally = tally or Tally()
        self._classifier: Classifier | None = None
        self._trouble: str | None = None
        self._unopened: str | None = None
        self._opened_again_at: datetime | None = None

    @property
    def trouble(self) -> str | None:
        """Why nothing is assessed, in words for an administrator, or ``None``."""
        return self._trouble or self._unopened

    @property
    def model(self) -> str | None:
        """The label of the network at work."""
        return self._classifier.model.label if self._classifier else None

    def warm_up(self) -> None:
        """Load the active network now, before the first study asks for it, and wait a little until films can be opened."""
        self._ready()
        deadline = time.monotonic() + LOADED_WITHIN.total_seconds()
        while not self._opens() and self._unopened == NOT_YET and time.monotonic() < deadline:
            time.sleep(POLL.total_seconds())

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``; the study at hand is finished first."""
        while not stop.is_set():
            try:
                busy = self.step()
            except IndexUnavailable as error:
                structlog.get_logger().error("database unavailable", cause=str(error))
                busy = False
            if not busy:
                self._wait(stop, POLL.total_seconds())

    def step(self) -> bool:
        """Assess one study if there is one; ``False``: nothing to do."""
        ready, opens = self._ready(), self._opens()
        if not ready:
            excuse_without_model(self._database, self._head_starts, self._clock)
        if not self._due():
            return False
        quarantine_exhausted(self._database, self._head_starts, self._clock)
        job = self._claim() if ready and opens else None
        if job is None:
            return False
        log = structlog.get_logger().bind(study_instance_uid=job.study_instance_uid, attempt=job.attempts)
        try:
            with self._database.read() as transaction:
                instances = transaction.instances(job.study_instance_uid)
            self._tally.observe(WAITED, _since_last(instances, self._clock()))
            with self._lease_kept(job, timedelta(seconds=self._budget.of(len(instances))) + self._hung_after):
                outcome = self._assess(job, instances)
        except (FilmsUnavailable, ArchiveAway) as error:
            self._cannot_open(error)
            with self._database.write() as transaction:
                transaction.jobs.release(job, self._clock())
            return False
        except Exception as error:
            # unforeseen: the message may quote the data set, so only its kind goes on
            log.error("assessment failed", kind=type(error).__name__)
            with self._database.write() as transaction:
                transaction.jobs.retry(job, type(error).__name__, self._clock())
            return True
        with self._tally.timed(STEP, step="write"):
            written = self._write(job, outcome)
        self._said()
        if written:
            self._count(instances, outcome)
        log.info("assessed" if written else "result dropped: no longer this worker's", **_told(outcome))
        return True

    def _ready(self) -> bool:
        try:
            classifier = self._load()
        except BundleError as error:
            if self._classifier is None:
                self._say(f"no usable model: {error}")
                return False
            self._say(f"the newly activated model was refused, the previous one serves: {error}")
            return True
        if classifier is not self._classifier:
            structlog.get_logger().info("model loaded", model=classifier.model.label)
        self._classifier, self._trouble = classifier, None
        return True

    def _opens(self) -> bool:
        """Whether films can be opened now. Asked at every step: the cause stands in the heartbeat before a film comes."""
        if self._opened_again_at is not None and self._clock() < self._opened_again_at:
            return False
        try:
            self._unopened = None if self._films.ready() else NOT_YET
        except FilmsUnavailable as error:
            self._cannot_open(error)
            return False
        self._opened_again_at = None
        return self._unopened is None

    def _cannot_open(self, error: FilmsUnavailable | ArchiveAway) -> None:
        structlog.get_logger().error("no film can be opened", cause=str(error))
        self._unopened, self._opened_again_at = str(error), self._clock() + OPENED_AGAIN_AFTER

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            structlog.get_logger().error("model trouble", cause=trouble)
        self._trouble = trouble

    def _due(self) -> bool:
        """One indexed read: all that an idle worker costs."""
        with self._database.read() as transaction:
            return transaction.jobs.is_due(self._clock())

    def _claim(self) -> Job | None:
        with self._database.write() as transaction:
            return transaction.jobs.claim(self._name, self._clock())

    def _assess(self, job: Job, instances: list[Instance]) -> Outcome:
        assert self._classifier is not None
        return assess(
            job.study_instance_uid,
            instances,
            archive=self._archive,
            films=self._films,
            classifier=self._classifier,
            min_age_years=self._min_age_years,
            clock=self._clock,
            budget=self._budget,
            took=lambda step, seconds: self._tally.observe(STEP, seconds, step=step),
        )

    def _count(self, instances: list[Instance], outcome: Outcome) -> None:
        self._tally.add(OUTCOMES, level=outcome.level.value)
        self._tally.observe(ASSESSED, _since_last(instances, self._clock()))
        for excuse in outcome.excuses:
            self._tally.add(EXCUSED, reason=excuse.reason.code)

    def _write(self, job: Job, outcome: Outcome) -> bool:
        uid = job.study_instance_uid
        with self._database.write() as transaction:
            if not transaction.jobs.finish(job, self._clock()):
                return False
            study = transaction.study(uid)
            assert study is not None
            if not transaction.add_outcome(outcome):
                outcome = _in_history(transaction.outcomes(uid), outcome)
            if outcome.considered == {instance.digest for instance in transaction.instances(uid)}:
                place(transaction, with_outcome(study, outcome, self._head_starts), self._clock())
            return True

    @contextmanager
    def _lease_kept(self, job: Job, within: timedelta) -> Iterator[None]:
        over = threading.Event()
        interval = min(self._database.retry_policy.lease, within).total_seconds() / 3
        deadline = time.monotonic() + within.total_seconds()

        def keep() -> None:
            while not over.wait(interval):
                if time.monotonic() > deadline:
                    structlog.get_logger().error("assessment hangs", study_instance_uid=job.study_instance_uid)
                    os._exit(EXIT_HUNG)  # a network that hangs in foreign code cannot be interrupted otherwise
                try:
                    with self._database.write() as transaction:
                        if not transaction.jobs.renew(job, self._clock()):
                            return
                except IndexUnavailable:
                    continue

        thread = threading.Thread(target=keep, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _since_last(instances: list[Instance], now: datetime) -> float:
    """Seconds since the last of them came."""
    return (now - max((one.received_at for one in instances), default=now)).total_seconds()


def _in_history(outcomes: list[Outcome], outcome: Outcome) -> Outcome:
    """What this network said of these films before: a list must not rest on what its history does not have."""
    same = (one for one in outcomes if (one.considered, one.model) == (outcome.considered, outcome.model))
    return next(same, outcome)


def _told(outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, Assessment):
        return {"flagged": outcome.flagged, "model": outcome.model.label, "images": len(outcome.scores)}
    return {"reason": outcome.reason.code}
