"""The worker: one step at a time, with twins and a clock that stands still."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.unit.services.world import RETRIES, MovingDatabase, World
from triage.domain.errors import ArchiveAway, BundleError, FilmsUnavailable, IndexUnavailable
from triage.domain.jobs import JobState
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.imaging.prepare import Prepared
from triage.inference.memory import MemoryClassifier
from triage.sandbox.memory import MemoryFilms
from triage.worker import NOT_YET

FILM = films.film(bright=0.9)


class Interrupted(MemoryClassifier):
    """Something happens while the network looks; then it may fail."""

    def __init__(self, meanwhile: Callable[[], object], version: str = "1") -> None:
        super().__init__(version=version)
        self.meanwhile = meanwhile

    def probability(self, tensor: NDArray[np.float32]) -> float:
        self.meanwhile()
        return super().probability(tensor)


def job_of(world: World, uid: str = "1.2.3") -> JobState | None:
    with world.database.read() as tx:
        return tx.jobs.state_of(uid)


def history(world: World, uid: str = "1.2.3") -> int:
    with world.database.read() as tx:
        return len(tx.outcomes(uid))


def test_a_film_takes_its_place_and_its_job_is_done() -> None:
    world = World()
    world.store(films.film("1.1", "1.1.1.1", bright=0.1))
    world.clock.forward(minutes=1)
    world.store(films.film("1.2", "1.2.1.1", bright=0.9))
    assert [world.step() for _ in range(3)] == [True, True, False]
    assert world.list() == ["1.2", "1.1"]
    assert [world.study(uid).level for uid in world.list()] == [Level.FLAGGED, Level.NOT_FLAGGED]
    assert job_of(world, "1.1") is job_of(world, "1.2") is JobState.DONE
    assert world.gaps() == {}


def test_the_study_names_the_network_that_looked() -> None:
    world = World()
    world.store(FILM)
    assert world.worker.model is None
    world.step()
    study = world.study()
    assert study.model == world.worker.model == MemoryClassifier().model.label
    assert (study.images_covered, study.assessed_at) == (1, world.clock())


def test_with_nothing_to_do_nothing_is_done() -> None:
    assert World().step() is False


def test_a_result_is_dropped_when_the_lease_was_lost_meanwhile() -> None:
    world = World()
    world.store(FILM)

    def another_worker_takes_it() -> None:
        world.clock.forward(seconds=RETRIES.lease.total_seconds())
        with world.database.write() as tx:
            assert tx.jobs.claim("other", world.clock())

    world.classifier = Interrupted(another_worker_takes_it)
    assert world.step()
    assert world.study().level is Level.PENDING
    assert history(world) == 0
    assert job_of(world) is JobState.RUNNING


def test_an_image_that_arrives_meanwhile_is_assessed_too() -> None:
    world = World()
    world.store(films.film(bright=0.1))
    world.classifier = Interrupted(lambda: world.store(films.film(sop_uid="1.2.3.1.2", bright=0.1)))
    assert world.step()
    assert world.study().level is Level.PENDING, "the score does not cover the new image"
    assert job_of(world) is JobState.WAITING
    world.classifier = MemoryClassifier()
    assert world.step()
    assert (world.study().level, world.study().images_covered) == (Level.NOT_FLAGGED, 2)
    assert history(world) == 2


def test_a_late_image_makes_an_unflagged_study_pending_again() -> None:
    world = World()
    world.store(films.film(bright=0.1))
    world.step()
    assert world.study().level is Level.NOT_FLAGGED
    world.store(films.film(sop_uid="1.2.3.1.2", bright=0.9))
    assert (world.study().level, world.study().probability) == (Level.PENDING, None)
    world.step()
    assert world.study().level is Level.FLAGGED


def test_a_failure_nobody_foresaw_is_tried_again_and_then_quarantined() -> None:
    world = World()
    world.store(FILM)

    def fail() -> None:
        raise ZeroDivisionError

    world.classifier = Interrupted(fail)
    for attempt in range(RETRIES.max_attempts):
        assert world.step(), attempt
        assert world.study().level is Level.PENDING
        assert not world.step(), "not before the backoff is over"
        world.clock.forward(minutes=1)
    world.step()
    study = world.study()
    assert (study.level, study.reason) == (Level.NOT_ASSESSED, Reason.QUARANTINED)
    assert job_of(world) is JobState.QUARANTINED
    assert world.list() == ["1.2.3"]


def test_while_no_film_can_be_opened_studies_wait_and_the_worker_says_so() -> None:
    class Shut(MemoryFilms):
        shut, tries = True, 0

        def ready(self) -> bool:
            self.tries += 1
            if self.shut:
                raise FilmsUnavailable("no server starts")
            return True

    world = World()
    films = world.films = Shut()
    world.worker._films = films
    world.worker.warm_up()
    assert world.worker.trouble == "no server starts", "said before a film comes"
    world.store(FILM)
    for _ in range(RETRIES.max_attempts + 2):
        assert not world.step()
        assert not world.step(), "not tried again at once"
        world.clock.forward(minutes=1)
    assert films.tries == RETRIES.max_attempts + 2
    assert (world.study().level, world.worker.trouble) == (Level.PENDING, "no server starts")
    films.shut = False
    assert world.step()
    assert (world.study().level, world.worker.trouble) == (Level.FLAGGED, None)


def test_until_films_can_be_opened_the_worker_says_that_they_cannot() -> None:
    class Loading(MemoryFilms):
        loaded = False

        def ready(self) -> bool:
            return self.loaded

    world = World()
    films = world.films = Loading()
    world.worker._films = films
    world.store(FILM)
    assert not world.step()
    assert world.worker.trouble == NOT_YET
    films.loaded = True
    assert world.step()
    assert (world.study().level, world.worker.trouble) == (Level.FLAGGED, None)


def test_a_study_whose_films_cannot_be_opened_any_more_waits_untried() -> None:
    class Breaks(MemoryFilms):
        broken = True

        def prepare(self, *given: Any) -> Prepared:
            if self.broken:
                raise FilmsUnavailable("no other server starts")
            return super().prepare(*given)

    world = World()
    films = world.films = Breaks()
    world.worker._films = films
    world.store(FILM)
    for _ in range(RETRIES.max_attempts + 2):
        assert not world.step()
        assert (world.study().level, world.worker.trouble) == (Level.PENDING, "no other server starts")
        world.clock.forward(minutes=1)
    films.broken = False
    assert world.step()
    assert (world.study().level, world.worker.trouble) == (Level.FLAGGED, None)


def test_while_the_archive_is_away_studies_wait_untried(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ArchiveAway("the object store: no proper answer")

    world = World()
    world.store(FILM)
    with monkeypatch.context() as patch:
        patch.setattr(type(world.archive), "open", away)
        for _ in range(RETRIES.max_attempts + 2):
            assert not world.step()
            assert (world.study().level, world.worker.trouble) == (Level.PENDING, "the object store: no proper answer")
            world.clock.forward(minutes=1)
    assert world.step()
    assert (world.study().level, world.worker.trouble) == (Level.FLAGGED, None)


def test_a_film_that_fails_lets_the_others_through() -> None:
    world = World()
    world.store(FILM)
    world.clock.forward(seconds=1)
    world.store(films.film("1.9", "1.9.1.1", bright=0.5))

    class Picky(MemoryClassifier):
        def probability(self, tensor: NDArray[np.float32]) -> float:
            if tensor.mean() > 0.8:
                raise MemoryError
            return super().probability(tensor)

    world.classifier = Picky()
    assert [world.step(), world.step()] == [True, True]
    assert world.study("1.9").probability is not None


def test_a_film_that_failed_once_may_succeed_later() -> None:
    world = World()
    world.store(FILM)
    world.classifier = Interrupted(lambda: 1 / 0)
    world.step()
    world.clock.forward(minutes=1)
    world.classifier = MemoryClassifier()
    world.step()
    assert world.study().level is Level.FLAGGED


def test_without_a_model_studies_say_so_and_are_assessed_once_there_is_one() -> None:
    world = World()
    world.classifier = BundleError("none is installed")
    world.store(films.film("1.1", "1.1.1.1"))
    world.clock.forward(minutes=1)
    world.store(films.film("1.2", "1.2.1.1"))
    assert world.step() is False
    assert [world.study(uid).reason for uid in world.list()] == [Reason.NO_MODEL, Reason.NO_MODEL]
    assert world.list() == ["1.1", "1.2"]
    assert "none is installed" in (world.worker.trouble or "")
    world.classifier = MemoryClassifier()
    assert [world.step() for _ in range(3)] == [True, True, False]
    assert {world.study(uid).level for uid in world.list()} == {Level.NOT_FLAGGED}
    assert world.worker.trouble is None


def test_a_bundle_that_is_refused_later_leaves_the_previous_one_serving() -> None:
    world = World()
    world.worker.warm_up()
    world.classifier = BundleError("a digest differs")
    world.store(FILM)
    assert world.step()
    assert world.study().model == MemoryClassifier().model.label
    assert "a digest differs" in (world.worker.trouble or "")


def test_another_bundle_serves_from_the_next_study_on() -> None:
    world = World()
    world.store(FILM)
    world.step()
    world.classifier = MemoryClassifier(version="2")
    world.store(films.film("1.9", "1.9.1.1"))
    world.step()
    assert world.study("1.9").model == world.worker.model == world.classifier.model.label
    assert world.study().model != world.worker.model


def test_a_study_is_assessed_once_per_model() -> None:
    world = World()
    world.store(FILM)
    world.step()
    world.store(FILM)
    assert world.step() is False
    assert history(world) == 1


def test_the_worker_outlives_a_database_that_does_not_answer() -> None:
    class Flaky(MovingDatabase):
        refusals = 3

        def write(self):  # type: ignore[no-untyped-def]
            if self.refusals:
                self.refusals -= 1
                raise IndexUnavailable("away")
            return super().write()

    stop = threading.Event()
    database = Flaky(RETRIES)
    world = World(database=database)
    database.refusals = 0
    world.store(FILM)
    database.refusals = 3
    world.classifier = Interrupted(stop.set)
    world.worker.run(stop)
    assert world.study().level is Level.FLAGGED


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"PixelData": None}, Reason.NO_IMAGE),
        ({"body_part": "SHOULDER"}, Reason.NOT_A_CHEST_FILM),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, Reason.NOT_GRAYSCALE),
    ],
)
def test_a_second_image_that_nobody_judged_keeps_the_study_from_being_unflagged(second: dict[str, Any], reason: Reason) -> None:
    world = World()
    world.store(films.film(bright=0.1))
    world.step()
    assert world.study().level is Level.NOT_FLAGGED
    world.store(films.film(sop_uid="1.2.3.1.2", **second))
    world.step()
    assert (world.study().level, world.study().reason) == (Level.NOT_ASSESSED, reason)
    assert world.gaps() == {}


def test_a_child_without_a_study_date_is_known_by_the_day_the_film_came() -> None:
    world = World()
    world.store(films.film(bright=0.1, age=None, PatientBirthDate="20200101", StudyDate=""))
    world.step()
    assert (world.study().level, world.study().reason) == (Level.NOT_ASSESSED, Reason.PAEDIATRIC)
