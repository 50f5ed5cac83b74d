"""Leases and runs in SQL, and their in-memory twin. See :class:`triage.services.lease_store.LeaseStore`."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from triage.database.lease_tables import job_run, lease
from triage.domain.schedule import LEASE, JobRun, Lease


class SqlLeases:
    """The store over one connection, which holds the right to write where it writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, name: str, holder: str, now: datetime, until: datetime) -> Lease | None:
        row = self._connection.execute(select(lease).where(lease.c.name == name)).one_or_none()
        taken = _taken(Lease(**row._mapping) if row else None, name, holder, now, until)
        if taken is not None:
            values = {"holder": taken.holder, "token": taken.token, "until": taken.until}
            statement = insert(lease).values(name=name, **values)
            self._connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
        return taken

    def holds(self, one: Lease, now: datetime) -> bool:
        query = select(lease.c.until).where(
            lease.c.name == one.name, lease.c.holder == one.holder, lease.c.token == one.token, lease.c.until > now
        )
        return self._connection.execute(query).first() is not None

    def release(self, name: str, holder: str) -> None:
        mine = update(lease).where(lease.c.name == name, lease.c.holder == holder)
        self._connection.execute(mine.values(until=datetime.fromisoformat("1970-01-01T00:00:00+00:00")))

    def begun(self, job: str, at: datetime) -> None:
        statement = insert(job_run).values(name=job, started_at=at)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"started_at": at}))

    def ended(self, job: str, at: datetime, error: str | None) -> None:
        values = {"ended_at": at, "error": error} | ({} if error else {"succeeded_at": at})
        self._connection.execute(update(job_run).where(job_run.c.name == job).values(values))

    def runs(self) -> dict[str, JobRun]:
        return {row.name: JobRun(**row._mapping) for row in self._connection.execute(select(job_run))}


class MemoryLeases:
    """The store over a transaction's own copies."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._runs: dict[str, JobRun] = {}

    def __copy__(self) -> "MemoryLeases":
        twin = MemoryLeases()
        twin._leases, twin._runs = dict(self._leases), dict(self._runs)
        return twin

    def take(self, name: str, holder: str, now: datetime, until: datetime) -> Lease | None:
        taken = _taken(self._leases.get(name), name, holder, now, until)
        if taken is not None:
            self._leases[name] = taken
        return taken

    def holds(self, one: Lease, now: datetime) -> bool:
        found = self._leases.get(one.name)
        return found is not None and (found.holder, found.token) == (one.holder, one.token) and found.until > now

    def release(self, name: str, holder: str) -> None:
        found = self._leases.get(name)
        if found is not None and found.holder == holder:
            self._leases[name] = replace(found, until=datetime.fromisoformat("1970-01-01T00:00:00+00:00"))

    def begun(self, job: str, at: datetime) -> None:
        self._runs[job] = replace(self._runs.get(job, JobRun(name=job, started_at=at)), started_at=at)

    def ended(self, job: str, at: datetime, error: str | None) -> None:
        run = replace(self._runs[job], ended_at=at, error=error)
        self._runs[job] = run if error else replace(run, succeeded_at=at)

    def runs(self) -> dict[str, JobRun]:
        return dict(self._runs)


def _taken(found: Lease | None, name: str, holder: str, now: datetime, until: datetime) -> Lease | None:
    if found is None:
        return Lease(name=name, holder=holder, token=1, until=until)
    if found.holder == holder and found.until > now:
        return replace(found, until=until)
    if found.until <= now or found.until > now + 2 * LEASE:
        return Lease(name=name, holder=holder, token=found.token + 1, until=until)
    return None
