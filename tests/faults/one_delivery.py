"""Send what is due on a home, in a process that may be killed: ``python -m tests.faults.one_delivery HOME PORT [STEP]``.

The receiver listens by MLLP on PORT of this machine. With STEP the process kills itself there.
"""

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from triage.clock import utc_now
from triage.database.engine import SqlDatabase, open_engine
from triage.database.sqlite import sqlite_url
from triage.hl7.transport import MllpTransport
from triage.services.publish import publish, recover

NAME = "ris"
WITHIN = timedelta(seconds=20)


def main() -> None:
    """Send until nothing is due."""
    home, port, *step = sys.argv[1:]
    database = SqlDatabase(open_engine(sqlite_url(Path(home) / "triage.db")))
    transport = MllpTransport(
        "127.0.0.1",
        int(port),
        within_seconds=WITHIN.total_seconds(),
        application="RIS",
        facility="HOSP",
        clock=utc_now,
    )

    def reached(name: str) -> None:
        if name in step:
            os.kill(os.getpid(), signal.SIGKILL)

    recover(database, [NAME], utc_now)
    while publish(database, NAME, transport, WITHIN, utc_now, lambda: 0.0, reached):
        pass
    transport.close()
    database.close()


if __name__ == "__main__":
    main()
