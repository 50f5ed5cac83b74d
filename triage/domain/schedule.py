"""Who may ring the recurring jobs, and when each rang last."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LEASE = timedelta(seconds=15)
"""So long a silent holder keeps a lease; clocks of the hosts of one site must agree better than this."""
STANDBY, RINGING = "standby", "running"
"""What a role's sign of life says while another one is elected, and while it is itself."""
NOTICED = "noticed: "
"""Stands before what a run has found, in the place of an error."""
CUT_OFF = "it was cut off"
"""The error of a run that was ended before its end: by a stop, or because another one was elected."""
SILENCE = "silence"
"""The job that looks for modalities that have fallen silent; what it finds stands as the error of its run."""
DRIFT, FLOOD = "drift", "flood"
"""Those that look whether the network's answers have changed, and whether nearly all are flags; told as above."""
MARGIN = LEASE / 3
"""So long before its end a holder that could not renew it takes its lease for lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do something alone. ``token`` rises with every new holder: it fences one that was paused."""

    name: str
    holder: str
    token: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """When a recurring job last began, ended and succeeded; ``error``: how it failed."""

    name: str
    started_at: datetime
    ended_at: datetime | None = None
    succeeded_at: datetime | None = None
    error: str | None = None

    @property
    def noticed(self) -> str | None:
        """What the run found that a person should look at; a failure of the run itself is none."""
        return self.error.removeprefix(NOTICED) if self.error is not None and self.error.startswith(NOTICED) else None


def first_run(last: JobRun | None, every: timedelta, now: datetime, soon: timedelta) -> datetime:
    """When a job is due first after a start: what was due while nobody rang runs once, soon; a last run in the future is the
    word of a clock that was ahead."""
    if last is None or last.error == CUT_OFF:
        return now + min(every, soon)
    return max(now + min(every, soon), min(last.started_at, now) + every)
