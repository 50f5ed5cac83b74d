"""The Storage SCP: who may associate, how many at a time, and how it ends."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from triage.dimse import command, pdu
from triage.dimse.association import LOCAL_LIMIT_EXCEEDED, Association, Caller, Echo, House, Rights, Service
from triage.dimse.commitment_heard import Reports
from triage.dimse.commitments import Commitments, Request
from triage.dimse.contexts import OFFERED
from triage.dimse.lobby import BACKLOG, Lobby, Secure
from triage.dimse.negotiation import Context
from triage.dimse.peers import Peer
from triage.dimse.query_scp import Queries
from triage.dimse.store_scp import Answered, Begin, Store
from triage.domain.commitment import SOP_CLASS_UID, TRANSFER_SYNTAXES
from triage.listening import listen

DRAIN = timedelta(seconds=10)
CUT_WITHIN = 2.0
GIVES_WAY_AFTER = 3.0
"""Seconds without a whole PDU after which an association gives way to a new one, when there are as many as are allowed."""

WRONG_TITLE = "its certificate is for another AE title; see dimse.tls.bindings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``associations`` at a time, ``of_address``: of one address among them; ``object_bytes``: of one data set."""

    associations: int
    of_address: int
    object_bytes: int


class Listener:
    """A running Storage SCP. ``peers`` empty: any AE title may associate (loopback only, see the settings).

    With ``secure`` a caller has a certificate, and the AE title is one that it may use; ``peers`` count as well.
    ``refused(address, cause)`` hears of those who are turned away for their TLS; it must not wait.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(
        self,
        *,
        ae_title: str,
        host: str,
        port: int,
        peers: Sequence[Peer],
        limits: Limits,
        begin: Begin,
        secure: Secure | None = None,
        refused: Callable[[str, str], None] = lambda address, cause: None,
        commitments: Commitments | None = None,
        queries: Queries | None = None,
        reports: Reports | None = None,
        answered: Answered = lambda sender, status, size_bytes, seconds: None,
    ) -> None:
        self._peers = tuple(peers)
        self._limits = limits
        self._begin = begin
        self._answered = answered
        self._secure = secure
        self._refused = refused
        self._lock = threading.Lock()
        self._associations: set[Association] = set()
        services: dict[int, Service] = {command.C_STORE_RQ: self._store, command.C_ECHO_RQ: Echo}
        offered: dict[str, Sequence[str]] = {**OFFERED}
        if commitments is not None:
            offered[SOP_CLASS_UID] = TRANSFER_SYNTAXES
            services[command.N_ACTION_RQ] = _commitment(commitments)
        if queries is not None:
            services |= queries.services
        if reports is not None:
            services[command.N_EVENT_REPORT_RQ] = reports.begin
        listening = listen(host, port, BACKLOG, "dimse.port")
        self.port = int(listening.getsockname()[1])
        self._lobby = Lobby(listening, self._enter, secure, refused)
        self._house = House(
            ae_title=ae_title,
            offered=offered,
            services=services,
            admits=self._admits,
            commitments=commitments,
            see_off=self._lobby.see_off,
            rights=_rights(*(one.rights for one in (queries, reports) if one is not None)),
        )
        self._lobby.start()

    @property
    def is_listening(self) -> bool:
        """Whether new connections are taken; not, once told to stop, or when its thread has failed."""
        return self._lobby.is_alive()

    def stop(self, drain: timedelta = DRAIN) -> int:
        """No new associations; messages at hand have ``drain`` to be finished; returns how many had to be cut off."""
        self._lobby.close()
        self._lobby.join()
        present = self._present()
        for association in present:
            association.end()
        _join(present, drain.total_seconds())
        left = self._present()
        for association in left:
            association.cut()
        _join(left, CUT_WITHIN)
        return len(left)

    def _present(self) -> list[Association]:
        with self._lock:
            return list(self._associations)

    def _enter(self, connected: socket.socket, address: str, request: bytes, let_go: Callable[[], None]) -> bytes:
        with self._lock:
            if not self._has_room(address):
                return pdu.reject(*LOCAL_LIMIT_EXCEEDED)
            let_go()
            association = Association(connected, address, request, self._house, self._leave)
            self._associations.add(association)
        try:
            association.start()
        except RuntimeError:  # no thread is to be had: memory, or the number of tasks, is at its limit
            self._leave(association)
            with suppress(OSError):
                connected.setblocking(False)
                connected.send(pdu.reject(*LOCAL_LIMIT_EXCEEDED))
            connected.close()
        return b""

    def _has_room(self, address: str) -> bool:
        """Whether one more of this address fits; if not, the one that has been quiet longest gives way, if it has been long."""
        same = [one for one in self._associations if one.address == address]
        for present, most in ((same, self._limits.of_address), (list(self._associations), self._limits.associations)):
            if len(present) >= most:
                stalest = max(present, key=lambda one: one.quiet_seconds)
                if stalest.quiet_seconds < GIVES_WAY_AFTER:
                    return False
                self._associations.discard(stalest)
                stalest.cut()
                return True
        return True

    def _leave(self, association: Association) -> None:
        with self._lock:
            self._associations.discard(association)

    def _admits(self, caller: Caller, connected: socket.socket) -> bool:
        if self._secure is not None and not self._is_certified(caller, connected, self._secure):
            return False
        return not self._peers or any(peer.admits(caller.ae_title, caller.address) for peer in self._peers)

    def _is_certified(self, caller: Caller, connected: socket.socket, secure: Secure) -> bool:
        """Whether the caller's certificate may use the AE title that the caller gives."""
        if not isinstance(connected, ssl.SSLSocket):
            return False
        if caller.ae_title in secure.titles(connected):
            return True
        certificate = secure.subject(connected)
        structlog.get_logger().warning(
            "TLS refused",
            address=caller.address,
            calling_ae_title=caller.ae_title,
            certificate=certificate,
            cause=WRONG_TITLE,
        )
        self._refused(caller.address, f"{WRONG_TITLE}: {certificate}")
        return False

    def _store(self, request: command.Command, context: Context, caller: Caller) -> Store:
        return Store(request, context, caller.ae_title, self._begin, 2 * self._limits.object_bytes, self._answered)


def _rights(*given: Callable[[Caller], Rights]) -> Callable[[Caller], Rights]:
    """What a caller may by one or another."""

    def rights(caller: Caller) -> Rights:
        found = [one(caller) for one in given]
        offered = {name: syntaxes for one in found for name, syntaxes in one.offered.items()}
        return Rights(offered, [name for one in found for name in one.sent])

    return rights


def _commitment(commitments: Commitments) -> Service:
    def begin(request: command.Command, context: Context, caller: Caller) -> Request:
        return Request(request, context, caller.ae_title, caller.address, commitments)

    return begin


def _join(associations: Sequence[Association], within: float) -> None:
    deadline = time.monotonic() + within
    for association in associations:
        association.join(max(0.0, deadline - time.monotonic()))
