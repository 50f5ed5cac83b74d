"""What has changed beyond chance is found, what has not is left in peace; where all is flagged, order of arrival rules."""

import random
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from tests.benchmark.drift import CHANGES, false_alarms, found_after, judged, looked, stable
from tests.size import size
from tests.unit.domain import make
from triage.domain.drift import FLOOD, fisher, psi, smirnov
from triage.domain.level import Level
from triage.domain.worklist import order

probabilities = st.lists(st.floats(0, 1), min_size=20, max_size=200)


@settings(deadline=None)  # scipy is loaded in the first
@given(probabilities, probabilities)
def test_the_distance_is_scipy_s(one: list[float], other: list[float]) -> None:
    distance = stats.ks_2samp(one, other, method="asymp").statistic
    limit = special.kolmogorov(distance * (len(one) * len(other) / (len(one) + len(other))) ** 0.5)
    assert smirnov(one, other) == pytest.approx(limit, abs=1e-4)


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_shares_are_compared_as_fisher_did(old_of: int, new_of: int, data: st.DataObject) -> None:
    old, new = data.draw(st.integers(0, old_of)), data.draw(st.integers(0, new_of))
    way = "greater" if new * old_of >= old * new_of else "less"
    exact = stats.fisher_exact([[new, new_of - new], [old, old_of - old]], alternative=way)[1]
    assert fisher((old, old_of), (new, new_of)) == pytest.approx(min(1.0, 2 * exact), rel=1e-6, abs=1e-12)


@given(probabilities)
def test_nothing_is_stabler_than_the_same(values: list[float]) -> None:
    assert psi(values, values) == pytest.approx(0, abs=1e-9)
    assert smirnov(values, values) == 1.0


def test_a_major_shift_is_one() -> None:
    chance = np.random.default_rng(1)
    assert psi(chance.beta(2, 4, 1000).tolist(), chance.beta(2, 4, 300).tolist()) < 0.1
    assert psi(chance.beta(2, 4, 1000).tolist(), chance.beta(4, 4, 300).tolist()) > 0.25


@pytest.mark.parametrize("change", CHANGES)
def test_each_kind_of_change_is_found(change: str) -> None:
    after = [found_after(CHANGES[change], seed, every=50) for seed in range(size(1, 20))]
    print(f"{change}: {after}")
    assert None not in after


def test_a_month_like_any_other_is_none() -> None:
    alarms, looks = false_alarms(500, size(7, 360), seed=7)
    print(f"{alarms} alarms of {looks} looks")
    assert alarms == 0


def test_of_few_studies_nothing_is_said() -> None:
    chance = random.Random(3)
    few = [stable(chance, number, 50) for number in range(200)]
    found = looked([*few, *(judged(0.99, "CT-ER", number, 50) for number in range(200, 200 + FLOOD - 1))])
    assert (found.psi, found.findings, found.flood) == (None, (), None)


def test_all_flagged_is_said_from_the_first_day_and_no_more_once_it_is_over() -> None:
    flood = [judged(0.99, "CT-ER", number, 50) for number in range(FLOOD)]
    assert looked(flood).flood is None, "these are what the network began with"
    chance = random.Random(3)
    usual = [stable(chance, number, 50) for number in range(1000)]
    assert looked([*usual, *flood]).flood == f"{FLOOD} of the last {FLOOD} assessed studies are flagged"
    assert looked([*usual, *flood, *(stable(chance, number, 50) for number in range(20))]).flood is None


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=30, unique=True))
def test_where_all_are_flagged_the_list_is_in_order_of_arrival(minutes: list[int]) -> None:
    studies = []
    for place, minute in enumerate(minutes):
        at = make.NOW + timedelta(minutes=minute)
        head_start = make.POLICY.of(Level.FLAGGED)
        one = replace(make.study(f"1.{place}", at), network_level=Level.FLAGGED, probability=1.0, model="net@1")
        studies.append(replace(one, head_start=head_start, key=at - head_start))
    assert [one.arrived_at for one in sorted(studies, key=order)] == sorted(one.arrived_at for one in studies)
