"""C-FIND (PS3.4 C.4.1): the list in triage order, match by match, for whoever may ask."""

from dataclasses import dataclass
from threading import BoundedSemaphore

from triage.dimse import command, identifier
from triage.dimse.channel import Channel, Inquiry
from triage.dimse.command import Command
from triage.dimse.failures import Refused, status_of
from triage.dimse.identifier import Identifier
from triage.dimse.negotiation import Context
from triage.dimse.query_models import MODELS, Model, Status
from triage.domain.query import Query, understood
from triage.services import audit
from triage.services.ports import Clock, Database
from triage.services.query import find

MOST_MATCHES = 10_000
"""Of one query; the one that finds more is told so at the end, after the first ones in triage order."""
AT_A_TIME = 4
"""Queries that are answered at the same time: each may hold the UIDs of all studies, and films are received beside them."""
UIDS = (command.AFFECTED_SOP_CLASS_UID,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What queries are answered from. ``retrieve_ae_title``: what answers name as the place of the films."""

    database: Database
    clock: Clock
    retrieve_ae_title: str
    room: BoundedSemaphore


class Find(Inquiry):
    """One C-FIND-RQ. ``who``: as the audit names the one who asks."""

    def __init__(self, request: Command, context: Context, who: str, desk: Desk) -> None:
        super().__init__(request, context)
        self._who = who
        self._desk = desk

    def converse(self, channel: Channel) -> tuple[bytes, bytes]:
        """Pending responses, then the last one."""
        if not self._desk.room.acquire(blocking=False):
            return self._response(Status.OUT_OF_RESOURCES, "too many queries at this moment"), b""
        try:
            return self._answered(channel), b""
        except Exception as error:
            status, comment = status_of(error)
            return self._response(status, comment), b""
        finally:
            self._desk.room.release()

    def _answered(self, channel: Channel) -> bytes:
        model = self._model()
        asked = identifier.parse(self.identifier, self.context.transfer_syntax, model)
        query = understood(asked.level, asked.keys)
        audit.asked_for_list(self._desk.database, self._who, self._desk.clock)
        return self._tell(channel, model, asked, query)

    def _model(self) -> Model:
        model = MODELS.get(self.context.abstract_syntax)
        if model is None or model.operation != "FIND" or not self.request.has_data_set:
            raise Refused(Status.CLASS_NOT_SUPPORTED, "not an operation of this SOP class")
        return model

    def _tell(self, channel: Channel, model: Model, asked: Identifier, query: Query) -> bytes:
        pending = self._response(Status.PENDING_SOME_KEYS_IGNORED if query.ignored else Status.PENDING, has_data_set=True)
        desk = self._desk
        matches = find(desk.database, query, retrieve_ae_title=desk.retrieve_ae_title, go_on=channel.check)
        for number, match in enumerate(matches):
            if number >= MOST_MATCHES:
                raise Refused(Status.OUT_OF_RESOURCES, f"more than {MOST_MATCHES} matches: narrow the query")
            channel.respond(pending, identifier.answer(asked, match.attributes, model, self.context.transfer_syntax))
        return self._response(Status.SUCCESS)

    def _response(self, status: Status, comment: str = "", *, has_data_set: bool = False) -> bytes:
        return command.response(self.request, command.C_FIND_RSP, status, comment=comment, uids=UIDS, has_data_set=has_data_set)
