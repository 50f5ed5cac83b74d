"""A step of reading, whole: the study, the list's revision, the history and the audit in one transaction."""

from datetime import datetime, timedelta

from triage.domain.audit import Action, AuditEntry
from triage.domain.errors import UnknownStudy
from triage.domain.level import HeadStarts
from triage.domain.reading import LEASE, Standing, Step, finished, standing, taken
from triage.domain.study import Study
from triage.domain.worklist import next_free
from triage.services.audit import with_way
from triage.services.ports import Clock, Database, Transaction

REASONS = ("marked by mistake", "wrong study", "to be read again", "asked back by the ward")
"""Why a study is marked unread, as the dialog offers it and the audit keeps it."""
OTHER_WORDS = "in other words"
FIRST_LOOK = 100
"""Rows that are read at first; nearly always one of them is free."""


def take(
    database: Database, study_instance_uid: str, step: Step, policy: HeadStarts, clock: Clock, lease: timedelta = LEASE
) -> Study:
    """Take a step; returns the study after it. A step that changes nothing is neither written nor audited.

    The write lock is held from before the study is read, so of two readers exactly one finds it free.

    Raises:
        UnknownStudy: no such study.
        ReadingRefused: the study's state does not allow the step.
    """
    with database.write() as tx:
        now = clock()  # after the lock was had: times in the audit do not run backwards
        before = tx.study(study_instance_uid)
        if before is None:
            raise UnknownStudy("no study has this UID; see: triage worklist --all")
        after = taken(before, step, now, lease, policy)
        if after == before:
            return before
        tx.put_study(after)
        if step.action is Action.READ:
            tx.add_reading(finished(after, step.note))
        if step.action is Action.UNREAD:
            tx.take_reading_back(study_instance_uid, now, step.actor, step.reason)
        tx.append_audit(
            AuditEntry(
                at=now, actor=step.actor, action=step.action, subject=study_instance_uid, details=_details(before, after, step)
            )
        )
    return after


def release_all(tx: Transaction, reader: str, now: datetime, *, actor: str, because: str) -> int:
    """Give back whatever ``reader`` holds, each study in its place; returns how many. A lapsed claim is none."""
    step, released = Step(action=Action.RELEASE, actor=reader), 0
    for before in tx.claims_of(reader):
        if standing(before.reading, reader, now) is Standing.MINE:
            after = taken(before, step, now, LEASE, HeadStarts())  # to release moves nothing: the policy is not asked
            tx.put_study(after)
            details = _details(before, after, step) | {"because": because}
            entry = AuditEntry(at=now, actor=actor, action=step.action, subject=before.study_instance_uid, details=details)
            tx.append_audit(entry)
            released += 1
    return released


def next_to_read(database: Database, reader: str, now: datetime, after: str | None = None) -> str | None:
    """The UID of the next study for ``reader``, see :func:`triage.domain.worklist.next_free`; behind the end, from the top.

    ``None``: no other study is free.
    """
    with database.read() as tx:
        here = tx.study(after) if after else None
        limit, studies = FIRST_LOOK, tx.worklist(limit=FIRST_LOOK)
        while True:
            others = [one for one in studies if one.study_instance_uid != after]
            found = next_free(others, reader, now, here)
            if found is None and len(studies) == limit:  # the list may go on
                limit *= 10
                studies = tx.worklist(limit=limit)
                continue
            found = found or next_free(others, reader, now)
            return found.study_instance_uid if found else None


def _details(before: Study, after: Study, step: Step) -> dict[str, str]:
    """What the audit keeps: no free text, as that can tell of a patient, and auditors see and export the audit.

    A note on the film and a reason stay in the history of readings. Of a reason the audit keeps which of :data:`REASONS` it
    is, or that it was another.
    """
    reason = " ".join((step.reason or "").split()).rstrip(".").lower()
    details = {
        "reader_before": before.reading.reader if before.reading.reader != after.reading.reader else None,
        "lease_until": after.reading.lease_until.isoformat() if after.reading.lease_until else None,
        "verdict": after.reading.verdict or (before.reading.verdict if step.action is Action.UNREAD else None),
        "reason": reason if reason in REASONS else OTHER_WORDS if reason else None,
        "level": after.level.value,
        "model": after.model,
    }
    return with_way({name: value for name, value in details.items() if value})
