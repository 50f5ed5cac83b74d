"""Why a query or a retrieval ends early, and the status that says so (PS3.4 C.4)."""

import structlog

from triage.dimse.channel import Cancelled
from triage.dimse.identifier import IdentifierMismatch
from triage.dimse.pdu import Ended, ProtocolError
from triage.dimse.query_models import Status
from triage.domain.errors import AuditBroken, CannotUnderstand, IndexUnavailable, TriageError
from triage.domain.matching import MalformedKey

COMMENT_LENGTH = 64


class Refused(TriageError):
    """It is not done; ``query_status``: what the peer is told."""

    def __init__(self, query_status: Status, words: str) -> None:
        super().__init__(words)
        self.query_status = query_status


STATUSES: tuple[tuple[type[Exception], Status], ...] = (
    (Cancelled, Status.CANCELLED),
    (IdentifierMismatch, Status.IDENTIFIER_MISMATCH),
    (MalformedKey, Status.UNABLE_TO_PROCESS),
    (CannotUnderstand, Status.UNABLE_TO_PROCESS),
    (IndexUnavailable, Status.OUT_OF_RESOURCES),
    (AuditBroken, Status.OUT_OF_RESOURCES),
    (Exception, Status.UNEXPECTED),
)
"""The first that fits."""


def status_of(error: Exception) -> tuple[Status, str]:
    """The status of an error and its ErrorComment (0000,0902), without a value of what was asked.

    Raises:
        ProtocolError, Ended: the association is over; nobody is there to be told.
    """
    if isinstance(error, ProtocolError | Ended):
        raise error
    status = (
        error.query_status if isinstance(error, Refused) else next(one for kind, one in STATUSES if isinstance(error, kind))
    )
    if status is Status.UNEXPECTED:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "unknown"
        structlog.get_logger().error("query failed", kind=type(error).__name__, where=where)
        return status, "unexpected failure"
    return status, str(error)[:COMMENT_LENGTH] if isinstance(error, TriageError) else ""
