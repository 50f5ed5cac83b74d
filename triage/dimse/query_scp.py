"""Who may ask and fetch (PS3.4 C.4), and what an association begins for them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore

from triage.dimse import command
from triage.dimse.association import Caller, Rights, Service
from triage.dimse.channel import Channel, Inquiry
from triage.dimse.command import Command
from triage.dimse.contexts import STORAGE_CLASSES
from triage.dimse.failures import Refused
from triage.dimse.find_scp import AT_A_TIME, Desk, Find
from triage.dimse.negotiation import Context
from triage.dimse.peers import Peer
from triage.dimse.query_models import Status, of_operations
from triage.dimse.retrieve_scp import Retrieve, SameAssociation, Sender, Store
from triage.dimse.tls_client import ClientContext
from triage.domain.destination import Destination
from triage.domain.instance import Instance
from triage.services.ports import Archive, Clock, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """Nobody, unless named. ``destinations``: where films may be moved to, by AE title."""

    query: Sequence[Peer] = ()
    retrieve: Sequence[Peer] = ()
    destinations: Mapping[str, Destination] = field(default_factory=dict)

    def rights(self, caller: Caller) -> Rights:
        """What a caller may; films may be fetched by C-MOVE only where there is somewhere to move them to."""
        offered: dict[str, Sequence[str]] = {}
        if _is_among(caller, self.query):
            offered |= of_operations("FIND")
        if not _is_among(caller, self.retrieve):
            return Rights(offered)
        offered |= of_operations("GET", "MOVE") if self.destinations else of_operations("GET")
        return Rights(offered, STORAGE_CLASSES)


def _is_among(caller: Caller, peers: Sequence[Peer]) -> bool:
    return any(peer.admits(caller.ae_title, caller.address) for peer in peers)


class Queries:
    """``local`` gives a film's file by digest; ``tls`` makes what a move destination is called by; ``None``: without TLS."""

    def __init__(
        self,
        *,
        ae_title: str,
        database: Database,
        archive: Archive,
        local: Callable[[str], AbstractContextManager[Path]],
        clock: Clock,
        permissions: Permissions,
        tls: Callable[[Destination], ClientContext] | None = None,
    ) -> None:
        self._ae_title = ae_title
        self._permissions = permissions
        self._local = local
        self._tls = tls
        retrieve_ae_title = ae_title if permissions.retrieve else ""
        room = BoundedSemaphore(AT_A_TIME)
        self._desk = Desk(database=database, clock=clock, retrieve_ae_title=retrieve_ae_title, room=room)
        self._store = Store(database=database, archive=archive, clock=clock)
        self.services: dict[int, Service] = {
            command.C_FIND_RQ: self._find,
            command.C_GET_RQ: self._get,
            command.C_MOVE_RQ: self._move,
        }

    def rights(self, caller: Caller) -> Rights:
        """See :class:`Permissions`."""
        return self._permissions.rights(caller)

    def _find(self, request: Command, context: Context, caller: Caller) -> Inquiry:
        return Find(request, context, _name(caller), self._desk)

    def _get(self, request: Command, context: Context, caller: Caller) -> Inquiry:
        return Retrieve(request, context, _name(caller), self._store, SameAssociation)

    def _move(self, request: Command, context: Context, caller: Caller) -> Inquiry:
        title = request.elements.get(command.MOVE_DESTINATION, b"").decode("latin-1").strip(" \0")
        to = self._permissions.destinations.get(title)

        def begin(channel: Channel, films: Sequence[Instance]) -> Sender:
            from triage.dimse.move_scu import Delivery

            assert to is not None
            originator = (caller.ae_title, request.message_id)
            return Delivery(
                films,
                to,
                ae_title=self._ae_title,
                originator=originator,
                local=self._local,
                tls=self._tls,
                is_over=lambda: channel.is_cut,
            )

        def nowhere(channel: Channel, films: Sequence[Instance]) -> Sender:
            raise Refused(Status.DESTINATION_UNKNOWN, "the move destination is not known")

        return Retrieve(request, context, _name(caller), self._store, begin if to else nowhere, to=title if to else "")


def _name(caller: Caller) -> str:
    """As the audit names a system that asks; a colon stands in no account's name."""
    return f"dicom:{caller.ae_title}@{caller.address}"
