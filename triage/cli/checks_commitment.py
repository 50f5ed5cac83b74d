"""What ``triage check`` looks at of storage commitment."""

from collections.abc import Iterator

from triage.bootstrap import open_database
from triage.cli.finding import OK, WARN, Finding
from triage.config import Settings
from triage.database import schema


def commitments(settings: Settings) -> Iterator[Finding]:
    """Whoever asked for storage commitment has been told, or can be."""
    if not settings.home.is_dir():
        return
    opened = open_database(settings)
    if schema.present(opened.engine) == schema.newest():
        with opened.read() as transaction:
            owed = transaction.commitments.owed()
        for one in owed:
            known = one.calling_ae_title in settings.dimse.destinations
            how = "is dimse.commitment_peers right for it?" if known else "name where it listens in dimse.commitment_peers"
            if one.given_up:
                words = f"{one.calling_ae_title} was never told the outcome of {one.given_up} {_requests(one.given_up)}"
                yield Finding(
                    WARN, "commitment", words, f"{how} (AET@HOST:PORT); then let it ask again: it may keep these films"
                )
            if one.waiting and not known:
                words = f"{one.calling_ae_title} waits for the outcome of {one.waiting} {_requests(one.waiting)}"
                yield Finding(WARN, "commitment", words, f"{how} (AET@HOST:PORT), or let it stay on its association")
        if not owed:
            yield Finding(OK, "commitment", "whoever asked for storage commitment has been told")
    opened.close()


def _requests(count: int) -> str:
    return "request" if count == 1 else "requests"
