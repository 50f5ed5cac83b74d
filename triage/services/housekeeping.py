"""Studies that nobody will assess say so: those whose attempts are used up, and all while there is no model."""

from triage.domain.assessment import NotAssessed
from triage.domain.level import HeadStarts
from triage.domain.reason import Reason
from triage.domain.study import with_outcome, without_model
from triage.services.ports import Clock, Database
from triage.services.results import place


def quarantine_exhausted(database: Database, head_starts: HeadStarts, clock: Clock) -> list[str]:
    """Studies whose assessment failed too often become *not assessed: quarantined*; returns them, each once."""
    with database.read() as transaction:
        if not transaction.jobs.is_due(clock()):
            return []
    with database.write() as transaction:
        now = clock()
        exhausted = transaction.jobs.quarantine_exhausted(now)
        for uid in exhausted:
            study = transaction.study(uid)
            assert study is not None
            considered = frozenset(instance.digest for instance in transaction.instances(uid))
            outcome = NotAssessed(study_instance_uid=uid, reason=Reason.QUARANTINED, considered=considered, decided_at=now)
            transaction.add_outcome(outcome)
            place(transaction, with_outcome(study, outcome, head_starts), now)
        return exhausted


def excuse_without_model(database: Database, head_starts: HeadStarts, clock: Clock) -> int:
    """Pending studies say *no model*; their jobs wait for one. Returns how many changed."""
    with database.read() as transaction:
        if not transaction.pending_studies():
            return 0
    with database.write() as transaction:
        pending = transaction.pending_studies()
        for study in pending:
            place(transaction, without_model(study, head_starts), clock())
        return len(pending)
