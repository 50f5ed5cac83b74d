"""The Storage SCP: who may associate, how long, and how it ends. Hardening against hostile peers belongs here."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from pynetdicom import AE, _config, evt

from triage.dimse.contexts import offered
from triage.dimse.store_scp import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, handle_store
from triage.domain.errors import ConfigError
from triage.domain.identifiers import is_ae_title
from triage.domain.instance import Instance
from triage.services.receive import Received

MAXIMUM_PDU_BYTES = 128 * 1024
ACSE_TIMEOUT = 10
NETWORK_TIMEOUT = 30
DRAIN = timedelta(seconds=10)
ABORT_WITHIN = 2.0

# A-ASSOCIATE-RJ (PS3.8 9.3.4): result, source, diagnostic
CALLING_AE_TITLE_NOT_RECOGNISED = (0x01, 0x01, 0x03)


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


class Listener:
    """A running Storage SCP. ``peers`` empty: any AE title may associate (loopback only, see the settings)."""

    def __init__(
        self,
        *,
        ae_title: str,
        host: str,
        port: int,
        peers: Sequence[Peer],
        max_associations: int,
        take: Callable[[Received], Instance],
    ) -> None:
        _config.LOG_HANDLER_LEVEL = "none"  # its own handlers would write identifiers to the log
        self._peers = tuple(peers)
        self._entity = AE(ae_title=ae_title)
        self._entity.require_called_aet = True
        self._entity.maximum_associations = max_associations
        self._entity.maximum_pdu_size = MAXIMUM_PDU_BYTES
        self._entity.acse_timeout = ACSE_TIMEOUT
        self._entity.network_timeout = NETWORK_TIMEOUT
        self._entity.dimse_timeout = NETWORK_TIMEOUT
        self._entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        self._entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._entity.supported_contexts = offered()
        handlers = [
            (evt.EVT_CONN_OPEN, _without_delay),
            (evt.EVT_REQUESTED, self._admit),
            (evt.EVT_C_STORE, handle_store, [take]),
        ]
        try:
            self._server = self._entity.start_server((host, port), block=False, evt_handlers=handlers)
        except OSError as error:
            raise ConfigError(f"dimse.port: cannot listen on {host}:{port} ({error.strerror}); is it in use?") from error

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def stop(self, drain: timedelta = DRAIN) -> int:
        """No new associations; present ones have ``drain`` to finish; returns how many had to be aborted."""
        self._server.shutdown()
        deadline = time.monotonic() + drain.total_seconds()
        for association in self._server.active_associations:
            association.join(max(0.0, deadline - time.monotonic()))
        left = self._server.active_associations
        for association in left:
            threading.Thread(target=association.abort, daemon=True).start()
        deadline = time.monotonic() + ABORT_WITHIN
        for association in left:
            association.join(max(0.0, deadline - time.monotonic()))
        return len(left)

    def _admit(self, event: evt.Event) -> None:
        requestor = event.assoc.requestor
        ae_title = str(requestor.primitive.calling_ae_title).strip()
        if not self._peers or any(peer.admits(ae_title, requestor.address) for peer in self._peers):
            return
        structlog.get_logger().warning("association refused", calling_ae_title=ae_title, address=requestor.address)
        event.assoc.acse.send_reject(*CALLING_AE_TITLE_NOT_RECOGNISED)
        event.assoc.kill()


def _without_delay(event: evt.Event) -> None:
    # a response of a few bytes must not wait for the peer's delayed ACK
    connection = event.assoc.dul.socket.socket
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
