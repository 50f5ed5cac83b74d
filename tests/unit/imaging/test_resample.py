"""Area averages keep what an average keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.imaging.resample import resample

SIDES = st.integers(1, 70)


@settings(deadline=None, max_examples=100)
@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_the_mean_of_the_film_is_kept(rows, columns, height, width, seed):
    image = np.random.default_rng(seed).integers(0, 65536, (rows, columns), dtype=np.uint16)
    result = resample(image, height, width)
    assert result.shape == (height, width)
    assert result.mean() == pytest.approx(image.mean(), rel=1e-12)
    assert image.min() - 1e-6 <= result.min() <= result.max() <= image.max() + 1e-6


@settings(deadline=None, max_examples=50)
@given(SIDES, SIDES, st.integers(0, 65535))
def test_a_constant_stays(rows, columns, value):
    assert resample(np.full((rows, columns), value), 33, 17) == pytest.approx(value, rel=1e-12)


def test_the_same_size_is_the_identity():
    image = np.arange(35.0).reshape(5, 7)
    assert np.array_equal(resample(image, 5, 7), image)


def test_whole_factors_are_block_means_and_repeats():
    image = np.random.default_rng(1).random((12, 8))
    assert resample(image, 4, 4) == pytest.approx(image.reshape(4, 3, 4, 2).mean(axis=(1, 3)))
    assert resample(image, 24, 16) == pytest.approx(image.repeat(2, axis=0).repeat(2, axis=1))


def test_fractional_areas_are_exact():
    # 5 cells on 2: 2.5 cells each
    assert resample(np.array([[10.0, 20.0, 30.0, 40.0, 50.0]]), 1, 2) == pytest.approx(np.array([[18.0, 42.0]]))


def test_rows_run_downwards_and_columns_to_the_right():
    image = np.zeros((40, 40))
    image[:10, 30:] = 1
    result = resample(image, 4, 4)
    assert result[0, 3] == pytest.approx(1)
    assert result.sum() == pytest.approx(1)


def test_tones_are_looked_up_before_averaging():
    image = np.array([[0, 1, 2, 3]], dtype=np.uint8)
    tones = np.array([0.0, 100.0, 7.0, 9.0])
    assert resample(image, 1, 2, tones) == pytest.approx(np.array([[50.0, 8.0]]))
