"""Tell a report on an association of our own: requestor of the association, SCP of the class (PS3.4 J.3.3, PS3.7 D.3.3.4)."""

import socket
from collections.abc import Callable
from contextlib import suppress

from pynetdicom import AE, _config, build_context, build_role, evt
from pynetdicom.association import Association

from triage.dimse.commitment_data_set import event_information
from triage.dimse.commitments import is_taken
from triage.dimse.requestor import steady
from triage.dimse.tls_client import ClientContext
from triage.domain.commitment import SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSFER_SYNTAXES, Report
from triage.domain.destination import Destination

CONNECT_WITHIN, ASSOCIATE_WITHIN, ANSWER_WITHIN = 5, 10, 30
"""Seconds."""


class NotTold(Exception):
    """The requestor did not take the report; ``unreachable``: there was nobody to tell anything."""

    def __init__(self, cause: str, *, unreachable: bool = False) -> None:
        super().__init__(cause)
        self.unreachable = unreachable


class Calls:
    """One call at a time. ``ae_title``: ours; ``tls`` makes what a destination is called by; ``None``: without TLS."""

    def __init__(self, ae_title: str, tls: Callable[[Destination], ClientContext] | None = None) -> None:
        self._ae_title = ae_title
        self._tls = tls
        self._socket: socket.socket | None = None

    def tell(self, report: Report, to: Destination) -> None:
        """Send the N-EVENT-REPORT and hear the answer.

        A requestor that answers no role selection is told all the same: many leave it out and listen.

        Raises:
            NotTold: it was not taken.
            ConfigError: our certificate cannot be used.
        """
        association = self._associate(to, self._tls(to) if self._tls else None)
        try:
            answer, _ = steady(association).send_n_event_report(
                event_information(report), report.event_type_id, SOP_CLASS_UID, SOP_INSTANCE_UID
            )
        except (ValueError, RuntimeError) as error:
            raise NotTold(f"the association ended ({type(error).__name__})") from None
        finally:
            if association.is_established:
                association.release()
        if "Status" not in answer:
            raise NotTold("no answer came")
        if not is_taken(int(answer.Status)):
            raise NotTold(f"the requestor answers {int(answer.Status):04X}")

    def hang_up(self) -> None:
        """End the present call, from another thread: the library's own threads would keep the process until a time-out."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _associate(self, to: Destination, tls: ClientContext | None) -> Association:
        _config.LOG_HANDLER_LEVEL = "none"  # its own handlers would write identifiers to the log
        entity = AE(ae_title=self._ae_title)
        entity.connection_timeout, entity.acse_timeout = CONNECT_WITHIN, ASSOCIATE_WITHIN
        entity.dimse_timeout = entity.network_timeout = ANSWER_WITHIN
        association = entity.associate(
            to.host,
            to.port,
            contexts=[build_context(SOP_CLASS_UID, list(TRANSFER_SYNTAXES))],
            ae_title=to.ae_title,
            ext_neg=[build_role(SOP_CLASS_UID, scp_role=True)],
            tls_args=(tls, to.host) if tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, self._opened)],
        )
        if association.is_established:
            return association
        if tls is not None and tls.failure is not None:
            raise NotTold(f"{to}: no DICOM TLS: {tls.failure}", unreachable=True)
        if association.is_rejected:
            raise NotTold(f"{to} refuses the association (AE titles?)", unreachable=True)
        if association.rejected_contexts:
            raise NotTold(f"{to} does not take storage commitment reports", unreachable=True)
        raise NotTold(f"{to} does not answer", unreachable=True)

    def _opened(self, event: evt.Event) -> None:
        self._socket = event.assoc.dul.socket.socket
