"""Waiting as it was and in order of arrival: against a simulation step by step, and by its laws."""

import heapq
from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.domain.make import NOW
from triage.domain.waiting import Waited, by_arrival, waits

MINUTE = timedelta(minutes=1)


@st.composite
def lines(draw: st.DrawFn, *, all_read: bool = False) -> list[Waited]:
    """Studies, each read after it arrived or not yet."""
    steps = st.integers(0, 60)
    pairs = draw(st.lists(st.tuples(steps, steps if all_read else st.none() | steps), max_size=25))
    return [
        Waited(f"1.{place}", NOW + arrived * MINUTE, None if wait is None else NOW + (arrived + wait) * MINUTE)
        for place, (arrived, wait) in enumerate(pairs)
    ]


def simulated(line: list[Waited]) -> dict[str, object]:
    """Event by event: at each moment of reading the reader takes the oldest study that is there."""
    moments = sorted(one.read_at for one in line if one.read_at)
    coming = sorted(line, key=lambda one: (one.arrived_at, one.study_instance_uid))
    there: list[tuple[object, str]] = []
    taken: dict[str, object] = dict.fromkeys((one.study_instance_uid for one in line), None)
    for moment in moments:
        while coming and coming[0].arrived_at <= moment:
            one = coming.pop(0)
            heapq.heappush(there, (one.arrived_at, one.study_instance_uid))
        taken[heapq.heappop(there)[1]] = moment
    return taken


@given(lines())
def test_it_is_what_a_reader_who_takes_the_oldest_would_do(line: list[Waited]) -> None:
    assert by_arrival(line) == simulated(line)


@given(lines(), st.randoms())
def test_the_moments_stay_and_none_is_read_before_it_arrives(line: list[Waited], random: object) -> None:
    moments = by_arrival(line)
    assert sorted(one for one in moments.values() if one) == sorted(one.read_at for one in line if one.read_at)
    assert all(moment is None or moment >= one.arrived_at for one in line if [moment := moments[one.study_instance_uid]])
    random.shuffle(line)  # type: ignore[attr-defined]
    assert by_arrival(line) == moments


@given(lines())
def test_who_read_in_order_of_arrival_finds_nothing_changed(line: list[Waited]) -> None:
    assume(len({one.arrived_at for one in line}) == len(line))
    moments = by_arrival(line)
    real = [one._replace(read_at=moments[one.study_instance_uid]) for one in line]
    assert by_arrival(real) == {one.study_instance_uid: one.read_at for one in real}


@given(lines(all_read=True))
def test_what_one_gains_another_pays(line: list[Waited]) -> None:
    moments = by_arrival(line)
    actual = sum((one.read_at - one.arrived_at for one in line if one.read_at), timedelta(0))
    other = sum((moment - one.arrived_at for one in line if (moment := moments[one.study_instance_uid])), timedelta(0))
    assert actual == other


@given(lines(), st.integers(0, 120))
def test_what_was_read_before_the_first_arrival_can_be_left_out(line: list[Waited], minute: int) -> None:
    start = NOW + minute * MINUTE
    kept = [one for one in line if one.read_at is None or one.read_at >= start]
    whole, part = by_arrival(line), by_arrival(kept)
    for one in kept:
        if one.arrived_at >= start:
            assert part[one.study_instance_uid] == whole[one.study_instance_uid]


def test_quantiles_are_waits_that_occurred() -> None:
    found = waits(minutes * MINUTE for minutes in (9, 1, 4, 100))
    assert (found.n, found.still, found.median, found.p95) == (4, 0, 4 * MINUTE, 100 * MINUTE)
    assert waits([]).median is None
    assert waits([5 * MINUTE]).p95 == 5 * MINUTE


def test_a_study_still_waiting_counts_as_longest() -> None:
    found = waits([None, MINUTE, 2 * MINUTE])
    assert (found.n, found.still, found.median, found.p95) == (3, 1, 2 * MINUTE, None)


@given(st.lists(st.none() | st.integers(0, 99).map(lambda n: n * MINUTE), min_size=1))
def test_half_and_nineteen_of_twenty_are_at_or_below(values: list[timedelta | None]) -> None:
    found = waits(values)
    for quantile, share in ((found.median, 0.5), (found.p95, 0.95)):
        if quantile is None:
            assert sum(one is not None for one in values) < share * len(values)
        else:
            assert sum(one is not None and one <= quantile for one in values) >= share * len(values)
