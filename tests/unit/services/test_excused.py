"""Studies that the network cannot assess: set aside once, or waiting for a model, never out of sight."""

import pytest

from tests import films
from tests.unit.domain.make import POLICY
from tests.unit.services.world import RETRIES, World
from triage.domain.jobs import JobState
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.services.housekeeping import excuse_without_model, quarantine_exhausted
from triage.services.verify import verify


@pytest.fixture
def world() -> World:
    world = World()
    world.store(films.film("1.1", "1.1.1.1"))
    return world


def exhaust(world: World) -> None:
    for _ in range(RETRIES.max_attempts):
        with world.database.write() as tx:
            assert tx.jobs.claim("w", world.clock())
        world.clock.forward(minutes=1)


def test_a_study_that_failed_too_often_is_listed_as_quarantined_once(world: World) -> None:
    exhaust(world)
    assert quarantine_exhausted(world.database, POLICY, world.clock) == ["1.1"]
    assert quarantine_exhausted(world.database, POLICY, world.clock) == []
    study = world.study("1.1")
    assert (study.level, study.reason, study.probability) == (Level.NOT_ASSESSED, Reason.QUARANTINED, None)
    assert world.list() == ["1.1"]
    assert verify(world.archive, world.database).excused == 1


def test_a_flagged_study_stays_flagged_when_its_late_image_is_quarantined(world: World) -> None:
    world.store(films.film("1.5", "1.5.1.1", bright=0.9))
    world.step(), world.step()
    world.store(films.film("1.5", "1.5.1.2"))
    exhaust(world)
    assert quarantine_exhausted(world.database, POLICY, world.clock) == ["1.5"]
    assert world.study("1.5").level is Level.FLAGGED


def test_nothing_is_written_when_nothing_is_exhausted(world: World) -> None:
    with world.database.read() as tx:
        before = tx.revision()
    assert quarantine_exhausted(world.database, POLICY, world.clock) == []
    with world.database.read() as tx:
        assert tx.revision() == before


def test_without_a_model_pending_studies_say_so_and_keep_place_and_job(world: World) -> None:
    world.store(films.film("1.2", "1.2.1.1"))
    before = {uid: world.study(uid).key for uid in world.list()}
    assert excuse_without_model(world.database, POLICY, world.clock) == 2
    assert excuse_without_model(world.database, POLICY, world.clock) == 0
    assert {uid: world.study(uid).key for uid in world.list()} == before
    assert {world.study(uid).reason for uid in before} == {Reason.NO_MODEL}
    with world.database.read() as tx:
        assert {tx.jobs.state_of(uid) for uid in before} == {JobState.WAITING}
