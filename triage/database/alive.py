"""Who works on a database now, whatever its schema: the few columns that were there from the first version on."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, inspect, select

from triage.database.tables import role
from triage.domain.role import STOPPED

SILENT_FOR = timedelta(seconds=15)
"""A role that has given no sign of life for so long is not at work."""


def alive(connection: Connection, now: datetime) -> list[str]:
    """Who signed lately and did not stop since, in the order of their names."""
    if not inspect(connection).has_table(role.name):
        return []
    asked = select(role.c.role).where(role.c.state != STOPPED, role.c.beat_at > now - SILENT_FOR).order_by(role.c.role)
    return list(connection.execute(asked).scalars())
