"""Modalities that fall silent: found within hours, and those that are quiet by habit are left in peace."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.size import size
from triage.domain.silence import AT_LEAST, GONE_AFTER, HOUR, WEEK, ReceivedHour, hour_of, silent

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
KINDS: dict[str, Callable[[datetime], float]] = {
    "emergency room": lambda at: 6.0 if 8 <= at.hour < 22 else 2.0,
    "outpatients": lambda at: 12.0 if at.weekday() < 5 and 8 <= at.hour < 17 else 0.0,
    "mobile": lambda at: 1.0 if 6 <= at.hour < 20 else 0.3,
    "hardly used": lambda at: 0.2 if at.weekday() < 5 and 9 <= at.hour < 15 else 0.0,
}
"""Studies an hour; each is one to three films."""
WEEKS = size(10, 52)


def year(rate: Callable[[datetime], float], seed: int, weeks: int = WEEKS) -> list[datetime]:
    """When films came, a bank holiday every eighth Monday among the weeks."""
    chance = np.random.default_rng(seed)
    films = []
    for number in range(weeks * 168):
        at = MONDAY + number * HOUR
        holiday = number % (8 * 168) < 24
        for _ in range(chance.poisson(rate(at) * (0.3 if holiday else 1.0))):
            films += [at + timedelta(seconds=float(chance.uniform(0, 3600)))] * int(chance.integers(1, 4))
    return sorted(films)


def hours(films: list[datetime]) -> list[ReceivedHour]:
    counted = Counter(map(hour_of, films))
    return [ReceivedHour(calling_ae_title="CT2", hour=hour, films=n) for hour, n in counted.items()]


def alarm(films: list[datetime], now: datetime) -> bool:
    before = [one for one in films if one < now]
    return bool(before) and bool(silent(hours(before), {"CT2": before[-1]}, now))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_quiet_by_habit_is_left_in_peace_and_what_falls_silent_is_found(kind: str) -> None:
    films = year(KINDS[kind], seed=1)
    counted, false, at, place = hours(films), 0, MONDAY + 5 * WEEK, 0
    standing = False
    while at < MONDAY + WEEKS * WEEK:
        while place < len(films) and films[place] < at:
            place += 1
        last = films[place - 1]
        known = [one for one in counted if at - 10 * WEEK <= one.hour < hour_of(at)]
        found = bool(silent(known, {"CT2": last}, at))
        false += found and not standing
        standing = found
        at += size(6, 1) * HOUR
    switched_off = MONDAY + 8 * WEEK + timedelta(days=1, hours=10)
    before = [one for one in films if one < switched_off]
    after = next((n for n in range(1, 24 * 20) if alarm(before, switched_off + n * HOUR)), None)
    told = f"{after} h" if after else "not within 20 days"
    print(f"{kind}: {false} false alarms in {WEEKS - 5} weeks; switched off on a Tuesday at 10: found after {told}")
    assert false <= 1
    assert (after is not None and after <= 40) or kind == "hardly used"


def test_a_new_sender_and_one_that_was_taken_away_are_not_spoken_of() -> None:
    films = year(KINDS["emergency room"], seed=2, weeks=8)
    young = [one for one in films if one >= MONDAY + 6 * WEEK]
    assert not alarm(young, young[-1] + timedelta(days=2))
    assert young[-1] - young[0] < AT_LEAST * WEEK
    assert alarm(films, films[-1] + timedelta(days=2))
    assert not alarm(films, films[-1] + GONE_AFTER + HOUR)


def test_the_words_say_who_since_when_and_what_is_usual() -> None:
    films = year(KINDS["emergency room"], seed=3, weeks=8)
    (one,) = silent(hours(films), {"CT2": films[-1]}, films[-1] + timedelta(days=1))
    print(one.words)
    assert one.words.startswith("CT2 has sent nothing since ")
    assert one.expected > 100
