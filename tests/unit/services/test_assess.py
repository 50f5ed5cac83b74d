"""Every image of a study is scored or excused; the outcome says which."""

from typing import Any, BinaryIO

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.unit.services.world import World
from triage.domain.assessment import Assessment, NotAssessed, Outcome
from triage.domain.errors import InferenceError
from triage.domain.level import Level
from triage.domain.opinion import Opinion, Word
from triage.domain.reason import Reason
from triage.imaging.eligibility import Intended
from triage.imaging.prepare import Prepared
from triage.imaging.spec import PreprocessingSpec
from triage.inference.memory import MemoryClassifier
from triage.services.assess import Budget, assess


def outcome_of(*images: bytes, classifier: MemoryClassifier | None = None) -> Outcome:
    """What is said of a study of these images."""
    world = World()
    instances = [world.store(image) for image in images]
    return assess(
        "1.2.3",
        instances,
        archive=world.archive,
        films=world.films,
        classifier=classifier or MemoryClassifier(),
        min_age_years=16,
        clock=world.clock,
    )


def test_a_film_is_scored_with_its_pedigree() -> None:
    film = films.film(bright=0.75)
    outcome = outcome_of(film)
    assert isinstance(outcome, Assessment)
    assert outcome.probability == pytest.approx(0.75, abs=0.02)
    assert outcome.flagged
    assert outcome.covers == {films.digest(film)}
    assert outcome.model == MemoryClassifier().model
    assert outcome.assessed_at == World().clock()


def test_the_same_film_and_model_give_the_same_score() -> None:
    first, second = (outcome_of(films.film(bright=0.4)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"view": "LL"}, Reason.LATERAL_VIEW),
        ({"age": "009Y"}, Reason.PAEDIATRIC),
        ({"body_part": "HAND"}, Reason.NOT_A_CHEST_FILM),
        ({"PixelData": None}, Reason.NO_IMAGE),
        ({"bright": 0.0}, Reason.NUMERIC),
        ({"PixelData": b"\0\1"}, Reason.CANNOT_DECODE),
        ({"NumberOfFrames": 2}, Reason.MULTI_FRAME),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, Reason.NOT_GRAYSCALE),
    ],
)
def test_an_image_that_is_not_scored_says_why(elements: dict[str, Any], reason: Reason) -> None:
    film = films.film(**elements)
    outcome = outcome_of(film)
    assert isinstance(outcome, NotAssessed)
    assert outcome.reason is reason
    assert outcome.considered == {films.digest(film)}


def test_a_lateral_view_beside_a_frontal_one_does_not_keep_it_from_being_scored() -> None:
    frontal, lateral = films.film(bright=0.2), films.film(sop_uid="1.2.3.1.2", view="LL")
    outcome = outcome_of(frontal, lateral)
    assert isinstance(outcome, Assessment)
    assert not outcome.flagged
    assert outcome.covers == {films.digest(frontal)}
    assert outcome.considered == {films.digest(frontal), films.digest(lateral)}


def test_a_damaged_frontal_beside_an_unsuspicious_one_leaves_the_study_not_assessed() -> None:
    outcome = outcome_of(films.film(bright=0.2), films.film(sop_uid="1.2.3.1.2", PixelData=b"\0\1"))
    assert isinstance(outcome, NotAssessed)
    assert outcome.reason is Reason.CANNOT_DECODE


def test_a_damaged_frontal_does_not_hide_a_suspicious_one() -> None:
    outcome = outcome_of(films.film(bright=0.9), films.film(sop_uid="1.2.3.1.2", PixelData=b"\0\1"))
    assert isinstance(outcome, Assessment)
    assert outcome.flagged


def test_the_most_suspicious_film_decides() -> None:
    outcome = outcome_of(films.film(bright=0.1), films.film(sop_uid="1.2.3.1.2", bright=0.8))
    assert isinstance(outcome, Assessment)
    assert outcome.probability == pytest.approx(0.8, abs=0.02)


def gated(word: Word, certain: bool = False) -> MemoryClassifier:
    return MemoryClassifier(opinion=Opinion(word=word, chest=0.5, certain=certain))


@pytest.mark.parametrize("word", [word for word in Word if word is not Word.CHEST])
def test_a_film_that_the_gate_refuses_is_never_scored(word: Word) -> None:
    class Unasked(MemoryClassifier):
        def probability(self, tensor: NDArray[np.float32]) -> float:
            raise AssertionError("the network was asked")

    outcome = outcome_of(films.film(bright=0.9), classifier=Unasked(opinion=Opinion(word=word, chest=0.5)))
    assert isinstance(outcome, NotAssessed)
    assert outcome.reason is word.reason
    assert outcome.level is Level.NOT_ASSESSED
    assert outcome.excuses[0].detail == f"tags: nothing against a frontal chest film; image: {word.phrase}"


def test_a_film_that_the_gate_lets_pass_is_scored() -> None:
    assert isinstance(outcome_of(films.film(bright=0.9), classifier=gated(Word.CHEST)), Assessment)


def test_out_of_scope_is_what_tags_and_image_agree_on() -> None:
    hand = films.film(body_part="HAND")
    levels = {
        (word, certain): outcome_of(hand, classifier=gated(word, certain)).level for word in Word for certain in (True, False)
    }
    assert [case for case, level in levels.items() if level is Level.OUT_OF_SCOPE] == [(Word.NOT_A_CHEST, True)]
    assert set(levels.values()) == {Level.OUT_OF_SCOPE, Level.NOT_ASSESSED}


def test_tags_of_a_hand_and_the_image_of_a_chest_are_both_told() -> None:
    outcome = outcome_of(films.film(body_part="HAND"), classifier=gated(Word.CHEST))
    assert isinstance(outcome, NotAssessed)
    assert outcome.reason is Reason.NOT_A_CHEST_FILM
    assert outcome.excuses[0].detail == "tags: not a chest radiograph by its tags; image: a frontal chest film"


def test_a_film_that_is_gone_from_the_archive_is_not_scored() -> None:
    world = World()
    instance = world.store(films.film())
    world.archive.set_aside(instance.digest)
    outcome = assess(
        "1.2.3",
        [instance],
        archive=world.archive,
        films=world.films,
        classifier=MemoryClassifier(),
        min_age_years=16,
        clock=world.clock,
    )
    assert isinstance(outcome, NotAssessed)
    assert outcome.reason is Reason.CANNOT_DECODE


def test_a_network_without_a_usable_number_excuses_the_film() -> None:
    class Mute(MemoryClassifier):
        def probability(self, tensor: NDArray[np.float32]) -> float:
            raise InferenceError(Reason.MODEL_DISAGREES)

    outcome = outcome_of(films.film(), classifier=Mute())
    assert isinstance(outcome, NotAssessed)
    assert outcome.reason is Reason.MODEL_DISAGREES


def test_what_nobody_foresaw_is_raised_as_it_is() -> None:
    class Broken(MemoryClassifier):
        def probability(self, tensor: NDArray[np.float32]) -> float:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outcome_of(films.film(), classifier=Broken())


def test_a_score_that_is_no_probability_never_becomes_an_outcome() -> None:
    class Wild(MemoryClassifier):
        def probability(self, tensor: NDArray[np.float32]) -> float:
            return float("nan")

    with pytest.raises(ValueError, match="probability"):
        outcome_of(films.film(), classifier=Wild())


class Slow:
    """Each film takes as long as it may, on a clock of its own, and then is timed out."""

    def __init__(self) -> None:
        self.now = 0.0
        self.allowed: list[float] = []

    def ready(self) -> bool:
        return True

    def prepare(self, stream: BinaryIO, spec: PreprocessingSpec, intended: Intended, within_seconds: float) -> Prepared:
        self.allowed.append(within_seconds)
        self.now += within_seconds
        return Prepared(by_pixels=Reason.TIMED_OUT)


@pytest.mark.parametrize(("images", "opened"), [(1, 1), (4, 4), (50, 8)])
def test_a_study_of_films_that_hang_takes_its_budget_and_no_more(images: int, opened: int) -> None:
    world, slow = World(), Slow()
    instances = [world.store(films.film(sop_uid=f"1.2.3.1.{number}")) for number in range(images)]
    outcome = assess(
        "1.2.3",
        instances,
        archive=world.archive,
        films=slow,
        classifier=MemoryClassifier(),
        min_age_years=16,
        clock=world.clock,
        budget=Budget(film=10, study=30, image=1),
        timer=lambda: slow.now,
    )
    assert isinstance(outcome, NotAssessed)
    assert {excuse.reason for excuse in outcome.excuses} == {Reason.TIMED_OUT}
    assert len(outcome.excuses) == images, "every image has its excuse"
    assert len(slow.allowed) == opened
    assert slow.now <= 30 + images


def test_what_the_tags_say_comes_before_what_the_pixels_say() -> None:
    outcome = outcome_of(films.film(view="LL", PixelData=b"\0\1"))
    assert isinstance(outcome, NotAssessed)
    assert outcome.reason is Reason.LATERAL_VIEW
