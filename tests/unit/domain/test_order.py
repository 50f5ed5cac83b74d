"""The theorem of the reading order, on more than 100,000 random studies; and that the checks catch sabotaged rules."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.size import size
from tests.unit.domain import make
from tests.unit.domain.make import FACTS, NOW, POLICY
from tests.unit.domain.properties import (
    MINUTE,
    RESTING,
    Rules,
    arrival,
    check_everything,
    check_fail_safe,
    check_late_image,
    check_read_down,
    check_total,
    check_upward,
    simulate,
)
from tests.unit.domain.sabotage import SABOTAGED
from triage.domain.level import HeadStarts, Level, reading_key
from triage.domain.study import Study, begin, placed, with_outcome, without_model
from triage.domain.worklist import order, ranked

RULES = Rules()
RUNS, SIZE = size(25, 130), 320
"""Each run takes 3 x SIZE studies through the checks."""

crowds = st.lists(make.studies(), max_size=12, unique_by=lambda study: study.study_instance_uid)


def crowd(seed: int, size: int, policy: HeadStarts) -> list[Study]:
    """Studies of every level that arrived within two days of each other."""
    generator = random.Random(seed)
    studies = []
    for number in range(size):
        one = begin(f"1.{number}", FACTS, NOW + generator.randrange(2880) * MINUTE, policy)
        level = generator.choice(list(Level))
        if level is Level.FLAGGED:
            one = with_outcome(one, make.scored(one.study_instance_uid, 0.9), policy)
        elif level is Level.NOT_FLAGGED:
            one = with_outcome(one, make.scored(one.study_instance_uid, 0.1), policy)
        elif level in (Level.NOT_ASSESSED, Level.OUT_OF_SCOPE):
            one = with_outcome(one, make.excused(one.study_instance_uid, out_of_scope=level is Level.OUT_OF_SCOPE), policy)
        studies.append(placed(replace(one, stat=level is Level.STAT), policy))
    return studies


def test_every_property_on_more_than_100000_studies(record_property: Callable[[str, object], None]) -> None:
    studies = check_seeds(RULES, RUNS)
    record_property("studies", studies)
    print(f"{studies} studies checked")
    assert studies > size(18_000, 100_000)


def check_seeds(rules: Rules, seeds: int = 10) -> int:
    return sum(check_everything(rules, seed, SIZE) for seed in range(seeds))


@pytest.mark.parametrize("name", SABOTAGED)
def test_sabotaged_rules_are_caught(name: str) -> None:
    with pytest.raises(AssertionError, match=r"^(BOUND|NEVER LATER|FAIL-SAFE|ONLY UPWARD|TOTAL)"):
        check_seeds(SABOTAGED[name])


@pytest.mark.parametrize(
    ("name", "property_"),
    [
        ("strict_priority", "BOUND"),
        ("by_probability", "BOUND"),
        ("head_start_in_minutes", "BOUND"),
        ("image_clears_the_flag", "ONLY UPWARD"),
        ("last_outcome_counts", "ONLY UPWARD"),
    ],
)
def test_the_property_that_a_sabotage_breaks_is_the_one_that_catches_it(name: str, property_: str) -> None:
    with pytest.raises(AssertionError, match=f"^{property_}"):
        check_seeds(SABOTAGED[name])


@settings(max_examples=60, deadline=None)
@given(policy=make.policies(), seed=st.integers(0, 10**6))
def test_the_bound_holds_under_every_policy(policy: HeadStarts, seed: int) -> None:
    simulate(RULES, seed, 60, policy)


@settings(max_examples=100, deadline=None)
@given(policy=make.policies(), seed=st.integers(0, 10**6))
def test_a_list_read_from_the_top_keeps_the_bound_at_every_place(policy: HeadStarts, seed: int) -> None:
    check_read_down(RULES, crowd(seed, 25, policy), policy)


@settings(max_examples=size(40, 300), deadline=None)
@given(studies=crowds, generator=st.randoms(use_true_random=False))
def test_the_order_is_total_and_does_not_depend_on_the_input(studies: list[Study], generator: random.Random) -> None:
    check_total(RULES, studies, generator.sample(studies, len(studies)))
    assert len({order(study) for study in studies}) == len(studies)


@settings(max_examples=100, deadline=None)
@given(arrivals=st.lists(st.tuples(make.moments, st.booleans()), max_size=20), lead=st.integers(0, 5000))
def test_with_the_network_off_the_list_is_in_order_of_arrival(arrivals: list[tuple[datetime, bool]], lead: int) -> None:
    policy = HeadStarts(pending=lead * MINUTE, not_assessed=lead * MINUTE)
    studies = [begin(f"1.{number}", FACTS, at, policy) for number, (at, _) in enumerate(arrivals)]
    studies = [without_model(one, policy) if late else one for one, (_, late) in zip(studies, arrivals, strict=True)]
    check_fail_safe(RULES, studies)


@settings(max_examples=150, deadline=None)
@given(study=make.studies(), policy=make.policies(), data=st.data())
def test_lateness_only_raises(study: Study, policy: HeadStarts, data: st.DataObject) -> None:
    before = placed(study, policy)
    check_late_image(RULES, before, policy)
    outcome = data.draw(make.outcomes(uid=before.study_instance_uid))
    check_upward(RULES, before, with_outcome(before, outcome, policy))


def starts(studies: list[Study], minutes: dict[str, int], key: object) -> list[tuple[Study, datetime]]:
    """Who is read when, by one reader who takes the smallest key among those that have arrived."""
    coming, waiting, now, read = deque(sorted(studies, key=arrival)), [], NOW, []
    while coming or waiting:
        if not waiting:
            now = max(now, coming[0].arrived_at)
        while coming and coming[0].arrived_at <= now:
            waiting.append(coming.popleft())
        taken = min(waiting, key=key)  # type: ignore[type-var, arg-type]
        waiting.remove(taken)
        read.append((taken, now))
        now += minutes[taken.study_instance_uid] * MINUTE
    return read


@settings(max_examples=100, deadline=None)
@given(policy=make.policies(), seed=st.integers(0, 10**6))
def test_the_extra_wait_is_at_most_the_reading_of_those_who_overtook(policy: HeadStarts, seed: int) -> None:
    studies = crowd(seed, 40, policy)
    generator = random.Random(seed)
    minutes = {study.study_instance_uid: generator.randrange(1, 200) for study in studies}
    first_come = {study.study_instance_uid: start for study, start in starts(studies, minutes, arrival)}
    read: list[Study] = []
    for study, start in starts(studies, minutes, order):
        overtakers = [one for one in read if arrival(one) > arrival(study)]
        extra = sum(minutes[one.study_instance_uid] for one in overtakers) * MINUTE
        assert start <= first_come[study.study_instance_uid] + extra
        read.append(study)


@given(at=make.moments, lead=st.timedeltas(timedelta(0), timedelta(days=60)))
def test_the_key_is_arrival_minus_head_start(at: datetime, lead: timedelta) -> None:
    assume(at - lead > datetime.min.replace(tzinfo=at.tzinfo))
    assert reading_key(at, lead) + lead == at


@given(make.studies())
def test_every_step_leaves_key_and_level_in_agreement(study: Study) -> None:
    assert study.key == study.arrived_at - study.head_start
    assert study.level is (Level.STAT if study.stat else study.network_level)


def test_a_person_outranks_the_network() -> None:
    unflagged = with_outcome(make.study("1.1", NOW + 20 * timedelta(days=1)), make.scored("1.1", 0.1), POLICY)
    flagged = with_outcome(make.study("1.2"), make.scored("1.2", 0.99), POLICY)
    urgent = placed(replace(unflagged, stat=True), POLICY)
    assert [item.study for item in ranked([flagged, unflagged])] == [flagged, unflagged]
    assert [item.study for item in ranked([flagged, urgent])] == [urgent, flagged]


def test_overtaking_ends_exactly_at_the_difference_of_head_starts() -> None:
    waiting = with_outcome(make.study("1.1"), make.scored("1.1", 0.1), POLICY)
    lead = POLICY.flagged - POLICY.not_flagged

    def flagged(apart: timedelta) -> Study:
        return with_outcome(make.study("1.0", NOW + apart), make.scored("1.0", 0.9), POLICY)

    just_inside, exactly = flagged(lead - timedelta(microseconds=1)), flagged(lead)
    assert order(just_inside) < order(waiting) < order(exactly)


def test_resting_levels_are_the_only_ones_without_a_head_start_by_default() -> None:
    assert {level for level in Level if not POLICY.of(level)} == RESTING
