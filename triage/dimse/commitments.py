"""Storage commitment as an association sees it: requests that come on it, reports that go out on it (PS3.4 J.3)."""

from collections.abc import Mapping
from typing import Protocol

from triage.dimse import command
from triage.dimse.command import Command
from triage.dimse.commitment_data_set import event_report
from triage.dimse.negotiation import Context
from triage.domain.commitment import MOST_BYTES, SOP_CLASS_UID, SOP_INSTANCE_UID, Report

UIDS = (command.REQUESTED_SOP_CLASS_UID, command.REQUESTED_SOP_INSTANCE_UID)
SUCCESS = 0x0000
WARNINGS = (0x0001, 0x0107, 0x0116)
"""PS3.7 C.4, and all of 0xBxxx: done, with a remark."""


def is_taken(status: int) -> bool:
    """Whether a response to an N-EVENT-REPORT says that the requestor has heard."""
    return status in (SUCCESS, *WARNINGS) or status & 0xF000 == 0xB000


class Commitments(Protocol):
    """What an association needs of storage commitment. Thread-safe; nothing here raises."""

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
        """The status of the N-ACTION-RSP; 0x0000: a report is owed, and will be given whatever dies."""

    def report_due(self, calling_ae_title: str, address: str) -> Report | None:
        """Claim a request of a requestor who is connected and listens, and judge it: whole files are read meanwhile.

        What becomes of the report is to be said by :meth:`delivered` or :meth:`undelivered`.
        """

    def delivered(self, report: Report) -> None:
        """The requestor has taken it."""

    def undelivered(self, report: Report, cause: str) -> None:
        """It has not: it will be tried again."""

    def ended(self, calling_ae_title: str, address: str) -> None:
        """The association is over: what it brought is to be told on another one."""


class Request:
    """The Action Information of one N-ACTION-RQ on its way in. What is too long is heard to its end and refused."""

    def __init__(
        self, request: Command, context: Context, calling_ae_title: str, address: str, commitments: Commitments
    ) -> None:
        self._request = request
        self._context = context
        self._caller = calling_ae_title, address
        self._commitments = commitments
        self._data_set = bytearray()

    def write(self, fragment: memoryview) -> None:
        """Take a fragment."""
        if len(self._data_set) <= MOST_BYTES:
            self._data_set += fragment

    def finish(self) -> bytes:
        """The N-ACTION-RSP (PS3.7 10.1.4)."""
        status = self._commitments.requested(
            *self._caller,
            int.from_bytes(self._request.elements.get(command.ACTION_TYPE_ID, b""), "little"),
            self._request.text(command.REQUESTED_SOP_CLASS_UID),
            self._request.text(command.REQUESTED_SOP_INSTANCE_UID),
            bytes(self._data_set),
            self._context.transfer_syntax,
        )
        return command.response(self._request, command.N_ACTION_RSP, status, uids=UIDS)

    def abandon(self) -> None:
        """The association ended before the request did: it was never made."""


class Telling:
    """The reports of one association: one at a time, until the requestor has answered it."""

    def __init__(
        self, calling_ae_title: str, address: str, contexts: Mapping[int, Context], commitments: Commitments | None
    ) -> None:
        self._caller = calling_ae_title, address
        self._commitments = commitments
        mine = ((number, one) for number, one in sorted(contexts.items()) if _asks(one))
        self._context = next(mine, None)
        self._untold: Report | None = None
        self._message_id = 0

    @property
    def may(self) -> bool:
        """Whether a report could go out now: the class was negotiated, and no other one is unanswered."""
        return self._commitments is not None and self._context is not None and self._untold is None

    def next(self) -> tuple[int, bytes, bytes] | None:
        """An N-EVENT-REPORT-RQ (PS3.7 10.3.1) that is due: context ID, command set, data set."""
        if self._commitments is None or self._context is None:
            return None
        self._untold = report = self._commitments.report_due(*self._caller)
        if report is None:
            return None
        self._message_id = self._message_id % 0xFFFF + 1
        number, context = self._context
        return number, request(report, self._message_id), event_report(report, context.transfer_syntax)

    def heard(self, response: Command) -> bool:
        """Whether a response answers the report that is out; then it is settled."""
        if self._untold is None or response.field != command.N_EVENT_REPORT_RSP:
            return False
        if response.number(command.MESSAGE_ID_BEING_RESPONDED_TO) != self._message_id:
            return False
        self._settle(response.number(command.STATUS))
        return True

    def _settle(self, status: int) -> None:
        assert self._commitments is not None
        report, self._untold = self._untold, None
        assert report is not None
        if is_taken(status):
            self._commitments.delivered(report)
        else:
            self._commitments.undelivered(report, f"the requestor answers {status:04X}")

    def over(self) -> None:
        """The association is over: what is unanswered was not heard."""
        if self._commitments is None or self._context is None:
            return
        report, self._untold = self._untold, None
        if report is not None:
            self._commitments.undelivered(report, "the association ended without an answer")
        self._commitments.ended(*self._caller)


def _asks(context: Context) -> bool:
    return context.abstract_syntax == SOP_CLASS_UID and context.requestor_is_scu


def request(report: Report, message_id: int) -> bytes:
    """The command set of an N-EVENT-REPORT-RQ."""
    return command.encode(
        {
            command.AFFECTED_SOP_CLASS_UID: _uid(SOP_CLASS_UID),
            command.COMMAND_FIELD: _number(command.N_EVENT_REPORT_RQ),
            command.MESSAGE_ID: _number(message_id),
            command.COMMAND_DATA_SET_TYPE: _number(0x0001),
            command.AFFECTED_SOP_INSTANCE_UID: _uid(SOP_INSTANCE_UID),
            command.EVENT_TYPE_ID: _number(report.event_type_id),
        }
    )


def _uid(value: str) -> bytes:
    return (value + "\0" * (len(value) % 2)).encode("ascii")


def _number(value: int) -> bytes:
    return value.to_bytes(2, "little")
