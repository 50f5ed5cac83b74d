"""The theorem of the reading order as checks over a :class:`Rules`, so that sabotaged rules can be put to the same test.

Each check raises ``AssertionError`` whose message begins with the property's name.
"""

import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.unit.domain import make
from tests.unit.domain.make import FACTS, NOW
from triage.domain import study as steps
from triage.domain import worklist
from triage.domain.assessment import Outcome
from triage.domain.level import HeadStarts, Level
from triage.domain.reason import Reason
from triage.domain.study import Study, begin

RESTING = frozenset({Level.NOT_FLAGGED, Level.OUT_OF_SCOPE})
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Rules:
    """What is under test: the sort key, and the two steps that change a study's place."""

    order: Callable[[Study], Any] = worklist.order
    with_image: Callable[[Study, HeadStarts], Study] = steps.with_image
    with_outcome: Callable[[Study, Outcome, HeadStarts], Study] = steps.with_outcome


def arrival(study: Study) -> tuple[datetime, str]:
    """First come, first served."""
    return (study.arrived_at, study.study_instance_uid)


def check_taken(taken: Study, waiting: Iterable[Study], policy: HeadStarts) -> None:
    """BOUND and NEVER LATER at the moment when a reader takes a study."""
    for passed in waiting:
        if arrival(passed) > arrival(taken):
            continue
        lead = policy.of(taken.level) - policy.of(passed.level)
        apart = taken.arrived_at - passed.arrived_at
        assert taken.level not in RESTING or passed.level in RESTING, "NEVER LATER: an unflagged study came before its turn"
        assert timedelta(0) <= apart < lead, f"BOUND: overtaken by {apart}, head starts differ by {lead}"


def check_read_down(rules: Rules, studies: Sequence[Study], policy: HeadStarts) -> None:
    """BOUND and NEVER LATER at every place of a list that nothing joins."""
    listed = sorted(studies, key=rules.order)
    for place, taken in enumerate(listed, start=1):
        check_taken(taken, listed[place:], policy)


def check_fail_safe(rules: Rules, studies: Sequence[Study]) -> None:
    """With the network off the list is in order of arrival."""
    assert all(study.level in (Level.PENDING, Level.NOT_ASSESSED) for study in studies)
    listed = sorted(studies, key=rules.order)
    assert listed == sorted(studies, key=arrival), "FAIL-SAFE: not in order of arrival"


def check_total(rules: Rules, studies: Sequence[Study], shuffled: Sequence[Study]) -> None:
    """The list does not depend on the order in which the studies come; equal keys go by arrival, then UID."""
    listed = sorted(studies, key=rules.order)
    assert sorted(shuffled, key=rules.order) == listed, "TOTAL: the order depends on the order of input"
    for first, second in pairwise(listed):
        if first.key == second.key:
            assert arrival(first) <= arrival(second), "TOTAL: a tie does not go by arrival, then UID"


def check_upward(rules: Rules, before: Study, after: Study) -> None:
    """A late image or outcome never lowers a flagged study, and an unflagged one becomes pending, not silently something."""
    if before.network_level is Level.FLAGGED:
        assert after.network_level is Level.FLAGGED, "ONLY UPWARD: a flagged study lost its flag"
        assert after.probability is not None, "ONLY UPWARD: a flagged study lost its score"
        assert after.probability >= (before.probability or 0.0), "ONLY UPWARD: a flagged study's score fell"
        assert rules.order(after) <= rules.order(before), "ONLY UPWARD: a flagged study fell"


def check_late_image(rules: Rules, before: Study, policy: HeadStarts) -> Study:
    """ONLY UPWARD for a further image."""
    after = rules.with_image(before, policy)
    check_upward(rules, before, after)
    assert after.network_level in (Level.FLAGGED, Level.PENDING), "ONLY UPWARD: a late image left an outcome standing"
    assert after.arrived_at == before.arrived_at, "ONLY UPWARD: a late image moved the arrival"
    assert rules.order(after) <= rules.order(before), "ONLY UPWARD: a late image lowered a study"
    return after


def random_outcome(generator: random.Random, uid: str, images: int) -> Outcome:
    chance = generator.random()
    if chance < 0.12:
        return make.excused(uid, generator.choice(list(Reason)))
    if chance < 0.16:
        return make.excused(uid, Reason.NOT_A_CHEST_FILM, out_of_scope=True)
    return make.scored(uid, *(round(generator.random() ** 1.5, 2) for _ in range(images)))


def simulate(rules: Rules, seed: int, size: int, policy: HeadStarts = make.POLICY) -> int:
    """One list, one free reader who takes the study of the smallest key; every take and every late change is checked.

    Arrivals come in rushes, the reader may fall days behind; outcomes come minutes or hours later, or never; some studies
    get a further image, some of those after they were read. Returns the number of studies taken.
    """
    generator = random.Random(seed)
    pace, lag, slow = generator.choice([(6, 3, 1), (5, 90, 1), (5.2, 600, 1), (6, 30, 8)])
    events: list[tuple[datetime, int, str, str]] = []

    def at(now: datetime, what: str, uid: str) -> None:
        heapq.heappush(events, (now, generator.randrange(1 << 30), what, uid))

    moment = NOW
    for number in range(size):
        moment += generator.choice([0, 0, 1, 2, 3, 4]) * pace / 2 * MINUTE
        at(moment, "arrives", f"1.{generator.randrange(10**6)}.{number}")
    waiting: dict[str, Study] = {}
    gone: dict[str, Study] = {}
    free_at, taken_count = NOW, 0
    while events or waiting:
        if waiting and (not events or free_at < events[0][0]):
            taken = min(waiting.values(), key=rules.order)
            del waiting[taken.study_instance_uid]
            check_taken(taken, waiting.values(), policy)
            gone[taken.study_instance_uid] = taken
            taken_count += 1
            free_at += generator.choice([1, 3, 5, 5, 11]) * slow * MINUTE
            continue
        now, _, what, uid = heapq.heappop(events)
        free_at = max(free_at, now)
        if what == "arrives":
            waiting[uid] = begin(uid, FACTS, now, policy)
            if generator.random() < 0.9:
                at(now + generator.randrange(lag) * MINUTE, "outcome", uid)
            if generator.random() < 0.15:
                at(now + generator.randrange(300) * MINUTE, "image", uid)
        elif what == "image":
            waiting[uid] = check_late_image(rules, waiting.pop(uid, None) or gone.pop(uid), policy)
            at(now + generator.randrange(lag) * MINUTE, "outcome", uid)
        else:
            where = waiting if uid in waiting else gone
            outcome = random_outcome(generator, uid, where[uid].images)
            after = rules.with_outcome(where[uid], outcome, policy)
            check_upward(rules, where[uid], after)
            where[uid] = after
    return taken_count


def check_everything(rules: Rules, seed: int, size: int) -> int:
    """All properties on one seed; returns how many studies took part."""
    taken = simulate(rules, seed, size)
    generator = random.Random(-seed - 1)
    network_off, mixed = [], []
    for number in range(size):
        # every four hours: many arrive at the same moment, and many exactly a head start apart
        uid, arrived_at = f"1.{generator.randrange(10**6)}.{number}", NOW + generator.randrange(24) * timedelta(hours=4)
        one = begin(uid, FACTS, arrived_at, make.POLICY)
        network_off.append(steps.without_model(one, make.POLICY) if generator.random() < 0.5 else one)
        mixed.append(steps.with_outcome(one, random_outcome(generator, uid, 1), make.POLICY))
    check_fail_safe(rules, network_off)
    check_total(rules, mixed, generator.sample(mixed, size))
    check_read_down(rules, mixed[: size // 5], make.POLICY)
    return taken + 2 * size
