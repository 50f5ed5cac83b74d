"""An object that must not be indexed: accounted for, seen on the study it came under, and audited."""

import json
from collections.abc import Mapping
from contextlib import suppress

from triage.domain.audit import Action, AuditEntry
from triage.domain.doubt import Doubt, graver
from triage.domain.errors import AuditBroken
from triage.domain.instance import SAME_PICTURE, QuarantinedObject
from triage.domain.level import HeadStarts
from triage.domain.study import with_doubt
from triage.services.audit import SYSTEM
from triage.services.ports import Transaction
from triage.services.results import place

MOST = 3
"""Objects kept of one SOP Instance UID under one study: a sender that changes a byte at each retry must not fill the disk."""


def set_aside(transaction: Transaction, one: QuarantinedObject, marks: Mapping[str, Doubt], head_starts: HeadStarts) -> bool:
    """Account for the object, mark the studies that it makes doubtful, leave a record in the audit; the same object again:
    nothing. Returns whether its bytes are to stay: of those that are too many of one UID, the audit alone keeps the digest.

    An object that a person took out of its study marks nothing when it comes again: that is decided. A study that was read
    comes back once for each cause and SOP Instance UID. Nothing that the header says of a patient goes
    anywhere: the bytes stay whole in the archive's quarantine.
    """
    of_study = transaction.set_aside_of(one.study_instance_uid) if one.study_instance_uid else []
    refused = (before for before in of_study if before.marks or before.cause == SAME_PICTURE)
    earlier = [before for before in refused if before.sop_instance_uid == one.sop_instance_uid]
    full = len(earlier) >= (MOST if one.marks else 1)
    same = transaction.quarantined_object(one.digest)
    undecided = same is not None and same.decision is None
    if undecided and same is not None and not same.marks:
        marks = {}
    stays = not full or undecided
    new = stays and transaction.add_quarantined(one)
    news = new and not any(before.cause == one.cause for before in earlier)
    for uid, doubt in marks.items():
        study = transaction.study(uid)
        if study is not None and (news or graver(study.doubt, doubt) is not study.doubt):
            place(transaction, with_doubt(study, doubt, head_starts), one.received_at)
    if new or not stays:
        record_conflict(transaction, one, marks, stays)
    return stays


def record_conflict(transaction: Transaction, one: QuarantinedObject, marks: Mapping[str, Doubt], stays: bool = True) -> None:
    """Leave a record in the audit that the object was set aside."""
    doubt = marks.get(one.study_instance_uid or "")
    details = {"cause": one.cause, "digest": one.digest, "sender": one.calling_ae_title}
    details |= {"doubt": doubt.code} if doubt else {}
    details |= {} if stays else {"kept": "no"}
    subject = one.study_instance_uid or one.digest
    written = json.dumps(details, sort_keys=True)
    entry = AuditEntry(at=one.received_at, actor=SYSTEM, action=Action.CONFLICT, subject=subject, details=details)
    if not stays and transaction.latest_audit_about(subject, Action.CONFLICT, SYSTEM, written) is not None:
        return
    with suppress(AuditBroken):  # whoever broke the chain must not keep the mark away; the scheduler reports the break
        transaction.append_audit(entry)
