"""Moving a stopped site to another database."""

from triage.bootstrap import open_site
from triage.clock import utc_now
from triage.config import Settings
from triage.database.alive import alive
from triage.database.engine import open_engine
from triage.database.move import Moved, Progress, move
from triage.domain.errors import ConfigError


def move_site(settings: Settings, to: str, progress: Progress) -> list[Moved]:
    """Move every row to the database of that URL, all or none.

    Raises:
        ConfigError: a role is alive, or one of the databases is not as it has to be.
        MoveFailed: a table differs afterwards; nothing was changed.
    """
    site = open_site(settings)
    with site.database.engine.connect() as connection:
        at_work = alive(connection, utc_now())
    if at_work:
        raise ConfigError(f"migrate --to: the service runs ({', '.join(at_work)}); stop it first")
    target = open_engine(to)
    try:
        return move(site.database.engine, target, progress)
    finally:
        target.dispose()
        site.database.close()
