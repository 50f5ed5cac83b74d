"""An operation that is more than one answer: responses while it goes on, C-CANCEL between them, and films sent to the peer.

The one thread of the association does all of it: it looks for the peer's word between two responses, never beside them, so
that a peer which does not read holds nothing but its own slot, for as long as a PDU may take.
"""

import time
from collections.abc import Callable, Mapping
from typing import BinaryIO

from triage.dimse import command, pdu
from triage.dimse.command import Command
from triage.dimse.negotiation import Context
from triage.dimse.pdu import Connection, Ended, ProtocolError, TooSlow

STORED_WITHIN = 60.0
"""Seconds for the peer to answer a film that was sent to it."""
WITHIN = 600.0
"""Seconds that a query may take altogether, and the peer to take one film; a film that is sent begins them anew."""
MOST_HEARD = 16 << 20
"""Bytes of an identifier that are listened to before the association ends; what counts of it is far less."""


class Cancelled(Exception):
    """The peer sent C-CANCEL for this operation."""


class Channel:
    """What an operation may do with its association. ``contexts``: accepted ones, by ID; ``context_id``: its own."""

    def __init__(
        self,
        connection: Connection,
        contexts: Mapping[int, Context],
        context_id: int,
        message_id: int,
        longest: int,
        is_cut: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._contexts = contexts
        self._context_id = context_id
        self._message_id = message_id
        self._longest = longest
        self._is_cut = is_cut
        self._deadline = time.monotonic() + WITHIN
        self._command = bytearray()
        self._stores = 0
        self._is_cancelled = False

    @property
    def is_cut(self) -> bool:
        """Whether the association is to end now."""
        return self._is_cut()

    def respond(self, response: bytes, data_set: bytes = b"") -> None:
        """Send a response that is not the last one.

        Raises:
            Cancelled: the peer wants no more.
            TooSlow, Ended, ProtocolError: the association is over.
        """
        self.check()
        self._connection.send(pdu.p_data(self._context_id, response, data_set, self._longest))

    def check(self) -> None:
        """Whether to go on.

        Raises:
            Cancelled, TooSlow, Ended, ProtocolError: as :meth:`respond`.
        """
        if self._is_cut():
            raise Ended
        if time.monotonic() > self._deadline:
            raise TooSlow("an operation that takes too long")
        while self._connection.has_word():
            if self._hear(pdu.PDU_WITHIN) is not None:
                raise ProtocolError("a response to nothing that was asked")
        if self._is_cancelled:
            raise Cancelled

    def context_for(self, sop_class_uid: str, transfer_syntax_uid: str) -> int | None:
        """The ID of a context on which the peer takes films of that kind; ``None``: it takes none."""
        wanted = (sop_class_uid, transfer_syntax_uid)
        fits = (
            number
            for number, context in sorted(self._contexts.items())
            if context.requestor_is_scp and (context.abstract_syntax, context.transfer_syntax) == wanted
        )
        return next(fits, None)

    def store(self, context_id: int, sop_class_uid: str, sop_instance_uid: str, data_set: BinaryIO) -> int:
        """Send a film, its data set as ``data_set`` gives it, and hear the status (PS3.7 9.1.1).

        Raises:
            Cancelled, TooSlow, Ended, ProtocolError: as :meth:`respond`; a film that was begun is sent to its end.
        """
        self.check()
        self._stores = self._stores % 0xFFFF + 1
        request = command.store_request(sop_class_uid, sop_instance_uid, self._stores)
        self._connection.send(pdu.p_data(context_id, request, b"", self._longest))
        self._deadline = time.monotonic() + WITHIN
        for part in pdu.data_parts(context_id, data_set, self._longest):
            if self._is_cut():
                raise Ended
            if time.monotonic() > self._deadline:
                raise TooSlow("a film that the peer takes too long to read")
            self._connection.send(part)
        self._deadline = time.monotonic() + WITHIN
        answer = None
        while answer is None:
            answer = self._hear(STORED_WITHIN)  # a C-CANCEL counts once the film at hand is answered
        if answer.field != command.C_STORE_RSP or answer.number(command.MESSAGE_ID_BEING_RESPONDED_TO) != self._stores:
            raise ProtocolError("a response to nothing that was asked")
        return answer.number(command.STATUS)

    def _hear(self, within: float) -> Command | None:
        """One PDU of the peer; the response that it ends with, if it does."""
        kind, content = self._connection.read(within)
        if kind == pdu.A_ABORT:
            raise Ended
        if kind != pdu.P_DATA_TF:
            raise ProtocolError("a PDU that does not belong here", pdu.UNEXPECTED_PDU)
        heard = None
        for fragment in pdu.fragments(content):
            if not fragment.is_command or fragment.context_id not in self._contexts or heard is not None:
                raise ProtocolError("a message in the middle of an operation")
            self._command += fragment.content
            if len(self._command) > command.LONGEST:
                raise ProtocolError("a command set that is too long")
            if fragment.is_last:
                heard, self._command = command.parse(bytes(self._command)), bytearray()
        if heard is None or heard.field & command.RESPONSE:
            return heard
        if heard.field != command.C_CANCEL_RQ:
            raise ProtocolError("a request in the middle of an operation")
        if heard.number(command.MESSAGE_ID_BEING_RESPONDED_TO) == self._message_id:
            self._is_cancelled = True
        return None


class Inquiry:
    """A request with an identifier, which :meth:`converse` answers once the identifier is there."""

    def __init__(self, request: Command, context: Context) -> None:
        self.request = request
        self.context = context
        self._heard = 0
        self._identifier = bytearray()

    def write(self, fragment: memoryview) -> None:
        """Take a fragment of the identifier; what is too long is heard to its end, and refused then.

        Raises:
            ProtocolError: there is no end of it.
        """
        self._heard += len(fragment)
        if self._heard > MOST_HEARD:
            raise ProtocolError("a data set without end")
        if len(self._identifier) <= command.LONGEST_IDENTIFIER:
            self._identifier += fragment

    @property
    def identifier(self) -> bytes:
        """What came, or as much of it as shows that it is too long."""
        return bytes(self._identifier)

    def converse(self, channel: Channel) -> tuple[bytes, bytes]:
        """Do it, responding on the way; returns the last response, and its data set."""
        raise NotImplementedError

    def abandon(self) -> None:
        """The association ended before the request did."""
