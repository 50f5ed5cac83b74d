"""What a LeaseStore promises, asked of all databases."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain.make import NOW
from triage.domain.schedule import LEASE, JobRun, Lease
from triage.services.ports import Database

SECOND = timedelta(seconds=1)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def do(database: Database, step: str, *arguments: Any) -> Any:
    with database.write() as tx:
        return getattr(tx.leases, step)(*arguments)


def take(database: Database, holder: str, at: datetime = NOW) -> Lease | None:
    found: Lease | None = do(database, "take", "bells", holder, at, at + LEASE)
    return found


def test_one_holds_it_until_its_time_is_over_and_the_next_has_a_greater_token(database: Database) -> None:
    first = take(database, "a")
    assert first == Lease(name="bells", holder="a", token=1, until=NOW + LEASE)
    assert take(database, "b", NOW + LEASE - SECOND) is None
    renewed = take(database, "a", NOW + 5 * SECOND)
    assert renewed == Lease(name="bells", holder="a", token=1, until=NOW + 5 * SECOND + LEASE)
    assert take(database, "b", NOW + LEASE) is None
    second = take(database, "b", NOW + LEASE + 5 * SECOND)
    assert second is not None
    assert second.token == 2
    assert not do(database, "holds", renewed, NOW + LEASE + 5 * SECOND)
    assert do(database, "holds", second, NOW + LEASE + 5 * SECOND)


def test_one_that_comes_back_too_late_is_a_new_holder(database: Database) -> None:
    take(database, "a")
    again = take(database, "a", NOW + LEASE)
    assert again is not None
    assert again.token == 2


def test_what_was_given_back_is_free_and_anothers_stays(database: Database) -> None:
    take(database, "a")
    do(database, "release", "bells", "b")
    assert take(database, "b") is None
    do(database, "release", "bells", "a")
    assert take(database, "b") is not None


def test_a_lease_from_a_clock_that_was_ahead_does_not_last(database: Database) -> None:
    take(database, "a", NOW + timedelta(hours=1))
    assert take(database, "b", NOW) is not None


def test_runs_tell_when_a_job_began_ended_and_succeeded(database: Database) -> None:
    do(database, "begun", "backup", NOW)
    assert do(database, "runs") == {"backup": JobRun(name="backup", started_at=NOW)}
    do(database, "ended", "backup", NOW + SECOND, None)
    do(database, "begun", "backup", NOW + 2 * SECOND)
    do(database, "ended", "backup", NOW + 3 * SECOND, "disk full")
    run = JobRun(
        name="backup",
        started_at=NOW + 2 * SECOND,
        ended_at=NOW + 3 * SECOND,
        succeeded_at=NOW + SECOND,
        error="disk full",
    )
    assert do(database, "runs") == {"backup": run}
