"""Guessing: throttled by account and by address, counted right whoever comes at once, and time tells nothing."""

import statistics
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.size import size
from tests.unit.database.stores import KINDS, opened, sql_database
from tests.unit.domain.make import NOW
from tests.unit.services.people import SECRET, World
from triage.database.memory import MemoryDatabase
from triage.database.passwords import Argon2
from triage.domain.account import (
    PER_ACCOUNT,
    Role,
    SignInThrottled,
)
from triage.services.accounts import Accounts


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with opened(request.param, tmp_path) as database:
        yield World(database)


def test_ten_thousand_guesses_are_throttled(tmp_path: Path) -> None:
    world, tried = World(MemoryDatabase()), 0
    for number in range(10_000):  # a guess a second, each from an address of its own: nearly three hours
        world.now = NOW + timedelta(seconds=number)
        tried += world.tries("anna", f"guess {number}", f"10.{number // 250}.{number % 250}.1") == "SignInRefused"
    assert tried <= 26, "of 10,000"
    assert world.tries("anna", SECRET) == "SignInThrottled", "even the right one is not looked at"
    world.now += PER_ACCOUNT.most
    assert world.tries("anna", SECRET) == "in"
    assert [world.tries("anna", "x", "10.99.0.1") for _ in range(5)] == ["SignInRefused"] * 5, "and the count begins anew"


def test_one_address_trying_many_names_is_throttled(world: World) -> None:
    found = [world.tries(f"name{number}", "x") for number in range(40)]
    assert found.count("SignInRefused") == 30
    assert world.tries("anna", SECRET, "10.0.0.2") == "in", "another address is not held up"


def test_typing_mistakes_of_a_whole_hospital_behind_one_address_throttle_nobody(world: World) -> None:
    for number in range(size(80, 200)):
        world.now = NOW + timedelta(seconds=30 * number)
        assert world.tries(f"name{number}", "x") == "SignInRefused", number
        assert world.tries("anna", SECRET) == "in", number


def test_a_success_does_not_wipe_out_what_was_guessed_meanwhile(world: World) -> None:
    verify = world.accounts.passwords.verify

    class Slow:
        hash = world.accounts.passwords.hash

        def verify(self, kept: str, password: str) -> bool:
            for number in range(29):
                world.tries(f"name{number}", "x")
            return verify(kept, password)

    slow = Accounts(database=world.database, passwords=Slow(), clock=lambda: world.now, secret=lambda: "slow")
    slow.sign_in("anna", SECRET, "10.0.0.1")
    world.now += timedelta(seconds=1)
    assert world.tries("name", "x") == "SignInRefused", "the thirtieth"
    assert world.tries("name", "x") == "SignInThrottled"


def test_who_waited_for_the_lock_is_judged_by_the_time_when_it_was_had(world: World) -> None:
    """Of guesses that queue for the database the later ones find the wait that the earlier ones caused."""
    for _ in range(PER_ACCOUNT.free):
        world.tries("anna", "x")
    asked: list[bool] = []
    write = world.database.write

    class Watched:
        def write(self) -> object:
            asked.append(False)
            return write()

    def clock() -> datetime:
        asked[-1:] = [True]
        return world.now

    watched = Accounts(database=Watched(), passwords=world.accounts.passwords, clock=clock, secret=lambda: "s")  # type: ignore[arg-type]
    with pytest.raises(SignInThrottled):
        watched.sign_in("anna", SECRET, "10.0.0.9")
    assert asked == [True], "the clock was read once the lock was had"


def test_a_restart_does_not_help(tmp_path: Path) -> None:
    database = sql_database(tmp_path)
    world = World(database)
    assert [world.tries("anna", "x") for _ in range(6)][-1] == "SignInThrottled"
    again = Accounts(database=database, passwords=world.accounts.passwords, clock=lambda: NOW, secret=lambda: "s")
    with pytest.raises(SignInThrottled):
        again.sign_in("anna", SECRET, "10.0.0.3")
    database.close()


def test_parallel_guesses_do_not_slip_through(tmp_path: Path) -> None:
    database = sql_database(tmp_path)
    world, found, barrier = World(database), [], Barrier(20)

    def guess(number: int) -> None:
        barrier.wait()
        found.append(world.tries("anna", "x", f"10.1.1.{number}"))

    threads = [Thread(target=guess, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count("SignInRefused") == PER_ACCOUNT.free
    database.close()


def test_time_does_not_tell_what_kind_of_name_it_is() -> None:
    """A try of each kind by turns, in processor time: whatever else the machine does hardly counts, and meets all alike."""
    world = World(MemoryDatabase(), Argon2(time_cost=1, memory_cost=16384))
    world.accounts.add("closed", Role.VIEWER, "test", SECRET)
    world.accounts.set_disabled("closed", True, "test")
    world.accounts.add("script", Role.SERVICE, "test")
    world.accounts.add("external", Role.VIEWER, "test", SECRET)
    world.accounts.set_external("external", "test")
    world.accounts.warm_up()
    took: dict[str, list[float]] = {"anna": [], "closed": [], "script": [], "external": [], "nobody": []}
    for number in range(9):
        for name, times in took.items():
            world.now += timedelta(hours=1)
            begun = time.thread_time()
            world.tries(name, "wrong", f"10.2.2.{number}")
            times.append(time.thread_time() - begun)
    medians = {name: statistics.median(times) for name, times in took.items()}
    assert max(medians.values()) < 1.6 * min(medians.values()), f"{medians}; without the dummy it is a thousandfold"
