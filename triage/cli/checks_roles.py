"""What ``triage check`` looks at of the processes of a site, on however many machines."""

from collections.abc import Iterator
from datetime import timedelta

from triage.bootstrap import open_database
from triage.cli.finding import OK, WARN, Finding
from triage.clock import utc_now
from triage.config import Settings
from triage.database import schema
from triage.domain.role import STOPPED
from triage.domain.worklist import span

LIMIT = timedelta(seconds=10)
GONE_AFTER = timedelta(days=1)
"""As :mod:`triage.web.vitals` has them."""


def processes(settings: Settings) -> Iterator[Finding]:
    """Who lives, who fell silent, whose clock is ahead. Where nobody lives the service is not running: no finding."""
    if not settings.has_database:
        return
    opened = open_database(settings)
    found, now = [], utc_now()
    if schema.present(opened.engine) == schema.newest():
        with opened.read() as transaction:
            found = [one for one in transaction.roles() if one.state != STOPPED and now - one.beat_at < GONE_AFTER]
    opened.close()
    living = [one for one in found if abs(now - one.beat_at) <= LIMIT]
    if living:
        yield Finding(OK, "processes", f"{len(living)} give signs of life: {', '.join(one.role for one in living)}")
    for one in found if living else ():
        if one.beat_at - now > LIMIT:
            words = f"the clock of {one.role} is {span(one.beat_at - now)} ahead of this machine's"
            yield Finding(WARN, "clock", words, "let both machines follow one time server (chrony, systemd-timesyncd)")
        elif one not in living:
            words = f"{one.role} has given no sign of life for {span(now - one.beat_at)}"
            yield Finding(WARN, "processes", words, "start it; one that was taken away for good is forgotten after a day")
