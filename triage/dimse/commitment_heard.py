"""Reports on what we asked: whoever is to keep our results may tell it on an association of its own (PS3.4 J.3.3)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from triage.dimse import command
from triage.dimse.association import Caller, Rights
from triage.dimse.command import Command
from triage.dimse.commitment_data_set import parse_report
from triage.dimse.negotiation import Context
from triage.domain.commitment import MOST_BYTES, SOP_CLASS_UID
from triage.domain.errors import TriageError

UIDS = (command.AFFECTED_SOP_CLASS_UID, command.AFFECTED_SOP_INSTANCE_UID)
SUCCESSFUL, FAILURES_EXIST = 1, 2
"""Event Type ID (PS3.4 table J.3-2)."""

# N-EVENT-REPORT-RSP (PS3.7 10.1.1.1.8 and C)
SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT_VALUE = 0x0115

Heard = Callable[[str, str, bool], bool]
"""Notes (AE title, Transaction UID, whether every object is kept); ``False``: nothing that was asked of this AE title."""


@dataclass(frozen=True, slots=True)
class Reports:
    """``ae_titles``: whom we ask; nobody else is offered the part of the SCP."""

    ae_titles: Collection[str]
    heard: Heard

    def rights(self, caller: Caller) -> Rights:
        """Whom we ask may be the SCP of storage commitment on an association of its own."""
        return Rights(sent=(SOP_CLASS_UID,)) if caller.ae_title in self.ae_titles else Rights()

    def begin(self, request: Command, context: Context, caller: Caller) -> "EventReport":
        """See :data:`triage.dimse.association.Service`."""
        return EventReport(request, context, caller.ae_title, self.heard)


class EventReport:
    """The Event Information of one N-EVENT-REPORT-RQ on its way in. What is too long is heard to its end and refused."""

    def __init__(self, request: Command, context: Context, calling_ae_title: str, heard: Heard) -> None:
        self._request = request
        self._context = context
        self._calling_ae_title = calling_ae_title
        self._heard = heard
        self._data_set = bytearray()

    def write(self, fragment: memoryview) -> None:
        """Take a fragment."""
        if len(self._data_set) <= MOST_BYTES:
            self._data_set += fragment

    def finish(self) -> bytes:
        """The N-EVENT-REPORT-RSP (PS3.7 10.1.1)."""
        status = self._status()
        if status != SUCCESS:
            log = structlog.get_logger()
            log.warning("commitment report refused", calling_ae_title=self._calling_ae_title, status=f"{status:04X}")
        return command.response(self._request, command.N_EVENT_REPORT_RSP, status, uids=UIDS)

    def _status(self) -> int:
        kind = int.from_bytes(self._request.elements.get(command.EVENT_TYPE_ID, b""), "little")
        if kind not in (SUCCESSFUL, FAILURES_EXIST):
            return NO_SUCH_EVENT_TYPE
        try:
            transaction_uid = parse_report(bytes(self._data_set), self._context.transfer_syntax)
        except TriageError:
            return INVALID_ARGUMENT_VALUE
        try:
            known = self._heard(self._calling_ae_title, transaction_uid, kind == SUCCESSFUL)
        except Exception:  # whatever it is, the peer may tell it again
            return PROCESSING_FAILURE
        return SUCCESS if known else INVALID_ARGUMENT_VALUE

    def abandon(self) -> None:
        """The association ended before the report did: it was never heard."""
