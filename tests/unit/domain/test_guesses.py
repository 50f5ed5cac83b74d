"""Failures at the door: counted, forgiven with time where many share an address, and never lost to a success beside them."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.make import NOW
from triage.domain.account import PER_ACCOUNT, PER_ADDRESS, Guesses, Throttle

SECOND, NONE = timedelta(seconds=1), timedelta(0)
THROTTLES = st.sampled_from([PER_ACCOUNT, PER_ADDRESS])
GAPS = st.lists(st.integers(0, 4000), max_size=200)


def after(throttle: Throttle, *seconds: float) -> Guesses:
    found = Guesses()
    for one in seconds:
        found = found.failed(NOW + one * SECOND, throttle)
    return found


def test_without_a_wait_nothing_is_noted_that_a_clock_set_back_could_make_one() -> None:
    found = after(PER_ADDRESS, 0)
    assert found.until is None
    assert found.waits(NOW - timedelta(days=1), PER_ADDRESS) == NONE


@given(st.lists(st.floats(30, 500), min_size=1, max_size=300))
def test_a_hospital_that_mistypes_once_in_thirty_seconds_never_waits(gaps: list[float]) -> None:
    found, at = Guesses(), 0.0
    for gap in gaps:
        at += gap
        assert found.waits(NOW + at * SECOND, PER_ADDRESS) == NONE
        found = found.failed(NOW + at * SECOND, PER_ADDRESS)
        assert found.failures <= 2


def test_what_is_left_of_the_thirty_seconds_is_not_lost() -> None:
    assert after(PER_ADDRESS, *range(0, 2000, 20)).failures == 100 - 1980 // 30


@given(GAPS, THROTTLES)
def test_the_count_is_never_negative_and_never_more_than_the_failures(gaps: list[int], throttle: Throttle) -> None:
    found, at = Guesses(), 0
    for number, gap in enumerate(gaps, 1):
        at += gap
        found = found.failed(NOW + at * SECOND, throttle)
        assert 1 <= found.failures <= number
        assert (found.until is None) is (throttle.wait_after(found.failures) == NONE)


@given(GAPS, THROTTLES)
def test_a_success_takes_back_its_own_failure_and_no_other(gaps: list[int], throttle: Throttle) -> None:
    before = after(throttle, *gaps)
    now = NOW + max(gaps, default=0) * SECOND
    with_own = before.failed(now, throttle)
    counted = with_own.failures
    back = with_own.succeeded(now, throttle)
    assert back.failures == counted - 1
    assert back.waits(now, throttle) <= with_own.waits(now, throttle)
    assert (back.until is None) is (throttle.wait_after(back.failures) == NONE)


def test_an_account_forgives_nothing_by_itself() -> None:
    assert after(PER_ACCOUNT, *(number * 3600 for number in range(50))).failures == 50
