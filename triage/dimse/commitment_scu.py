"""Tell a report on an association of our own: requestor of the association, SCP of the class (PS3.4 J.3.3, PS3.7 D.3.3.4)."""

import ssl

from pynetdicom import AE, _config, build_context, build_role
from pynetdicom.association import Association

from triage.dimse.commitment_data_set import event_information
from triage.dimse.commitments import is_taken
from triage.domain.commitment import SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSFER_SYNTAXES, Report
from triage.domain.destination import Destination

CONNECT_WITHIN, ASSOCIATE_WITHIN, ANSWER_WITHIN = 5, 10, 30
"""Seconds."""


class NotTold(Exception):
    """The requestor did not take the report; ``unreachable``: there was nobody to tell anything."""

    def __init__(self, cause: str, *, unreachable: bool = False) -> None:
        super().__init__(cause)
        self.unreachable = unreachable


def tell(report: Report, to: Destination, ae_title: str, tls: ssl.SSLContext | None = None) -> None:
    """Send the N-EVENT-REPORT and hear the answer. ``ae_title``: ours; ``tls``: what TLS is spoken by, if it is.

    A requestor that answers no role selection is told all the same: many leave it out and listen.

    Raises:
        NotTold: it was not taken.
    """
    association = _associate(to, ae_title, tls)
    try:
        answer, _ = association.send_n_event_report(
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


def _associate(to: Destination, ae_title: str, tls: ssl.SSLContext | None) -> Association:
    _config.LOG_HANDLER_LEVEL = "none"  # its own handlers would write identifiers to the log
    entity = AE(ae_title=ae_title)
    entity.connection_timeout, entity.acse_timeout = CONNECT_WITHIN, ASSOCIATE_WITHIN
    entity.dimse_timeout = entity.network_timeout = ANSWER_WITHIN
    association = entity.associate(
        to.host,
        to.port,
        contexts=[build_context(SOP_CLASS_UID, list(TRANSFER_SYNTAXES))],
        ae_title=to.ae_title,
        ext_neg=[build_role(SOP_CLASS_UID, scp_role=True)],
        tls_args=(tls, to.host) if tls else None,
    )
    if association.is_established:
        return association
    if association.is_rejected:
        raise NotTold(f"{to} refuses the association (AE titles?)", unreachable=True)
    if association.rejected_contexts:
        raise NotTold(f"{to} does not take storage commitment reports", unreachable=True)
    raise NotTold(f"{to} does not answer", unreachable=True)
