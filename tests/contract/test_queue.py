"""What a JobQueue promises, asked of both databases."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain import make
from tests.unit.domain.make import NOW
from triage.domain.jobs import Job, JobState, QueueDepth, RetryPolicy
from triage.services.ports import Database

POLICY = RetryPolicy(max_attempts=3, lease=timedelta(seconds=15), first_backoff=timedelta(seconds=1))
SECOND = timedelta(seconds=1)
LEASE = POLICY.lease


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path, POLICY) as database:
        yield database


def enqueue(database: Database, *uids: str, at=NOW) -> None:  # type: ignore[no-untyped-def]
    with database.write() as tx:
        for uid in uids:
            if tx.study(uid) is None:
                tx.put_study(make.study(uid))
            tx.jobs.enqueue(uid, at)


def claim(database: Database, at=NOW, worker: str = "w") -> Job | None:  # type: ignore[no-untyped-def]
    with database.write() as tx:
        return tx.jobs.claim(worker, at)


def claimed(database: Database, at=NOW) -> Job:  # type: ignore[no-untyped-def]
    job = claim(database, at)
    assert job is not None
    return job


def ask(database: Database, question: str, *arguments: object) -> object:
    """One call of the queue in a transaction of its own."""
    with database.write() as tx:
        return getattr(tx.jobs, question)(*arguments)


def test_an_empty_queue_gives_nothing(database: Database) -> None:
    assert claim(database) is None
    assert ask(database, "is_due", NOW) is False
    assert ask(database, "depth") == QueueDepth()
    assert ask(database, "state_of", "1.2") is None
    assert ask(database, "quarantine_exhausted", NOW) == []


def test_the_job_that_waited_longest_is_claimed_first(database: Database) -> None:
    enqueue(database, "1.3", at=NOW + 2 * SECOND)
    enqueue(database, "1.2", at=NOW + SECOND)
    enqueue(database, "1.1", at=NOW + SECOND)
    at = NOW + 5 * SECOND
    assert [claimed(database, at).study_instance_uid for _ in range(3)] == ["1.1", "1.2", "1.3"]
    assert claim(database, at) is None


def test_a_claim_tells_token_generation_attempt_and_lease(database: Database) -> None:
    enqueue(database, "1.1")
    assert claimed(database) == Job(study_instance_uid="1.1", token=1, generation=1, attempts=1, lease_until=NOW + LEASE)
    assert ask(database, "state_of", "1.1") is JobState.RUNNING


def test_nothing_is_due_before_its_time(database: Database) -> None:
    enqueue(database, "1.1", at=NOW + SECOND)
    assert not ask(database, "is_due", NOW)
    assert claim(database) is None
    assert ask(database, "is_due", NOW + SECOND)
    assert claim(database, NOW + SECOND)


def test_eight_workers_never_hold_the_same_job(database: Database) -> None:
    uids = [f"1.{number}" for number in range(40)]
    enqueue(database, *uids)
    barrier, taken = threading.Barrier(8), []

    def work(name: str) -> None:
        barrier.wait()
        while job := claim(database, worker=name):
            taken.append(job.study_instance_uid)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(uids)


def test_a_silent_workers_job_is_claimed_again_after_its_lease(database: Database) -> None:
    enqueue(database, "1.1")
    first = claimed(database)
    assert claim(database, NOW + LEASE - SECOND) is None
    second = claimed(database, NOW + LEASE)
    assert (second.study_instance_uid, second.attempts) == ("1.1", 2)
    assert second.token > first.token


def test_a_renewed_lease_holds_longer(database: Database) -> None:
    enqueue(database, "1.1")
    job = claimed(database)
    assert ask(database, "renew", job, NOW + 10 * SECOND)
    assert claim(database, NOW + 10 * SECOND + LEASE - SECOND) is None
    assert claim(database, NOW + 10 * SECOND + LEASE)


@pytest.mark.parametrize("step", ["renew", "finish", "retry", "release"])
def test_a_worker_that_lost_its_job_changes_nothing(database: Database, step: str) -> None:
    enqueue(database, "1.1")
    lost = claimed(database)
    holder = claimed(database, NOW + LEASE)
    arguments = (lost, "late", NOW + LEASE) if step == "retry" else (lost, NOW + LEASE)
    assert ask(database, step, *arguments) is False
    assert ask(database, "state_of", "1.1") is JobState.RUNNING
    assert ask(database, "finish", holder, NOW + LEASE) is True


@pytest.mark.parametrize("step", ["renew", "finish", "retry", "release"])
def test_a_finished_job_cannot_be_changed_again(database: Database, step: str) -> None:
    enqueue(database, "1.1")
    job = claimed(database)
    assert ask(database, "finish", job, NOW)
    arguments = (job, "late", NOW) if step == "retry" else (job, NOW)
    assert ask(database, step, *arguments) is False
    assert ask(database, "state_of", "1.1") is JobState.DONE
    assert claim(database, NOW + LEASE) is None


def test_a_failed_job_waits_twice_as_long_each_time(database: Database) -> None:
    enqueue(database, "1.1")
    at = NOW
    for wait in (1, 2):
        job = claimed(database, at)
        assert ask(database, "retry", job, "Boom", at)
        assert ask(database, "state_of", "1.1") is JobState.WAITING
        assert claim(database, at + (wait - 0.1) * SECOND) is None
        at += wait * SECOND
    assert claimed(database, at).attempts == 3


def test_backoff_is_capped() -> None:
    policy = RetryPolicy(first_backoff=SECOND, max_backoff=30 * SECOND)
    assert [policy.backoff(attempts) // SECOND for attempts in (0, 1, 2, 3, 5, 6, 7, 60)] == [1, 1, 2, 4, 16, 30, 30, 30]


def test_a_failed_job_lets_others_go_first(database: Database) -> None:
    enqueue(database, "1.1", "1.2")
    job = claimed(database)
    ask(database, "retry", job, "Boom", NOW)
    assert claimed(database, NOW + 5 * SECOND).study_instance_uid == "1.2"


def test_a_job_given_back_costs_no_attempt_and_no_place(database: Database) -> None:
    enqueue(database, "1.1")
    enqueue(database, "1.2", at=NOW + SECOND)
    job = claimed(database)
    assert ask(database, "release", job, NOW)
    again = claimed(database, NOW + SECOND)
    assert (again.study_instance_uid, again.attempts) == ("1.1", 1)
    assert again.token > job.token


def exhaust(database: Database, how: str) -> timedelta:
    """Use up every attempt of the only job; returns when the last one ended."""
    at = timedelta(0)
    for _ in range(POLICY.max_attempts):
        job = claimed(database, NOW + at)
        if how == "fails":
            ask(database, "retry", job, "Boom", NOW + at)
        at += LEASE
    return at


@pytest.mark.parametrize("how", ["fails", "falls silent"])
def test_attempts_used_up_set_the_job_aside_once(database: Database, how: str) -> None:
    enqueue(database, "1.1")
    at = NOW + exhaust(database, how)
    assert claim(database, at) is None
    assert ask(database, "is_due", at)
    assert ask(database, "quarantine_exhausted", at) == ["1.1"]
    assert ask(database, "quarantine_exhausted", at) == []
    assert ask(database, "state_of", "1.1") is JobState.QUARANTINED
    assert not ask(database, "is_due", at)
    assert claim(database, at + LEASE) is None


def test_a_job_on_its_last_attempt_is_not_set_aside_while_its_lease_runs(database: Database) -> None:
    enqueue(database, "1.1")
    for attempt in range(POLICY.max_attempts):
        job = claimed(database, NOW + attempt * LEASE)
    at = NOW + (POLICY.max_attempts - 1) * LEASE
    assert ask(database, "quarantine_exhausted", at) == []
    assert ask(database, "finish", job, at)


def test_a_new_image_gives_a_quarantined_study_another_chance(database: Database) -> None:
    enqueue(database, "1.1")
    at = NOW + exhaust(database, "fails")
    ask(database, "quarantine_exhausted", at)
    assert ask(database, "depth") == QueueDepth(quarantined=1)
    enqueue(database, "1.1", at=at)
    assert claimed(database, at).attempts == 1


def test_an_image_that_arrives_during_a_run_makes_the_job_wait_again(database: Database) -> None:
    enqueue(database, "1.1")
    job = claimed(database)
    enqueue(database, "1.1", at=NOW + SECOND)
    assert ask(database, "state_of", "1.1") is JobState.RUNNING
    assert claim(database, NOW + SECOND) is None
    assert ask(database, "finish", job, NOW + 2 * SECOND)
    again = claimed(database, NOW + 2 * SECOND)
    assert (again.generation, again.attempts) == (job.generation + 1, 1)
    assert ask(database, "finish", again, NOW + 3 * SECOND)
    assert ask(database, "state_of", "1.1") is JobState.DONE


def test_depth_counts_the_open_states_and_the_longest_wait(database: Database) -> None:
    enqueue(database, "1.1")
    enqueue(database, "1.2", at=NOW + SECOND)
    enqueue(database, "1.3", at=NOW + 2 * SECOND)
    enqueue(database, "1.4", at=NOW + 3 * SECOND)
    done = claimed(database)
    ask(database, "finish", done, NOW)
    claimed(database, NOW + SECOND)
    assert ask(database, "depth") == QueueDepth(waiting=2, running=1, oldest_waiting_since=NOW + 2 * SECOND)


def test_a_claim_that_is_rolled_back_was_never_made(database: Database) -> None:
    enqueue(database, "1.1")
    with pytest.raises(ZeroDivisionError), database.write() as tx:  # noqa: PT012 - what happens inside is the point
        assert tx.jobs.claim("w", NOW)
        raise ZeroDivisionError
    assert claimed(database).token == 1
