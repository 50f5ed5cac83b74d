"""Intervals against published and hand-made values."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training import statistics


def test_auc_is_the_one_of_scikit_learn_ties_included() -> None:
    rng = np.random.default_rng(1)
    positive = rng.random(300) < 0.4
    scores = np.round(rng.normal(positive.astype(float)), 1)
    figure = statistics.auc(positive, scores)
    assert figure.value == pytest.approx(roc_auc_score(positive, scores))
    assert figure.n == 300


def test_delong_covers_the_truth_as_often_as_it_says() -> None:
    # two unit normals one apart: the true area is Φ(1/√2)
    rng, truth, inside = np.random.default_rng(2), 0.7602499, 0
    for _ in range(400):
        positive = np.arange(120) < 50
        figure = statistics.auc(positive, rng.normal(positive.astype(float)))
        assert figure.low is not None
        assert figure.high is not None
        inside += figure.low <= truth <= figure.high
    assert 0.92 <= inside / 400 <= 0.98


def test_auc_of_one_class_says_nothing() -> None:
    assert statistics.auc([True, True], np.array([0.1, 0.2])).value is None


def test_wilson_as_in_newcombe_1998() -> None:
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263 and 0 of 20
    figure = statistics.proportion(81, 263)
    assert (figure.low, figure.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert statistics.proportion(0, 20).high == pytest.approx(0.1611, abs=1e-4)


def test_a_perfectly_calibrated_forecast_has_no_error() -> None:
    positive = np.array([True, False] * 50)
    assert statistics.calibration_error(positive, np.full(100, 0.5)) == pytest.approx(0.0)
    assert statistics.calibration_error(positive, np.full(100, 0.9)) == pytest.approx(0.4)


@pytest.mark.parametrize("aim", [0.5, 0.9, 1.0])
def test_the_threshold_reaches_the_aim_and_is_the_highest(aim: float) -> None:
    rng = np.random.default_rng(3)
    positive, scores = rng.random(97) < 0.5, rng.random(97)
    threshold = statistics.threshold_for_sensitivity(positive, scores, aim)
    assert (scores[positive] >= threshold).mean() >= aim
    next_higher = scores[positive][scores[positive] >= threshold].min() + 1e-9
    assert (scores[positive] >= next_higher).mean() < aim
