"""C-GET and C-MOVE (PS3.4 C.4.2, C.4.3): received films as they were received, byte for byte, to whoever may have them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from triage.archive.part10 import data_set_offset
from triage.dimse import command, identifier
from triage.dimse.channel import Channel, Inquiry
from triage.dimse.command import Command
from triage.dimse.failures import Refused, status_of
from triage.dimse.negotiation import Context
from triage.dimse.query_models import MODELS, Status
from triage.domain.errors import ArchiveAway
from triage.domain.instance import Instance
from triage.domain.query import understood
from triage.domain.query_keys import UNIQUE, QueryLevel
from triage.services import audit
from triage.services.ports import Archive, Clock, Database
from triage.services.query import find

MOST_FILMS = 2000
"""Of one retrieval."""
UIDS = (command.AFFECTED_SOP_CLASS_UID,)


class Sender(Protocol):
    """Sends films somewhere, one at a time."""

    def send(self, film: Instance, data_set: BinaryIO) -> bool:
        """Send one; whether it was taken. ``data_set`` stands at the first byte of the data set.

        Raises:
            Cancelled: the peer wants no more.
            TriageError: nothing can be sent any more.
        """

    def close(self) -> None:
        """No more come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where films are taken from, and where their leaving is noted."""

    database: Database
    archive: Archive
    clock: Clock


@dataclass(slots=True)
class Tally:
    """Numbers of sub-operations (PS3.7 9.1.3.1), as they go."""

    remaining: int
    completed: int = 0
    failed: list[str] = field(default_factory=list)

    def numbers(self, *, over: bool) -> dict[int, int]:
        """As a response tells them; what remains is told as long as something may."""
        told = {command.COMPLETED: self.completed, command.FAILED: len(self.failed), command.WARNING: 0}
        return told if over else {command.REMAINING: self.remaining, **told}

    @property
    def status(self) -> Status:
        """Of the last response."""
        if not self.failed:
            return Status.SUCCESS
        return Status.SOME_FAILED if self.completed else Status.UNABLE_TO_PERFORM


class Retrieve(Inquiry):
    """One C-GET-RQ or C-MOVE-RQ. ``begin`` gives the sender once it is known what is to be sent."""

    def __init__(
        self,
        request: Command,
        context: Context,
        who: str,
        store: Store,
        begin: Callable[[Channel, Sequence[Instance]], Sender],
        to: str = "",
    ) -> None:
        super().__init__(request, context)
        self._who = who
        self._store = store
        self._begin = begin
        self._to = to
        self._operation = "GET" if request.field == command.C_GET_RQ else "MOVE"

    def converse(self, channel: Channel) -> tuple[bytes, bytes]:
        """The films, a response after each, then the last one."""
        tally = Tally(0)
        try:
            films = self._films(channel)
            tally.remaining = len(films)
            self._send(channel, films, tally)
            status, comment = tally.status, ""
        except Exception as error:
            status, comment = status_of(error)
        failed = bool(tally.failed)
        over = status is not Status.CANCELLED
        response = self._response(status, tally.numbers(over=over), comment, has_data_set=failed)
        return response, identifier.failed_list(tally.failed, self.context.transfer_syntax) if failed else b""

    def _films(self, channel: Channel) -> list[Instance]:
        """What is asked for, by its unique keys alone (PS3.4 C.4.2.2.1).

        Raises:
            IdentifierMismatch, CannotUnderstand, Refused: it cannot be told, or is too much.
        """
        model = MODELS.get(self.context.abstract_syntax)
        if model is None or model.operation != self._operation or not self.request.has_data_set:
            raise Refused(Status.CLASS_NOT_SUPPORTED, "not an operation of this SOP class")
        asked = identifier.parse(self.identifier, self.context.transfer_syntax, model)
        keys = {key: asked.keys.get(key, "") for level, key in UNIQUE.items() if level.depth <= asked.level.depth}
        if not keys[UNIQUE[asked.level]].strip(" \0") or set("*?") & set("".join(keys.values())):
            raise Refused(Status.IDENTIFIER_MISMATCH, f"{UNIQUE[asked.level]} needs a value")
        query = understood(QueryLevel.IMAGE, keys)
        films = list[Instance]()
        for match in find(self._store.database, query, go_on=channel.check):
            if len(films) >= MOST_FILMS:
                raise Refused(Status.OUT_OF_RESOURCES, f"more than {MOST_FILMS} films: ask for fewer")
            with self._store.database.read() as tx:
                film = tx.instance(match.attributes["SOPInstanceUID"][0])
            films += [film] if film is not None else []
        return films

    def _send(self, channel: Channel, films: Sequence[Instance], tally: Tally) -> None:
        if not films:
            return
        for study in dict.fromkeys(film.study_instance_uid for film in films):
            audit.fetched(self._store.database, self._who, study, f"C-{self._operation}", self._to, self._store.clock)
        with _closing(self._begin(channel, films)) as sender:
            for film in films:
                taken = self._sent(sender, film)
                tally.remaining -= 1
                tally.completed += taken
                tally.failed += [] if taken else [film.sop_instance_uid]
                if tally.remaining:
                    channel.respond(self._response(Status.PENDING, tally.numbers(over=False)))

    def _sent(self, sender: Sender, film: Instance) -> bool:
        """Whether it went and was taken; damaged bytes are not sent."""
        try:
            if not self._store.archive.is_intact(film.digest):
                return False
            with self._store.archive.open(film.digest) as stream:
                stream.seek(data_set_offset(stream))
                return sender.send(film, stream)
        except (ArchiveAway, OSError, ValueError):
            return False

    def _response(self, status: Status, numbers: dict[int, int], comment: str = "", *, has_data_set: bool = False) -> bytes:
        field = command.C_GET_RSP if self._operation == "GET" else command.C_MOVE_RSP
        return command.response(
            self.request, field, status, comment=comment, uids=UIDS, has_data_set=has_data_set, numbers=numbers
        )


class SameAssociation:
    """Films by C-STORE on the association of the C-GET, on contexts of which the requestor is the SCP."""

    def __init__(self, channel: Channel, films: Sequence[Instance]) -> None:
        self._channel = channel

    def send(self, film: Instance, data_set: BinaryIO) -> bool:
        """See :class:`Sender`."""
        context_id = self._channel.context_for(film.sop_class_uid, film.transfer_syntax_uid)
        if context_id is None:
            return False
        status = self._channel.store(context_id, film.sop_class_uid, film.sop_instance_uid, data_set)
        return is_stored(status)

    def close(self) -> None:
        """The association stays."""


def is_stored(status: int) -> bool:
    """Whether a C-STORE-RSP says that the film was stored, with a remark or without (PS3.4 B.2.3)."""
    return status == 0x0000 or status & 0xF000 == 0xB000


@contextmanager
def _closing(sender: Sender) -> Iterator[Sender]:
    try:
        yield sender
    finally:
        sender.close()
