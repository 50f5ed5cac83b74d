"""An object that must not be indexed: accounted for, seen on the study it came under, and audited."""

from contextlib import suppress

from triage.domain.audit import Action, AuditEntry
from triage.domain.doubt import Doubt, graver
from triage.domain.errors import AuditBroken
from triage.domain.instance import QuarantinedObject
from triage.domain.level import HeadStarts
from triage.domain.study import with_doubt
from triage.services.audit import SYSTEM
from triage.services.ports import Transaction


def set_aside(transaction: Transaction, one: QuarantinedObject, doubt: Doubt, head_starts: HeadStarts) -> None:
    """Account for the object, mark the study whose UID it names, leave a record in the audit; the same object again: nothing.

    Nothing that its header says of a patient goes anywhere: the bytes stay whole in the archive's quarantine.
    """
    new = transaction.add_quarantined(one)
    study = transaction.study(one.study_instance_uid) if one.study_instance_uid else None
    if study is not None and (new or graver(study.doubt, doubt) is not study.doubt):
        transaction.put_study(with_doubt(study, doubt, head_starts))
    if not new:
        return
    details = {"doubt": doubt.code, "cause": one.cause, "digest": one.digest, "sender": one.calling_ae_title}
    entry = AuditEntry(
        at=one.received_at, actor=SYSTEM, action=Action.CONFLICT, subject=one.study_instance_uid or one.digest, details=details
    )
    with suppress(AuditBroken):  # whoever broke the chain must not keep the mark away; the scheduler reports the break
        transaction.append_audit(entry)
