"""Look whether what the network says of recent studies still looks like what it said when it began here."""

from triage.domain.drift import RECENT, REFERENCE, SENDER_RECENT, Drift, drift
from triage.domain.errors import Noticed
from triage.services.ports import Database

SENDERS = 30
"""So many senders of equal size have their newest studies among those that are looked at."""
NEWEST = max(RECENT, SENDERS * SENDER_RECENT)


def look(database: Database) -> Drift | None:
    """Of the network of the newest study; ``None``: none has judged any."""
    with database.read() as transaction:
        store = transaction.analytics
        last = store.judged(None, newest=True, limit=1)
        if not last:
            return None
        model = last[0].model
        oldest = store.judged(model, newest=False, limit=REFERENCE)
        newest = store.judged(model, newest=True, limit=NEWEST)
    since = oldest[-1]
    return drift(model, oldest, [one for one in newest if one.arrived_at > since.arrived_at])


def look_for_drift(database: Database) -> None:
    """For the scheduler.

    Raises:
        Noticed: something has changed.
    """
    found = look(database)
    if found is not None and found.findings:
        raise Noticed("; ".join(found.findings))


def look_for_flood(database: Database) -> None:
    """For the scheduler.

    Raises:
        Noticed: nearly everything is flagged.
    """
    found = look(database)
    if found is not None and found.flood:
        raise Noticed(found.flood)
