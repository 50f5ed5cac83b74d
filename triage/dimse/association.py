"""One association, from its A-ASSOCIATE-RQ to its end: a thread that reads, does what a message asks, and answers.

Requests come one after another (no asynchronous operations are negotiated), so that one thread is enough, and a peer can
occupy nothing but its own.
"""

import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from triage.dimse import command, pdu
from triage.dimse.channel import Channel, Inquiry
from triage.dimse.command import Command
from triage.dimse.commitments import Commitments, Telling
from triage.dimse.negotiation import APPLICATION_CONTEXT, Context, Request, negotiate, parse_request
from triage.dimse.pdu import Connection, Ended, Fragment, ProtocolError, TooSlow

IDLE = 30.0
"""Seconds that an association may be silent between messages."""
MESSAGE_WITHIN = 300.0
"""Seconds from a message's first fragment to its last: 256 MiB at 1 MB a second."""
LIFE = 3600.0
"""Seconds after which an association is ended at the next message: a sender opens another."""
QUIET = 1.0
"""Seconds without a word of the peer until it is told what it is owed."""
MOST_PROTESTS = 16
"""Messages of no use to us until the association is ended."""

# A-ASSOCIATE-RJ (PS3.8 9.3.4): result, source, diagnostic
NO_REASON = (1, 1, 1)
APPLICATION_CONTEXT_NOT_SUPPORTED = (1, 1, 2)
CALLING_AE_TITLE_NOT_RECOGNISED = (1, 1, 3)
CALLED_AE_TITLE_NOT_RECOGNISED = (1, 1, 7)
PROTOCOL_VERSION_NOT_SUPPORTED = (1, 2, 2)
LOCAL_LIMIT_EXCEEDED = (2, 3, 2)

UNRECOGNISED_OPERATION = 0x0211  # PS3.7 C


class Message(Protocol):
    """What a request with a data set becomes while the data set comes."""

    def write(self, fragment: memoryview) -> None:
        """Take a fragment."""

    def finish(self) -> bytes:
        """The response, a command set."""

    def abandon(self) -> None:
        """It will not be finished."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who associated."""

    ae_title: str
    address: str


@dataclass(frozen=True, slots=True)
class Rights:
    """What a caller may beside what everybody may. ``offered``: transfer syntaxes by abstract syntax; ``sent``: see
    :func:`triage.dimse.negotiation.negotiate`."""

    offered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sent: Collection[str] = ()


Service = Callable[[Command, Context, Caller], Message | Inquiry]
"""Begins what a request asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every association of a listener has in common.

    ``offered``: transfer syntaxes by abstract syntax, the preferred one first; ``services``: by Command Field;
    ``admits``: whether this caller may associate, ``connection`` telling more of it than its title; ``commitments``: whom
    to ask what a caller is to be told, where storage commitment is offered; ``see_off``: takes over a connection on which
    all is said, or returns ``False``. ``rights``: what is offered beside to this caller, and of which classes it may be
    the SCP.
    """

    ae_title: str
    offered: Mapping[str, Sequence[str]]
    services: Mapping[int, Service]
    admits: Callable[[Caller, socket.socket], bool]
    commitments: Commitments | None = None
    see_off: Callable[[socket.socket], bool] = lambda connected: False
    rights: Callable[[Caller], "Rights"] = lambda caller: Rights()


class Association(threading.Thread):
    """``request``: the content of its A-ASSOCIATE-RQ; ``left`` hears when it has ended."""

    def __init__(
        self, connected: socket.socket, address: str, request: bytes, house: House, left: Callable[["Association"], None]
    ) -> None:
        super().__init__(name=f"association {address}", daemon=True)
        self.address = address
        self._socket = connected
        self._request = request
        self._house = house
        self._left = left
        self._caller = Caller("", address)
        self._connection = Connection(connected)
        self._contexts: dict[int, Context] = {}
        self._longest = 0
        self._begun_at = time.monotonic()
        self._message_at = 0.0
        self._command = bytearray()
        self._open: tuple[int, Message | Inquiry] | None = None
        self._asked = 0
        self._telling = Telling("", address, {}, None)
        self._protests = 0
        self._told_to_end = self._is_cut = False
        self.is_storing = False

    @property
    def quiet_seconds(self) -> float:
        """How long no whole PDU has come; 0 while we are the ones who keep the peer waiting."""
        return 0.0 if self.is_storing else time.monotonic() - self._connection.heard_at

    @property
    def is_in_message(self) -> bool:
        """Whether a message has begun that is not answered yet."""
        return self._open is not None or self.is_storing

    def end(self) -> None:
        """End it: at once between messages, else when the one at hand is answered."""
        self._told_to_end = True
        if not self.is_in_message:
            self._connection.wake()

    def cut(self) -> None:
        """End it now, whatever it does."""
        self._told_to_end = self._is_cut = True
        self._connection.wake()

    @property
    def _is_between_messages(self) -> bool:
        return self._open is None and not self._command

    def run(self) -> None:
        """Until the peer releases or breaks off, a deadline passes, or it is told to end."""
        last_words = b""
        try:
            last_words = self._serve()
        except ProtocolError as error:
            last_words = pdu.abort(error.reason)
            event = "association timed out" if isinstance(error, TooSlow) else "association aborted"
            self._log(event, cause=str(error))
        except Ended:
            if self._told_to_end:
                last_words = pdu.abort(pdu.NOT_SPECIFIED, pdu.SERVICE_USER)
            elif self.is_in_message:
                self._log("association broken off", cause="the peer closed in the middle of a message")
        except Exception as error:  # nothing of a peer may end this thread with its slot still taken
            last_words = pdu.abort(pdu.NOT_SPECIFIED)
            self._log("association failed", cause=type(error).__name__)
        finally:
            if self._open is not None:
                with suppress(Exception):  # whatever it is, the slot has to be given back
                    self._open[1].abandon()
                self._open = None
            self._connection.part(last_words)
            self._left(self)
            if not self._house.see_off(self._socket):
                self._connection.linger()
            self._telling.over()

    def _serve(self) -> bytes:
        """Returns the last PDU to be sent; empty: none."""
        request = parse_request(self._request)
        self._caller = Caller(request.calling_ae_title, self.address)
        if refusal := self._refusal(request):
            return pdu.reject(*refusal)
        rights = self._house.rights(self._caller)
        self._contexts, accept = negotiate(request, {**self._house.offered, **rights.offered}, rights.sent)
        self._longest = request.maximum_length
        self._telling = Telling(self._caller.ae_title, self.address, self._contexts, self._house.commitments)
        self._connection.send(accept)
        while True:
            if self._is_cut or (self._is_between_messages and (self._told_to_end or time.monotonic() - self._begun_at > LIFE)):
                return pdu.abort(pdu.NOT_SPECIFIED, pdu.SERVICE_USER)
            self._tell()
            kind, content = self._connection.read(pdu.PDU_WITHIN if self._open or self._command else IDLE)
            if kind == pdu.P_DATA_TF:
                self._take(content)
            elif kind == pdu.A_RELEASE_RQ:
                return pdu.release_rp()
            elif kind == pdu.A_ABORT:
                return b""
            else:
                raise ProtocolError("a PDU that does not belong here", pdu.UNEXPECTED_PDU)

    def _refusal(self, request: Request) -> tuple[int, int, int] | None:
        if not request.protocol_version & 1:
            refusal = PROTOCOL_VERSION_NOT_SUPPORTED
        elif request.application_context != APPLICATION_CONTEXT:
            refusal = APPLICATION_CONTEXT_NOT_SUPPORTED
        elif request.called_ae_title != self._house.ae_title:
            refusal = CALLED_AE_TITLE_NOT_RECOGNISED
        elif not request.calling_ae_title or not self._house.admits(self._caller, self._socket):
            refusal = CALLING_AE_TITLE_NOT_RECOGNISED
        else:
            return None
        self._log("association refused", diagnostic=refusal[2])
        return refusal

    def _tell(self) -> None:
        """Between messages, once the peer says nothing: a report that is due (PS3.4 J.3.3)."""
        if self._open or self._command or not self._telling.may or not self._connection.is_quiet(QUIET):
            return
        self.is_storing = True
        try:
            report = self._telling.next()
            if report is not None:
                self._connection.send(pdu.p_data(*report, self._longest))
                self._connection.heard_at = time.monotonic()
        finally:
            self.is_storing = False

    def _take(self, content: memoryview) -> None:
        for fragment in pdu.fragments(content):
            if fragment.context_id not in self._contexts:
                raise ProtocolError("a presentation context that was not accepted")
            if fragment.is_command:
                self._take_command(fragment)
            else:
                self._take_data(fragment)

    def _take_command(self, fragment: Fragment) -> None:
        if self._open is not None:
            raise ProtocolError("a command set in the middle of a data set")
        if not self._command:
            self._message_at = time.monotonic()
        self._command += fragment.content
        if len(self._command) > command.LONGEST:
            raise ProtocolError("a command set that is too long")
        if not fragment.is_last:
            return
        request, self._command = command.parse(bytes(self._command)), bytearray()
        message = self._begin(request, self._contexts[fragment.context_id])
        if message is None:
            return
        self._open = fragment.context_id, message
        if not request.has_data_set:
            self._answer()

    def _take_data(self, fragment: Fragment) -> None:
        if self._open is None or self._open[0] != fragment.context_id:
            raise ProtocolError("a data set without its command set")
        if time.monotonic() - self._message_at > MESSAGE_WITHIN:
            raise TooSlow("a message was begun and not finished")
        self.is_storing = True  # a disk that keeps us waiting is not the peer's silence
        self._open[1].write(fragment.content)
        self._connection.heard_at = time.monotonic()
        self.is_storing = False
        if fragment.is_last:
            self._answer()

    def _begin(self, request: Command, context: Context) -> Message | Inquiry | None:
        if request.field == command.C_CANCEL_RQ:  # too late, or of nothing (PS3.7 9.3.2.3 asks for no answer)
            if request.elements.get(command.MESSAGE_ID_BEING_RESPONDED_TO) != self._asked.to_bytes(2, "little"):
                self._protest()
            return None
        if self._telling.heard(request):
            return _Heard(request) if request.has_data_set else None
        if request.field & command.RESPONSE:
            raise ProtocolError("a response to nothing that was asked")
        _ = request.message_id
        if not (context.requestor_is_scp if request.field == command.N_EVENT_REPORT_RQ else context.requestor_is_scu):
            raise ProtocolError("a request on a context on which the requestor does not have that part")
        service = self._house.services.get(request.field)
        if service is None:
            self._protest()
            return _Unrecognised(request)
        return service(request, context, self._caller)

    def _protest(self) -> None:
        self._protests += 1
        if self._protests > MOST_PROTESTS:
            raise ProtocolError("too many messages of no use")

    def _answer(self) -> None:
        assert self._open is not None
        context_id, message = self._open
        self.is_storing = True
        try:
            answer, data_set = self._converse(context_id, message) if isinstance(message, Inquiry) else (message.finish(), b"")
        finally:
            self._open = None
        if answer:
            self._connection.send(pdu.p_data(context_id, answer, data_set, self._longest))
        self._connection.heard_at = time.monotonic()
        self.is_storing = False

    def _converse(self, context_id: int, inquiry: Inquiry) -> tuple[bytes, bytes]:
        self._asked = inquiry.request.message_id
        channel = Channel(self._connection, self._contexts, context_id, self._asked, self._longest, lambda: self._is_cut)
        return inquiry.converse(channel)

    def _log(self, event: str, **details: object) -> None:
        log = structlog.get_logger()
        log.warning(event, calling_ae_title=self._caller.ae_title, address=self.address, **details)


class Echo:
    """C-ECHO (PS3.7 9.1.5)."""

    def __init__(self, request: Command, context: Context, caller: Caller) -> None:
        self._request = request

    def write(self, fragment: memoryview) -> None:
        """It has no data set; a peer that sends one all the same is answered."""

    def finish(self) -> bytes:
        """C-ECHO-RSP: success."""
        uids = (command.AFFECTED_SOP_CLASS_UID, command.AFFECTED_SOP_INSTANCE_UID)
        return command.response(self._request, command.C_ECHO_RSP, 0x0000, uids=uids)

    def abandon(self) -> None:
        """Nothing to be undone."""


class _Unrecognised(Echo):
    """An operation that is not offered."""

    def __init__(self, request: Command) -> None:
        self._request = request

    def finish(self) -> bytes:
        return command.response(self._request, self._request.field | command.RESPONSE, UNRECOGNISED_OPERATION)


class _Heard(Echo):
    """The data set of a response (Event Reply, PS3.7 10.3.1): listened to, and not answered."""

    def __init__(self, request: Command) -> None:
        self._request = request

    def finish(self) -> bytes:
        return b""
