"""The Storage Commitment Push Model SCP (PS3.4 J): what associations and the reporter have done for them, and the statuses."""

import threading
from collections.abc import Callable, Collection

import structlog

from triage.dimse.commitment_data_set import parse_action
from triage.domain.commitment import SOP_CLASS_UID, SOP_INSTANCE_UID, Commitment, Failure, Report, TooManyReferences
from triage.domain.errors import CannotUnderstand, TriageError
from triage.services import commitment as steps
from triage.services.ports import Archive, Clock, Database

REQUEST_STORAGE_COMMITMENT = 1  # Action Type ID (PS3.4 J.3.2.1)
MOST_NAMED = 10
"""Objects of one report that the log names."""

# N-ACTION-RSP (PS3.7 10.1.4.1.10 and C)
SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_SOP_INSTANCE = 0x0112
INVALID_ARGUMENT_VALUE = 0x0115
NO_SUCH_SOP_CLASS = 0x0118
NO_SUCH_ACTION = 0x0123
RESOURCE_LIMITATION = 0x0213

STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (TooManyReferences, RESOURCE_LIMITATION),
    (CannotUnderstand, INVALID_ARGUMENT_VALUE),
    (Exception, PROCESSING_FAILURE),
)
"""Why a request is not taken, and its status: the first that fits."""


class StorageCommitment:
    """See :class:`triage.dimse.commitments.Commitments`.

    ``supported``: SOP classes that are stored here. ``reachable``: AE titles of which is known where they listen.
    ``chance`` gives a number in [0, 1). ``news`` is set when a report may be due.
    """

    def __init__(
        self,
        *,
        archive: Archive,
        database: Database,
        supported: Collection[str],
        reachable: Collection[str],
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._archive = archive
        self._database = database
        self._supported = frozenset(supported)
        self.reachable = frozenset(reachable)
        self._clock = clock
        self._chance = chance
        self.news = threading.Event()

    def requested(
        self,
        calling_ae_title: str,
        address: str,
        action_type_id: int,
        sop_class_uid: str,
        sop_instance_uid: str,
        data_set: bytes,
        transfer_syntax_uid: str,
    ) -> int:
        """The status of the N-ACTION-RSP; see the Protocol, here and below."""
        log = structlog.get_logger().bind(calling_ae_title=calling_ae_title)
        status = _whether_ours(action_type_id, sop_class_uid, sop_instance_uid)
        if status != SUCCESS:
            log.warning("commitment refused", status=f"{status:04X}")
            return status
        try:
            action = parse_action(data_set, transfer_syntax_uid)
            steps.accept(action, calling_ae_title=calling_ae_title, address=address, database=self._database, clock=self._clock)
        except Exception as error:
            status = next(status for kind, status in STATUSES if isinstance(error, kind))
            report = log.error if status == PROCESSING_FAILURE else log.warning
            report("commitment refused", status=f"{status:04X}", cause=_words(error))
            return status
        log.info("commitment requested", transaction_uid=action.transaction_uid, objects=len(action.references))
        self.news.set()
        return SUCCESS

    def report_due(self, calling_ae_title: str, address: str) -> Report | None:
        """Claim and judge a request of a requestor who is connected."""
        try:
            claimed = steps.claim_here(
                calling_ae_title,
                address,
                fresh_only=calling_ae_title in self.reachable,
                database=self._database,
                clock=self._clock,
            )
        except Exception as error:
            structlog.get_logger().error("no commitment report", cause=_words(error))
            return None
        return None if claimed is None else self.judged(claimed)

    def next_claim(self) -> Commitment | None:
        """A request whose report is due to an AE title that can be reached.

        Raises:
            IndexUnavailable: not known now.
        """
        return steps.claim(self.reachable, self._database, self._clock) if self.reachable else None

    def judged(self, claimed: Commitment) -> Report | None:
        """The report on a claimed request; ``None``: nothing can be said now, it waits for its next try."""
        try:
            report = steps.judge(claimed, archive=self._archive, database=self._database, supported=self._supported)
        except Exception as error:
            self.put_off(claimed, _words(error))
            return None
        doubtful = [one.reference for one in report.failed if one.failure is Failure.PROCESSING_FAILURE]
        for reference in doubtful[:MOST_NAMED]:
            # whether the bytes changed or another object came under the UID: triage verify tells
            structlog.get_logger().error("kept, and not committed", sop_instance_uid=reference.sop_instance_uid)
        return report

    def delivered(self, report: Report) -> None:
        """Settle it."""
        log = _log(report.commitment)
        try:
            settled = steps.delivered(report, database=self._database, clock=self._clock)
        except Exception as error:
            log.error("commitment reported, and not noted: it will be told again", cause=_words(error))
            return
        log.info("commitment reported", committed=len(report.committed), failed=len(report.failed), again=not settled)

    def undelivered(self, report: Report, cause: str) -> None:
        """Let it wait for its next try."""
        self.put_off(report.commitment, cause)

    def put_off(self, claimed: Commitment, cause: str, *, unreachable: bool = False) -> None:
        """The report was not told; ``unreachable``: nor can any other be to that AE title."""
        log = _log(claimed)
        log.warning("commitment not reported", cause=cause, tries=claimed.attempts)
        try:
            steps.undelivered(
                claimed,
                cause,
                chance=self._chance(),
                unreachable=unreachable,
                database=self._database,
                clock=self._clock,
            )
        except Exception as error:  # the claim runs out by itself
            log.error("commitment report not put off", cause=_words(error))

    def ended(self, calling_ae_title: str, address: str) -> None:
        """What it brought is for the reporter now, where it knows whom to call."""
        if calling_ae_title not in self.reachable:
            return
        try:
            with self._database.write() as transaction:
                transaction.commitments.hurry(calling_ae_title, address, self._clock())
        except Exception as error:  # then it goes out a few seconds later
            structlog.get_logger().warning("commitment reports not hurried", cause=_words(error))
        self.news.set()


def _whether_ours(action_type_id: int, sop_class_uid: str, sop_instance_uid: str) -> int:
    if sop_class_uid != SOP_CLASS_UID:
        return NO_SUCH_SOP_CLASS
    if sop_instance_uid != SOP_INSTANCE_UID:
        return NO_SUCH_SOP_INSTANCE
    return SUCCESS if action_type_id == REQUEST_STORAGE_COMMITMENT else NO_SUCH_ACTION


def _log(claimed: Commitment) -> structlog.typing.FilteringBoundLogger:
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(
        calling_ae_title=claimed.calling_ae_title, transaction_uid=claimed.action.transaction_uid
    )
    return log


def _words(error: Exception) -> str:
    # the message of an unforeseen error may quote the data set
    return str(error) if isinstance(error, TriageError) else type(error).__name__
