"""Look which modalities have fallen silent."""

from triage.domain.errors import Noticed
from triage.domain.silence import GONE_AFTER, LEARNED_FROM, WEEK, Silent, silent
from triage.services.ports import Clock, Database


def silent_modalities(database: Database, clock: Clock) -> list[Silent]:
    """Those that usually send, and do not."""
    now = clock()
    with database.read() as transaction:
        last = {sender.calling_ae_title: sender.last_at for sender in transaction.senders()}
        received = transaction.analytics.received_by_hour(now - (LEARNED_FROM + 1) * WEEK - GONE_AFTER)
    return silent(received, last, now)


def look_for_silence(database: Database, clock: Clock) -> None:
    """For the scheduler.

    Raises:
        Noticed: some are silent.
    """
    if found := silent_modalities(database, clock):
        raise Noticed("; ".join(one.words for one in found))
