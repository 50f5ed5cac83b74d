"""Moving a stopped site to another database."""

from datetime import timedelta

from triage.bootstrap import open_site
from triage.clock import utc_now
from triage.config import Settings
from triage.database.engine import open_engine
from triage.database.move import Moved, Progress, move
from triage.domain.errors import ConfigError

SILENT_FOR = timedelta(seconds=15)


def move_site(settings: Settings, to: str, progress: Progress) -> list[Moved]:
    """Move every row to the database of that URL, all or none.

    Raises:
        ConfigError: a role is alive, or one of the databases is not as it has to be.
        MoveFailed: a table differs afterwards; nothing was changed.
    """
    site = open_site(settings)
    with site.database.read() as transaction:
        alive = [one.role for one in transaction.roles() if one.state != "stopped" and utc_now() - one.beat_at < SILENT_FOR]
    if alive:
        raise ConfigError(f"migrate --to: the service runs ({', '.join(alive)}); stop it first")
    target = open_engine(to)
    try:
        return move(site.database.engine, target, progress)
    finally:
        target.dispose()
        site.database.close()
