"""The reporter: a thread that calls requestors of storage commitment whose association is gone, until they have heard."""

import threading
import time
from collections.abc import Mapping
from datetime import timedelta

import structlog

from triage.dimse.commitment_scp import StorageCommitment
from triage.dimse.commitment_scu import Calls, NotTold
from triage.domain.commitment import Commitment
from triage.domain.destination import Destination
from triage.domain.errors import TriageError
from triage.services import commitment as steps
from triage.services.ports import Clock, Database

LOOK_EVERY = timedelta(minutes=1)
"""So often it looks what is over; what is due sooner is told sooner."""
AFTER_TROUBLE = timedelta(seconds=5)
END_WITHIN = 3.0


class Reporter:
    """What is owed is always asked of the database. ``destinations``: where AE titles listen."""

    def __init__(
        self,
        commitment: StorageCommitment,
        *,
        database: Database,
        destinations: Mapping[str, Destination],
        calls: Calls,
        clock: Clock,
    ) -> None:
        self._commitment = commitment
        self._database = database
        self._destinations = destinations
        self._calls = calls
        self._clock = clock
        self._over = threading.Event()
        self._looked_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="commitment reporter", daemon=True)

    def start(self, *, alone: bool = True) -> None:
        """Begin; what a dead process had claimed is due again: at once, or, beside other intakes, when its claim runs out.

        Raises:
            IndexUnavailable: the database does not answer.
        """
        if alone and (recovered := steps.recover(self._database, self._clock)):
            structlog.get_logger().info("commitment reports recovered", requests=recovered)
        self._thread.start()

    def wake(self) -> None:
        """Look at once."""
        self._commitment.news.set()

    def stop(self, within: float = END_WITHIN) -> None:
        """End; a report that is under way longer than ``within`` seconds is told again after the next start."""
        self._over.set()
        self.wake()
        self._thread.join(within)
        self._calls.hang_up()

    def _run(self) -> None:
        while not self._over.is_set():
            self._commitment.news.clear()
            try:
                wait = self._round()
            except Exception as error:  # nothing may end this thread: reports would never go out
                cause = str(error) if isinstance(error, TriageError) else type(error).__name__
                structlog.get_logger().error("commitment reporter failed", cause=cause)
                wait = AFTER_TROUBLE
            self._commitment.news.wait(wait.total_seconds())

    def _round(self) -> timedelta:
        """Tell all that is due; returns how long nothing will be."""
        self._look()
        while not self._over.is_set() and (claimed := self._commitment.next_claim()) is not None:
            self._tell(claimed)
        with self._database.read() as transaction:
            due = transaction.commitments.next_due(self._commitment.reachable)
        return min(LOOK_EVERY, max(timedelta(0), due - self._clock())) if due else LOOK_EVERY

    def _look(self) -> None:
        """Give up what could not be told in time, forget what ended long ago."""
        if time.monotonic() - self._looked_at < LOOK_EVERY.total_seconds():
            return
        for commitment in steps.give_up(self._database, self._clock):
            structlog.get_logger().error(
                "commitment report given up",
                calling_ae_title=commitment.calling_ae_title,
                transaction_uid=commitment.action.transaction_uid,
                tries=commitment.attempts,
            )
        steps.forget(self._database, self._clock)
        self._looked_at = time.monotonic()

    def _tell(self, claimed: Commitment) -> None:
        report = self._commitment.judged(claimed)
        if report is None:
            return
        try:
            self._calls.tell(report, self._destinations[claimed.calling_ae_title])
        except NotTold as error:
            self._commitment.put_off(claimed, str(error), unreachable=error.unreachable)
        except Exception as error:
            self._commitment.put_off(claimed, str(error) if isinstance(error, TriageError) else type(error).__name__)
        else:
            self._commitment.delivered(report)
