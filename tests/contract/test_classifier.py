"""What every classifier keeps to: the network that is shipped, and its twin in memory."""

import numpy as np
import pytest

from triage.domain.errors import InferenceError
from triage.domain.reason import Reason
from triage.inference.load import load_classifier
from triage.inference.memory import MemoryClassifier
from triage.inference.registry import PACKAGED
from triage.services.ports import Classifier


@pytest.fixture(params=["litert", "memory"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    if request.param == "memory":
        return MemoryClassifier()
    return load_classifier(PACKAGED / "recommended")


def film(classifier: Classifier, seed: int = 0) -> np.ndarray:
    shape = (classifier.spec.height, classifier.spec.width, 1)
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_pedigree(classifier: Classifier) -> None:
    model = classifier.model
    assert model.spec_id == classifier.spec.spec_id
    assert 0.0 < model.threshold < 1.0
    assert model.label == f"{model.name}@{model.version}+{model.bundle_id[:8]}"


def test_a_probability_and_the_same_one_again(classifier: Classifier) -> None:
    first, other = film(classifier), film(classifier, seed=1)
    probability = classifier.probability(first)
    classifier.probability(other)
    assert 0.0 <= probability <= 1.0
    assert classifier.probability(first) == probability


def test_films_differ(classifier: Classifier) -> None:
    dark, bright = np.zeros_like(film(classifier)), np.ones_like(film(classifier))
    assert classifier.probability(dark) != classifier.probability(bright)


def test_the_tensor_is_left_alone(classifier: Classifier) -> None:
    tensor = film(classifier)
    before = tensor.copy()
    classifier.probability(tensor)
    np.testing.assert_array_equal(tensor, before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(classifier: Classifier, value: float) -> None:
    tensor = film(classifier)
    tensor[3, 3, 0] = value
    with pytest.raises(InferenceError) as refusal:
        classifier.probability(tensor)
    assert refusal.value.reason is Reason.NUMERIC


def test_another_shape_is_refused(classifier: Classifier) -> None:
    with pytest.raises(InferenceError):
        classifier.probability(film(classifier)[:-1])


def test_an_opinion_or_none_and_the_same_one_again(classifier: Classifier) -> None:
    opinion = classifier.opinion(film(classifier))
    assert opinion is None or 0.0 <= opinion.chest <= 1.0
    assert classifier.opinion(film(classifier)) == opinion


def test_the_gate_is_asked_of_usable_tensors_only(classifier: Classifier) -> None:
    tensor = film(classifier)
    tensor[0, 0, 0] = np.nan
    with pytest.raises(InferenceError):
        classifier.opinion(tensor)
