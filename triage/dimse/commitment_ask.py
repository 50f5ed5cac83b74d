"""Ask a peer whether it keeps what it was just sent: SCU of Storage Commitment, on the association of the C-STORE (PS3.4 J)."""

import threading
import time
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import build_context, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from triage.dimse.commitment_scp import REQUEST_STORAGE_COMMITMENT
from triage.dimse.requestor import steady
from triage.domain.commitment import SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSFER_SYNTAXES
from triage.domain.delivery import DicomObject, PeerAway

REPORT_WITHIN = 2.0
"""Seconds that the report is waited for on the same association; most peers give it there, or much later on another one."""


class Asked:
    """One request. The same result asks by the same Transaction UID: it is the same question about the same objects."""

    def __init__(self, transaction_uid: str, within: float = REPORT_WITHIN) -> None:
        self.transaction_uid = transaction_uid
        self._within = within
        self._objects: dict[str, str] = {}
        self._heard = threading.Event()
        self._kept: set[str] = set()

    def hear(self, event: evt.Event) -> tuple[int, Dataset | None]:
        """Answer EVT_N_EVENT_REPORT."""
        told = event.event_information
        if str(told.get("TransactionUID", "")) != self.transaction_uid:
            return 0x0115, None  # invalid argument value (PS3.7 10.1.1.1.8): nothing that was asked
        self._kept = {str(one.ReferencedSOPInstanceUID) for one in told.get("ReferencedSOPSequence", [])}
        self._heard.set()
        return 0x0000, None

    def committed(self, objects: Sequence[DicomObject], association: Association, deadline: float) -> bool | None:
        """Ask about what it took. ``True``: it keeps every object; ``False``: it has not said so yet; ``None``: it cannot say.

        Raises:
            PeerAway: it says that it does not keep one: to be sent again.
        """
        self._objects = {one.sop_instance_uid: one.sop_class_uid for one in objects}
        if SOP_CLASS_UID not in {str(context.abstract_syntax) for context in association.accepted_contexts}:
            return None
        try:
            answer, _ = steady(association).send_n_action(
                self._question(), REQUEST_STORAGE_COMMITMENT, UID(SOP_CLASS_UID), UID(SOP_INSTANCE_UID)
            )
        except (ValueError, RuntimeError):
            return False
        if answer.get("Status") != 0x0000:
            return False
        if not self._heard.wait(max(0.0, min(self._within, deadline - time.monotonic() - 1))):
            return False
        if lost := len(self._objects.keys() - self._kept):
            raise PeerAway(f"the peer took {len(self._objects)} objects and does not keep {lost}")
        return True

    def _question(self) -> Dataset:
        question = Dataset()
        question.TransactionUID = self.transaction_uid
        question.ReferencedSOPSequence = []
        for instance, sop_class in self._objects.items():
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
            question.ReferencedSOPSequence.append(item)
        return question


def context_for_commitment() -> PresentationContext:
    """What is proposed for it."""
    return build_context(UID(SOP_CLASS_UID), list(TRANSFER_SYNTAXES))
