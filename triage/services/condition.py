"""What reading a film again found: noted with the film, seen on its study, audited; and taken back when the film is whole."""

from contextlib import suppress
from datetime import datetime

from triage.domain.audit import Action, AuditEntry
from triage.domain.doubt import Doubt
from triage.domain.errors import AuditBroken
from triage.domain.fault import Fault
from triage.domain.instance import DAMAGED, Instance, QuarantinedObject
from triage.domain.level import HeadStarts
from triage.domain.study import with_doubt
from triage.services.audit import SYSTEM
from triage.services.ports import Archive, Transaction
from triage.services.results import place
from triage.services.standing import place_anew

MENDED = "mended"
"""What the audit says of a film that was faulty and is whole again."""


def note_condition(
    transaction: Transaction, archive: Archive, instance: Instance, fault: Fault | None, head_starts: HeadStarts, now: datetime
) -> Fault | None:
    """Note what was found; returns it. News mark the study or lift its mark, and are audited.

    A fault is looked at once more under the write lock: the film may have been sent again at this moment.
    """
    if fault is not None:
        fault = archive.fault(instance.digest)
    uid = instance.study_instance_uid
    before = {one.instance.digest: one.fault for one in transaction.faulty(uid)}.get(instance.digest)
    if not transaction.note_check(instance.digest, now, fault) or fault is before:
        return fault
    study = transaction.study(uid)
    assert study is not None
    if fault is None:
        place_anew(transaction, archive, uid, head_starts, now)
    else:
        place(transaction, with_doubt(study, Doubt.FILM_DAMAGED, head_starts), now)
    _record(transaction, instance, fault.code if fault else MENDED, now)
    return fault


def account_for_damaged(transaction: Transaction, digest: str, instance: Instance, now: datetime) -> None:
    """A row for damaged bytes that lie set aside under ``digest``, whose film ``instance`` is in its place again."""
    transaction.add_quarantined(
        QuarantinedObject(
            digest=digest,
            sop_instance_uid=instance.sop_instance_uid,
            study_instance_uid=instance.study_instance_uid,
            cause=DAMAGED,
            calling_ae_title=instance.calling_ae_title,
            received_at=now,
        )
    )
    _record(transaction, instance, "damaged bytes set aside", now)


def _record(transaction: Transaction, instance: Instance, found: str, now: datetime) -> None:
    details = {"found": found, "digest": instance.digest}
    entry = AuditEntry(at=now, actor=SYSTEM, action=Action.SCRUB, subject=instance.study_instance_uid, details=details)
    with suppress(AuditBroken):  # whoever broke the chain must not keep the mark away; the scheduler reports the break
        transaction.append_audit(entry)
