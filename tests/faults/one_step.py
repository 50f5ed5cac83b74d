"""One step on a home, in a process that may be killed: ``python -m tests.faults.one_step HOME STEP [DIGEST]``."""

import sys
from pathlib import Path

from triage.archive.files import FileArchive
from triage.clock import utc_now
from triage.database.engine import SqlDatabase, open_engine
from triage.database.sqlite import sqlite_url
from triage.domain.level import HeadStarts
from triage.services.quarantine import Deciding, discard, release
from triage.services.reconcile import reconcile


def main() -> None:
    """Take the step."""
    home, step, *digest = sys.argv[1:]
    archive = FileArchive(Path(home) / "instances", 0)
    database = SqlDatabase(open_engine(sqlite_url(Path(home) / "triage.db")))
    if step == "reconcile":
        reconcile(archive, database, HeadStarts(), utc_now)
    else:
        decide = {"release": release, "discard": discard}[step]
        deciding = Deciding(by="dr", because="looked at")
        decide(digest[0], deciding, archive=archive, database=database, head_starts=HeadStarts(), clock=utc_now)


if __name__ == "__main__":
    main()
