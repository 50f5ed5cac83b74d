"""Each step that can change the network's word says so: the film comes as it comes, the archive and the model fail."""

import pytest

from tests import films
from tests.unit.domain.make import POLICY
from tests.unit.services.words import wrong_words
from tests.unit.services.world import RETRIES, World
from triage.archive.memory import MemoryArchive
from triage.domain.errors import DataSetMismatch
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.services.housekeeping import excuse_without_model, quarantine_exhausted
from triage.services.quarantine import Deciding, discard, release
from triage.services.scrub import scrub

UID = "1.2.3"
DARK = films.film(UID, f"{UID}.1", bright=0.1)
BRIGHTER = films.film(UID, f"{UID}.1", bright=0.3)
STRANGER = films.film(UID, f"{UID}.2", patient_id="P-2", patient_name="Roe^Ann")
LATE = films.film(UID, f"{UID}.3", bright=0.1)
LOOKED = Deciding(by="dr", because="looked at")
Word = tuple[Level, Reason | None]
REST: Word = (Level.NOT_FLAGGED, None)


@pytest.fixture
def world() -> World:
    """One study, not flagged."""
    world = World(MemoryArchive())
    world.store(DARK)
    world.step()
    return world


def words(world: World) -> list[Word]:
    assert wrong_words(world.database) == []
    with world.database.read() as tx:
        return [(one.level, one.reason) for one in tx.deliveries.results(UID)]


def refused(world: World, film: bytes) -> str:
    world.clock.forward(seconds=1)
    with pytest.raises(DataSetMismatch):
        world.store(film)
    return films.digest(film)


def read_again(world: World) -> None:
    world.clock.forward(minutes=10)
    scrub(world.archive, world.database, POLICY, world.clock, 1 << 40)


def archive_of(world: World) -> MemoryArchive:
    assert isinstance(world.archive, MemoryArchive)
    return world.archive


def test_another_patients_film_takes_it_back_and_a_person_gives_it_again(world: World) -> None:
    digest = refused(world, STRANGER)
    assert words(world) == [REST, (Level.NOT_ASSESSED, Reason.IDENTITY_CONFLICT)]
    world.clock.forward(seconds=1)
    discard(digest, LOOKED, archive=world.archive, database=world.database, head_starts=POLICY, clock=world.clock)
    assert words(world) == [REST, (Level.NOT_ASSESSED, Reason.IDENTITY_CONFLICT), REST]


def test_a_film_that_is_released_is_looked_at_before_anything_is_said(world: World) -> None:
    digest = refused(world, BRIGHTER)
    release(digest, LOOKED, archive=world.archive, database=world.database, head_starts=POLICY, clock=world.clock)
    aside = (Level.NOT_ASSESSED, Reason.FILM_SET_ASIDE)
    assert words(world) == [REST, aside]
    world.step()
    assert words(world) == [REST, aside, REST]


def test_a_film_that_is_damaged_and_mended(world: World) -> None:
    archive, digest = archive_of(world), films.digest(DARK)
    whole = archive.objects[digest]
    archive.objects[digest] = whole[:-1] + bytes([whole[-1] ^ 1])
    read_again(world)
    damaged = (Level.NOT_ASSESSED, Reason.FILM_DAMAGED)
    assert words(world) == [REST, damaged]
    archive.objects[digest] = whole
    read_again(world)
    assert words(world) == [REST, damaged, REST]


def test_a_film_that_is_gone_at_the_start(world: World) -> None:
    del archive_of(world).objects[films.digest(DARK)]
    world.reconcile()
    assert words(world) == [REST, (Level.NOT_ASSESSED, Reason.FILM_DAMAGED)]


def test_a_film_of_it_that_is_found_set_aside(world: World) -> None:
    archive_of(world).aside[films.digest(LATE)] = LATE
    world.reconcile()
    assert words(world) == [REST, (Level.NOT_ASSESSED, Reason.FILM_SET_ASIDE)]


def test_an_assessment_that_fails_too_often(world: World) -> None:
    world.store(LATE)
    for _ in range(RETRIES.max_attempts):
        with world.database.write() as tx:
            assert tx.jobs.claim("w", world.clock())
        world.clock.forward(minutes=1)
    quarantine_exhausted(world.database, POLICY, world.clock)
    assert words(world) == [REST, (Level.NOT_ASSESSED, Reason.QUARANTINED)]


def test_no_model_says_nothing_unless_there_is_a_doubt(world: World) -> None:
    world.store(LATE)
    excuse_without_model(world.database, POLICY, world.clock)
    assert world.study(UID).reason is Reason.NO_MODEL
    assert words(world) == [REST], "the earlier word stands"
    world.step()
    assert words(world) == [REST, REST], "on one film more"


def test_no_model_and_a_doubt_say_the_doubt(world: World) -> None:
    refused(world, STRANGER)
    world.store(LATE)
    conflict = (Level.NOT_ASSESSED, Reason.IDENTITY_CONFLICT)
    assert words(world) == [REST, conflict], "pending"
    excuse_without_model(world.database, POLICY, world.clock)
    assert words(world) == [REST, conflict, conflict], "on films that nobody has looked at"
