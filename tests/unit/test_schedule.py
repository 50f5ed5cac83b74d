"""Recurring jobs: missed, late and overlapping runs, clocks that step, and two schedulers of one site."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.service import until
from tests.unit.domain.make import NOW, POLICY, Clock
from tests.unit.services.world import MovingDatabase
from triage.archive.memory import MemoryArchive
from triage.database.anchor import MemoryAnchor
from triage.domain.errors import BackupError, Noticed
from triage.domain.schedule import CUT_OFF, LEASE, STANDBY, JobRun, first_run
from triage.scheduler import SOON, Bells
from triage.services.election import Election

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (None, SOON),
        (-3 * DAY, SOON),  # missed while nobody rang, however often: once, soon
        (-HOUR, DAY - HOUR),
        (timedelta(0), DAY),
        (HOUR, DAY),  # written by a clock that was ahead
        (400 * DAY, DAY),
    ],
)
def test_when_a_job_is_due_first_after_a_start(last: timedelta | None, due: timedelta) -> None:
    run = None if last is None else JobRun(name="backup", started_at=NOW + last)
    assert first_run(run, DAY, NOW, SOON) == NOW + due


class Site:
    """A database, a clock, and how often each job rang, by scheduler."""

    def __init__(self) -> None:
        self.database, self.clock = MovingDatabase(), Clock()
        self.rung: list[str] = []

    def scheduler(self, name: str, every: timedelta = timedelta(seconds=0.05), does: Any = None) -> tuple[Bells, Election]:
        election = Election(self.database, "scheduler", name, self.clock)

        def what(go_on: Any) -> None:
            self.rung.append(name)
            if does is not None:
                does(go_on)

        bells = Bells(
            database=self.database,
            archive=MemoryArchive(),
            head_starts=POLICY,
            clock=self.clock,
            anchor=MemoryAnchor(),
            more=[("count", every, what)],
            election=election,
        )
        return bells, election

    def job(self, bells: Bells) -> Any:
        return next(what for name, _, what in bells.jobs if name == "count")


def test_of_two_schedulers_one_rings_and_the_other_takes_over_when_it_falls_silent() -> None:
    site = Site()
    (a, first), (b, second) = site.scheduler("a"), site.scheduler("b")
    assert (first.step(), second.step()) == (True, False)
    for _ in range(20):
        assert (a.run_job("count", site.job(a)), b.run_job("count", site.job(b))) == (True, False)
        site.clock.forward(seconds=1)
        assert (first.step(), second.step()) == (True, False)
    site.clock.forward(seconds=LEASE.total_seconds())  # a is paused
    assert second.step()
    assert b.run_job("count", site.job(b))
    assert not a.run_job("count", site.job(a)), "it wakes up, and does not ring"
    assert not first.step()
    assert site.rung == ["a"] * 20 + ["b"]


def test_one_that_was_paused_ends_what_it_was_at_before_its_next_step() -> None:
    site = Site()
    steps: list[str] = []

    def long_work(go_on: Any) -> None:
        for number in range(10):
            go_on()
            steps.append(f"step {number}")
            if number == 2:
                site.clock.forward(seconds=60)

    bells, election = site.scheduler("a", does=long_work)
    assert election.step()
    bells.state = "running"
    bells.run_job("count", site.job(bells))
    assert steps == ["step 0", "step 1", "step 2"]
    with site.database.read() as tx:
        run = tx.leases.runs()["count"]
    assert (run.error, run.succeeded_at) == (CUT_OFF, None), "what was cut off is no success"
    assert first_run(run, DAY, site.clock(), SOON) == site.clock() + SOON


def test_what_a_job_found_is_told_apart_from_its_failure() -> None:
    site = Site()
    failures = iter([Noticed("CT2 is silent"), ZeroDivisionError()])

    def look(go_on: Any) -> None:
        raise next(failures)

    bells, election = site.scheduler("a", does=look)
    election.step()
    found = []
    for kind in (Noticed, ZeroDivisionError):
        with pytest.raises(kind):
            bells.run_job("count", site.job(bells))
        with site.database.read() as tx:
            found.append(tx.leases.runs()["count"].noticed)
    assert found == ["CT2 is silent", None]
    assert bells.trouble is None


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_clock_that_steps_neither_doubles_nor_ends_the_ringing(step: timedelta) -> None:
    site = Site()
    (a, first), (b, second) = site.scheduler("a"), site.scheduler("b")
    assert first.step()
    site.clock.forward(seconds=step.total_seconds())
    rings = []
    for _ in range(3):
        first.step(), second.step()
        rings.append((a.run_job("count", site.job(a)), b.run_job("count", site.job(b))))
        assert rings[-1] in ((True, False), (False, True))
        site.clock.forward(seconds=1)
    print(rings)


def test_a_database_that_is_away_ends_the_ringing_before_another_could_begin() -> None:
    site = Site()
    bells, election = site.scheduler("a")
    assert election.step()
    site.database.down = True
    assert election.step()
    site.clock.forward(seconds=(LEASE * 2 / 3).total_seconds())
    assert not election.elected
    assert not bells.run_job("count", site.job(bells))


def test_how_a_job_ended_is_kept_and_said() -> None:
    site = Site()

    def fails(go_on: Any) -> None:
        raise BackupError("the disk is full")

    bells, election = site.scheduler("a", does=fails)
    election.step()
    with pytest.raises(BackupError):
        bells.run_job("count", site.job(bells))
    assert bells.trouble == "count: the disk is full"
    with site.database.read() as tx:
        run = tx.leases.runs()["count"]
    assert (run.error, run.succeeded_at, run.ended_at) == ("the disk is full", None, site.clock())


class Real(Site):
    """The same with a true clock, and APScheduler ringing."""

    def __init__(self) -> None:
        super().__init__()
        from triage.clock import utc_now

        self.clock = utc_now  # type: ignore[assignment]


def test_a_job_that_takes_longer_than_its_interval_runs_once_at_a_time() -> None:
    site, stop, at_once, most = Real(), threading.Event(), [0], [0]

    def slow(go_on: Any) -> None:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        stop.wait(0.2)
        at_once[0] -= 1

    bells, _ = site.scheduler("a", does=slow)
    thread = threading.Thread(target=bells.ring, args=(stop,))
    thread.start()
    until(lambda: len(site.rung) >= 3, 30, "three runs")
    stop.set()
    thread.join()
    assert most == [1]
    assert bells.state == STANDBY
    with site.database.read() as tx:
        assert tx.leases.take("scheduler", "b", site.clock(), site.clock() + LEASE) is not None, "it resigned"
