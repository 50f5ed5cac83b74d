"""``make benchmark ARGS=drift``: after how many studies a change is noticed, and how often chance is taken for one.

Simulated: scores of two beta distributions (abnormal, the rest), five senders of unequal size. No film is looked at.
"""

import random
import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from triage.domain.drift import REFERENCE, Drift, Judged, drift
from triage.domain.level import Level
from triage.services.drift import NEWEST

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SENDERS = {"CT-ER": 0.4, "DX-WARD": 0.25, "DX-OUT": 0.2, "MOBILE": 0.1, "CLINIC": 0.05}
PREVALENCE, THRESHOLD, UNASSESSED = 0.25, 0.3, 0.02
MONTH = 30
Change = Callable[[random.Random, Judged, int], Judged]
"""What becomes of a study that is the so many-th after the change began."""


def score(chance: random.Random, prevalence: float = PREVALENCE) -> float:
    """The probability that a study of this hospital gets."""
    return chance.betavariate(4, 2.5) if chance.random() < prevalence else chance.betavariate(1.6, 6)


def judged(probability: float | None, sender: str, number: int, a_day: float) -> Judged:
    """A study as the database has it."""
    level = Level.NOT_ASSESSED if probability is None else Level.FLAGGED if probability >= THRESHOLD else Level.NOT_FLAGGED
    return Judged(BEGAN + timedelta(days=number / a_day), level, probability, "net@1", sender)


def stable(chance: random.Random, number: int, a_day: float) -> Judged:
    """A study of a day like any other."""
    sender = chance.choices(list(SENDERS), list(SENDERS.values()))[0]
    return judged(None if chance.random() < UNASSESSED else score(chance), sender, number, a_day)


def _rescored(one: Judged, probability: float | None) -> Judged:
    return judged(probability, one.sender, 0, 1)._replace(arrived_at=one.arrived_at)


def _prevalence(chance: random.Random, one: Judged, since: int) -> Judged:
    return one if one.probability is None else _rescored(one, score(chance, 0.5))


def _calibration(chance: random.Random, one: Judged, since: int) -> Judged:
    return one if one.probability is None else _rescored(one, one.probability**0.5)


def _sender_high(chance: random.Random, one: Judged, since: int) -> Judged:
    return _rescored(one, chance.betavariate(5, 2)) if one.sender == "DX-WARD" else one


def _sender_refused(chance: random.Random, one: Judged, since: int) -> Judged:
    return _rescored(one, None) if one.sender == "DX-WARD" and chance.random() < 0.4 else one


def _creep(chance: random.Random, one: Judged, since: int) -> Judged:
    return one if one.probability is None else _rescored(one, one.probability ** (1 - 0.5 * min(1, since / 3000)))


def _all_one(chance: random.Random, one: Judged, since: int) -> Judged:
    return _rescored(one, 1.0)


CHANGES: dict[str, Change] = {
    "twice as many abnormal patients": _prevalence,
    "scores shifted upwards (square root)": _calibration,
    "one sender's scores high (inverted films)": _sender_high,
    "one sender: 40 % cannot be assessed": _sender_refused,
    "slow creep to that shift over 3,000 studies": _creep,
    "a network that says 1 to everything": _all_one,
}


def looked(studies: list[Judged]) -> Drift:
    """As the scheduler looks."""
    oldest = studies[:REFERENCE]
    return drift("net@1", oldest, studies[len(oldest) :][-NEWEST:])


def found_after(change: Change, seed: int, every: int = 10, at_most: int = 6000) -> int | None:
    """Studies after the change until it is noticed; ``None``: not at all."""
    chance = random.Random(seed)
    studies = [stable(chance, number, 500) for number in range(3000)]
    for since in range(at_most):
        studies.append(change(chance, stable(chance, len(studies), 500), since))
        if since % every == every - 1:
            found = looked(studies)
            if found.findings or found.flood:
                return since + 1
    return None


def false_alarms(a_day: int, days: int, seed: int) -> tuple[int, int]:
    """Looks that found something although nothing changed, and looks made; every hour, or after each study where fewer come."""
    chance, step, alarms, looks = random.Random(seed), max(1, a_day // 24), 0, 0
    studies = [stable(chance, number, a_day) for number in range(REFERENCE)]
    for _ in range(days * a_day // step):
        studies += [stable(chance, len(studies) + number, a_day) for number in range(step)]
        del studies[REFERENCE : -NEWEST if len(studies) > REFERENCE + NEWEST else REFERENCE]
        found = looked(studies)
        alarms += bool(found.findings or found.flood)
        looks += 1
    return alarms, looks


def main(runs: int = 20, months: int = 12) -> None:
    """The tables of docs/alarms.md."""
    print("| change | found | studies until then: median (most) |\n|---|---|---|")
    for words, change in CHANGES.items():
        found = [found_after(change, seed) for seed in range(runs)]
        told = [number for number in found if number is not None]
        often = f"{statistics.median(told):.0f} ({max(told)})" if told else "–"
        print(f"| {words} | {len(told)} of {runs} | {often} |", flush=True)
    print("\n| studies a day | simulated months | looks | false alarms |\n|---|---|---|---|")
    for a_day in (50, 500, 5000):
        alarms, looks = false_alarms(a_day, months * MONTH, a_day)
        print(f"| {a_day} | {months} | {looks} | {alarms} |", flush=True)
