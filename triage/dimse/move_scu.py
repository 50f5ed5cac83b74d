"""The C-STOREs of a C-MOVE, on an association of our own to the move destination (PS3.4 C.4.2.3)."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pynetdicom import AE, _config, build_context
from pynetdicom.association import Association

from triage.dimse.failures import Refused
from triage.dimse.query_models import Status
from triage.dimse.requestor import steady
from triage.dimse.retrieve_scp import is_stored
from triage.dimse.tls_client import ClientContext
from triage.domain.destination import Destination
from triage.domain.instance import Instance

CONNECT_WITHIN, ASSOCIATE_WITHIN, ANSWER_WITHIN = 5, 10, 60
"""Seconds."""
FILM_WITHIN = 300.0
"""Seconds for a destination to take one film and answer it: the library waits for ever for one that does not read."""
LOOK_EVERY = 0.25


class Delivery:
    """Films to one destination. ``originator``: AE title and Message ID of the C-MOVE; ``local`` gives a film's file.

    ``is_over``: asked while a film is on its way, whether nobody waits for it any more.

    Raises:
        Refused: the destination cannot be reached, refuses, or takes none of the kinds of film.
    """

    def __init__(
        self,
        films: Sequence[Instance],
        to: Destination,
        *,
        ae_title: str,
        originator: tuple[str, int],
        local: Callable[[str], AbstractContextManager[Path]],
        tls: Callable[[Destination], ClientContext] | None = None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._originator = originator
        self._local = local
        self._is_over = is_over
        self._association = _associate(films, to, ae_title, tls(to) if tls else None)

    def send(self, film: Instance, data_set: BinaryIO) -> bool:
        """See :class:`triage.dimse.retrieve_scp.Sender`: the file's own bytes go, as the library reads them from its path."""
        title, message_id = self._originator
        try:
            with self._local(film.digest) as path, self._watched():
                answer = steady(self._association).send_c_store(path, originator_aet=title, originator_id=message_id)
        except (ValueError, RuntimeError):  # no context for its kind; the association is over
            return False
        return "Status" in answer and is_stored(int(answer.Status))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Shut the connection, which ends whatever the library waits for, where a film takes too long or nobody waits."""
        done, until = threading.Event(), time.monotonic() + FILM_WITHIN

        def watch() -> None:
            while not done.wait(LOOK_EVERY):
                if time.monotonic() > until or self._is_over():
                    connection = self._association.dul.socket
                    if connection is not None and connection.socket is not None:
                        with suppress(OSError):
                            socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)  # that of SSLSocket forgets TLS
                    return

        threading.Thread(target=watch, name="move", daemon=True).start()
        try:
            yield
        finally:
            done.set()

    def close(self) -> None:
        """Release the association."""
        if self._association.is_established:
            self._association.release()


def _associate(films: Sequence[Instance], to: Destination, ae_title: str, tls: ClientContext | None) -> Association:
    _config.LOG_HANDLER_LEVEL = "none"  # its own handlers would write identifiers to the log
    _config.STORE_SEND_CHUNKED_DATASET = True  # no decoding, no new encoding
    entity = AE(ae_title=ae_title)
    entity.connection_timeout, entity.acse_timeout = CONNECT_WITHIN, ASSOCIATE_WITHIN
    entity.dimse_timeout = entity.network_timeout = ANSWER_WITHIN
    kinds = dict.fromkeys((film.sop_class_uid, film.transfer_syntax_uid) for film in films)
    association = entity.associate(
        to.host,
        to.port,
        contexts=[build_context(*kind) for kind in kinds],
        ae_title=to.ae_title,
        tls_args=(tls, to.host) if tls else None,
    )
    if not association.is_established:
        raise Refused(Status.UNABLE_TO_PERFORM, "the move destination takes no association for these films")
    return association
