"""The cheap tier of the fault rig: a dozen points of each sweep, a cut or two; ``make faults`` does all of it."""

import shutil

import pytest

from tests.faults import aborts, day, disk, locked, power, retiring, room, sabotaged, same, sweep, upgrading
from tests.faults.account import Account
from tests.faults.intake import Intake
from tests.size import size

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="no strace: install it (Debian: strace)")
needs_disk = pytest.mark.skipif(bool(disk.missing()), reason=disk.missing() or "there is one")


@needs_strace
@pytest.mark.parametrize(
    ("how", "every"), size([("kill", 14), ("ENOSPC", 24), ("EIO", 24)], [("kill", 10), ("ENOSPC", 16), ("EIO", 16)])
)
def test_nothing_is_lost_wherever_a_store_is_struck(how, every, tmp_path):
    rows = sweep.sweep(tmp_path, [how], ["new"], every)
    print({name: (row.tried, dict(row.answers)) for name, row in rows.items()})
    assert all(row.good for row in rows.values()), {name: (row.wrong, row.found, row.missed) for name, row in rows.items()}


@needs_strace
@pytest.mark.parametrize("name", sabotaged.QUICKEST)
def test_a_broken_intake_is_caught(name):
    said = sabotaged.seen(sabotaged.QUICKEST[name], name)
    print(f"{name}, {sabotaged.QUICKEST[name]}: {said}")
    assert said


@needs_strace
@pytest.mark.parametrize("check", sorted(set(sabotaged.QUICKEST.values())))
def test_the_same_checks_have_nothing_against_the_whole_one(check):
    assert not sabotaged.seen(check, sabotaged.HONEST)


@needs_disk
def test_what_was_acknowledged_is_there_after_a_power_cut():
    row = power.power("ext4", 2)
    print(f"cuts {row.cuts}, acknowledged {row.acknowledged}, lost {len(row.found.lost)}")
    assert row.good, (row.found, row.unexpected)


@needs_disk
@pytest.mark.parametrize("name", room.STORIES)
def test_a_disk_without_room_is_said_to_be_so_and_recovers(name):
    story = room.told(room.STORIES[name])
    assert story.good, story.wrong


@pytest.mark.soak
def test_a_database_that_somebody_holds_is_waited_for_or_said_to_be_busy():
    rows = locked.locked([0.5, 6.0])
    assert not any(row.wrong for row in rows.values()), rows


def test_one_row_of_one_film_and_one_winner_of_two():
    races = same.same(10, 30)
    assert not any(race.wrong for race in races.values()), races


def test_transfers_that_break_off_leave_nothing(tmp_path):
    intake = Intake(tmp_path / "home").start()
    try:
        assert not aborts.broken_off(intake, 60)
        found, wrong = aborts.told_to_stop(intake, Account(), 3)
        assert found.nothing, found
        assert not wrong
    finally:
        intake.kill()


def test_a_clock_that_jumps_breaks_nothing_off(tmp_path):
    assert not aborts.jumps(tmp_path, 1)[1]
    assert aborts.jumps(tmp_path / "wall", 1, aborts.WALL)[1], "deadlines on the wall clock have to be noticed"


def test_a_busy_hour(tmp_path):
    found = day.day(tmp_path, 60, worker=False)
    assert found.good, (found.unexpected, found.found, found.listed)


def test_an_upgrade_that_is_killed_is_done_or_not_begun(tmp_path):
    row = upgrading.by_statement(tmp_path, "0001", only=size(3, 30))
    print(f"points {row.points}, killed {row.killed}, as before {row.before}, as after {row.after}")
    assert not row.wrong, row.wrong
    assert row.killed == row.points


@needs_strace
@pytest.mark.soak
@pytest.mark.parametrize("back", [False, True], ids=["upgrade", "way back"])
def test_an_upgrade_that_is_killed_at_a_system_call_is_done_or_not_begun(back, tmp_path):
    row = upgrading.sweep(tmp_path, "0014_orders", back=back, only=30)
    print(f"points {row.points}, killed {row.killed}, as before {row.before}, as after {row.after}")
    assert not row.wrong, row.wrong
    assert row.killed


@needs_strace
@pytest.mark.soak
def test_retention_that_is_killed_takes_whole_studies_that_are_due_or_nothing(tmp_path):
    row = retiring.sweep(tmp_path, only=30)
    print(f"points {row.points}, killed {row.killed}, due studies still there {row.due_left}, gone {row.due_gone}")
    assert not row.wrong, row.wrong
    assert row.killed
