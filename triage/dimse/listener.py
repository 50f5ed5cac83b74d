"""The Storage SCP: who may associate, how many at a time, and how it ends."""

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from triage.dimse import command, pdu
from triage.dimse.association import LOCAL_LIMIT_EXCEEDED, Association, Caller, Echo, House, Service
from triage.dimse.contexts import OFFERED
from triage.dimse.lobby import BACKLOG, Lobby, Secure
from triage.dimse.negotiation import Context
from triage.dimse.store_scp import Begin, Store
from triage.domain.errors import ConfigError
from triage.domain.identifiers import is_ae_title

DRAIN = timedelta(seconds=10)
CUT_WITHIN = 2.0
GIVES_WAY_AFTER = 3.0
"""Seconds without a whole PDU after which an association gives way to a new one, when there are as many as are allowed."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who may associate: an AE title, from one address or (``None``) from any."""

    ae_title: str
    address: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Peer":
        """``AET`` or ``AET@ADDRESS``.

        Raises:
            ConfigError: neither.
        """
        ae_title, _, address = text.partition("@")
        if not is_ae_title(ae_title):
            raise ConfigError(f"dimse.allowed_peers: {text!r} is not AET or AET@ADDRESS")
        return cls(ae_title.strip(), address or None)

    def admits(self, ae_title: str, address: str) -> bool:
        """Whether a peer is this one. A title alone proves nothing; TLS is what binds it to a sender."""
        return self.ae_title == ae_title.strip() and self.address in (None, address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``associations`` at a time, ``of_address``: of one address among them; ``object_bytes``: of one data set."""

    associations: int
    of_address: int
    object_bytes: int


class Listener:
    """A running Storage SCP. ``peers`` empty: any AE title may associate (loopback only, see the settings).

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
    ) -> None:
        self._peers = tuple(peers)
        self._limits = limits
        self._begin = begin
        self._lock = threading.Lock()
        self._associations: set[Association] = set()
        self._is_open = True
        services: Mapping[int, Service] = {command.C_STORE_RQ: self._store, command.C_ECHO_RQ: Echo}
        self._house = House(ae_title=ae_title, offered=OFFERED, services=services, admits=self._admits)
        listening = _listen(host, port)
        self.port = int(listening.getsockname()[1])
        self._lobby = Lobby(listening, self._enter, secure)
        self._lobby.start()

    def stop(self, drain: timedelta = DRAIN) -> int:
        """No new associations; messages at hand have ``drain`` to be finished; returns how many had to be cut off."""
        self._is_open = False
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
        association.start()
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
        return not self._peers or any(peer.admits(caller.ae_title, caller.address) for peer in self._peers)

    def _store(self, request: command.Command, context: Context, caller: Caller) -> Store:
        return Store(request, context, caller.ae_title, self._begin, 2 * self._limits.object_bytes)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(f"dimse.port: cannot listen on {host}:{port} ({error.strerror}); is it in use?") from error
    return listening


def _join(associations: Sequence[Association], within: float) -> None:
    deadline = time.monotonic() + within
    for association in associations:
        association.join(max(0.0, deadline - time.monotonic()))
