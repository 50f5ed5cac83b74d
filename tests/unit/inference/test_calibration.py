"""Logit to probability."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.inference.calibration import Calibration

PLATT = Calibration(method="platt", slope=0.7, intercept=-0.4)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_order_is_kept_and_the_result_a_probability(low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 0.0 <= PLATT.probability(low) <= PLATT.probability(high) <= 1.0


@given(st.floats(0.001, 0.999))
def test_there_and_back(probability: float) -> None:
    assert PLATT.probability(PLATT.logit(probability)) == pytest.approx(probability)


def test_what_is_no_number_stays_none() -> None:
    assert math.isnan(PLATT.probability(math.nan))


@pytest.mark.parametrize("values", [{}, {"method": "platt"}, {"method": "platt", "slope": 0, "intercept": 1}])
def test_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration.from_dict(values)
