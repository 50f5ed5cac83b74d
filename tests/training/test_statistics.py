"""Intervals against published and hand-made values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from training import paired, resample, statistics


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


@given(st.integers(0, 400), st.integers(0, 400))
def test_wilson_stays_within_bounds_and_holds_the_value(hits: int, misses: int) -> None:
    figure = statistics.proportion(hits, hits + misses)
    if hits + misses == 0:
        assert figure.value is None
        return
    assert figure.low is not None
    assert figure.value is not None
    assert figure.high is not None
    assert 0 <= figure.low <= figure.value + 1e-12
    assert figure.value - 1e-12 <= figure.high <= 1


@given(st.lists(st.integers(0, 19), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_the_budget_is_kept_and_used_up(scores: list[int], budget: float) -> None:
    values = np.array(scores) / 20
    threshold = statistics.threshold_for_budget(values, budget)
    assert (values >= threshold).mean() <= budget + 1e-9
    below = values[values < threshold]
    if len(below):  # the next level would break the budget
        assert (values >= below.max()).mean() > budget


def test_predictive_values_as_bayes_says() -> None:
    # 1,000 people, 100 ill: 90 of them flagged, 180 of the 900 well
    ppv, npv = statistics.predictive_values(0.9, 0.8, 0.1)
    assert (ppv, npv) == (pytest.approx(90 / 270), pytest.approx(720 / 730))
    assert statistics.predictive_values(0.0, 1.0, 0.1) == (None, pytest.approx(0.9))


def scored(seed: int, n: int = 160) -> tuple[statistics.Mask, statistics.Values, statistics.Values]:
    rng = np.random.default_rng(seed)
    positive = np.arange(n) < n // 2
    common = rng.normal(size=n)
    return positive, common + 1.2 * positive + rng.normal(0, 0.5, n), common + 0.8 * positive + rng.normal(0, 0.5, n)


def test_paired_delong_agrees_with_the_paired_bootstrap() -> None:
    positive, first, second = scored(4)
    difference = paired.auc_difference(positive, first, second)
    drawn = resample.weights([f"p{film}" for film in range(len(positive))], np.random.default_rng(0), 4000)
    again = resample.areas(positive, first, drawn) - resample.areas(positive, second, drawn)
    low, high = np.percentile(again, (2.5, 97.5))
    assert (difference.low, difference.high) == (pytest.approx(low, abs=0.012), pytest.approx(high, abs=0.012))
    assert difference.value == pytest.approx(roc_auc_score(positive, first) - roc_auc_score(positive, second))


def test_paired_delong_covers_no_difference_as_often_as_it_says() -> None:
    rng, inside = np.random.default_rng(5), 0
    for _ in range(400):
        positive = np.arange(100) < 50
        common = rng.normal(size=100) + positive
        difference = paired.auc_difference(positive, common + rng.normal(size=100), common + rng.normal(size=100))
        assert difference.low is not None
        assert difference.high is not None
        inside += difference.low <= 0 <= difference.high
    assert 0.92 <= inside / 400 <= 0.98


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_difference_turns_its_sign_with_the_order_and_is_none_from_itself(seed: int) -> None:
    positive, first, second = scored(seed, 30)
    there, back = paired.auc_difference(positive, first, second), paired.auc_difference(positive, second, first)
    assert there.value is not None
    assert there.low is not None
    assert (back.value, back.high, back.p) == (pytest.approx(-there.value), pytest.approx(-there.low), pytest.approx(there.p))
    same = paired.auc_difference(positive, first, first)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_many_films_of_few_patients_widen_the_interval() -> None:
    positive, first, second = scored(6, 60)
    films = [np.repeat(values, 4) for values in (positive, first, second)]
    patients = [f"p{number // 4}" for number in range(240)]
    alone, together = paired.auc_difference(*films), paired.auc_difference(*films, patients)
    widths = [(figure.high or 0) - (figure.low or 0) for figure in (alone, together)]
    # four copies tell no more than one: the honest interval is twice as wide
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.15)
    figure, plain = resample.area(films[0], films[1], patients), statistics.auc(films[0], films[1])
    assert ((figure.high or 0) - (figure.low or 0)) > 1.6 * ((plain.high or 0) - (plain.low or 0))


def test_newcombe_paired_as_published() -> None:
    # Newcombe, Statistics in Medicine 1998, 2635, table II, method 10: cells 36, 12, 2, 0 (n = 50)
    first, second = np.zeros(50, bool), np.zeros(50, bool)
    first[:48], second[:36], second[48:] = True, True, True
    difference = paired.share_difference(first, second)
    assert difference.value == pytest.approx(0.20)
    assert (difference.low, difference.high) == (pytest.approx(0.0569, abs=1e-4), pytest.approx(0.3404, abs=1e-4))
    assert difference.p == pytest.approx(0.0129, abs=1e-4)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_a_paired_difference_of_shares_stays_within_bounds(calls: list[tuple[bool, bool]]) -> None:
    first, second = np.array(calls).T
    there, back = paired.share_difference(first, second), paired.share_difference(second, first)
    assert None not in (there.value, there.low, there.high, back.high, back.low)
    assert -1 <= (there.low or 0) <= (there.value or 0) + 1e-12
    assert (there.value or 0) - 1e-12 <= (there.high or 0) <= 1
    assert (back.low, back.high) == (pytest.approx(-(there.high or 0)), pytest.approx(-(there.low or 0)))


@pytest.mark.parametrize(("shrink", "truth"), [(1.0, 0.0), (0.6, 0.1)])
def test_the_interval_of_a_calibration_error_takes_the_bias_back(shrink: float, truth: float) -> None:
    # the forecast p holds for the share 0.5 + shrink × (p − 0.5): the true error is (1 − shrink) / 4
    rng, covered, plain = np.random.default_rng(8), 0, 0
    drawn = resample.weights([str(film) for film in range(200)], np.random.default_rng(1))
    for _ in range(15):
        probabilities = rng.random(200)
        positive = rng.random(200) < 0.5 + shrink * (probabilities - 0.5)
        figure = resample.calibration(positive, probabilities, [str(film) for film in range(200)])["ece"]
        assert figure.low is not None
        assert figure.high is not None
        covered += figure.low <= truth + 0.01 and truth <= figure.high
        low, high = np.percentile(statistics.calibration_errors(positive, probabilities, drawn), (2.5, 97.5))
        plain += low <= truth + 0.01 and truth <= high
    assert covered >= 11
    assert covered > plain


def test_weighted_calibration_error_is_that_of_the_films_drawn() -> None:
    rng = np.random.default_rng(9)
    positive, probabilities = rng.random(100) < 0.4, rng.random(100)
    weights = rng.integers(0, 2, (3, 100)).astype(float)
    weights[:, :50] = 1.0
    again = statistics.calibration_errors(positive, probabilities, weights)
    alone = [statistics.calibration_error(positive[row > 0], probabilities[row > 0]) for row in weights]
    np.testing.assert_allclose(again, alone)


@pytest.mark.parametrize(("ill", "well"), [(2, 2), (15, 4), (100, 100)])
def test_classes_that_do_not_overlap_have_an_interval_all_the_same(ill: int, well: int) -> None:
    positive = np.array([True] * ill + [False] * well)
    best, worst = statistics.auc(positive, positive.astype(float)), statistics.auc(positive, 1.0 - positive)
    assert best.value == best.high == 1.0
    assert worst.value == worst.low == 0.0
    assert best.low is not None
    assert worst.high == pytest.approx(1 - best.low)
    # Newcombe's method 5 solved by hand: (1 - t)² = z² t (1 - t) (1 + N ((1 - t) / (2 - t) + t / (1 + t))) / (m n)
    lost, share = 1 - best.low, (ill + well) / 2 - 1
    spread = best.low * lost * (1 + share * (lost / (1 + lost) + best.low / (1 + best.low))) / (ill * well)
    assert lost**2 == pytest.approx(1.959964**2 * spread, rel=1e-4)
    assert best.low < 1 - 1 / (ill * well)


def test_all_scores_the_same_have_an_interval_too() -> None:
    figure = statistics.auc(np.array([True, False] * 10), np.zeros(20))
    assert figure.value == 0.5
    assert figure.low is not None
    assert figure.high is not None
    assert 0.2 < figure.low < 0.4 < 0.6 < figure.high < 0.8
