"""Five studies worked out by hand; agreement; misses; the period and its clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.make import NOW
from triage.domain.analytics import (
    AssessedDay,
    JudgedReading,
    agreement,
    changes_of_model,
    compared,
    misses,
    rate,
    rates_by_day,
    rates_by_model,
    waiting_by_level,
)
from triage.domain.level import Level
from triage.domain.period import Period, PeriodInvalid, days, pieces
from triage.domain.share import Share
from triage.domain.verdict import Verdict
from triage.domain.waiting import Waited, by_arrival

MINUTE = timedelta(minutes=1)


def reading(uid: str, arrived: int, read: int, level: Level, verdict: Verdict | None, **more: object) -> JudgedReading:
    """Minutes after eight."""
    values: dict[str, object] = {
        "study_instance_uid": uid,
        "arrived_at": NOW + arrived * MINUTE,
        "stat": False,
        "reader": "dr",
        "read_at": NOW + read * MINUTE,
        "verdict": verdict,
        "network_level": level,
        "probability": 0.5,
        "model": "net@1",
        "first": True,
        "again": False,
    }
    return JudgedReading(**values | more)  # type: ignore[arg-type]


MISSED = reading("a", 0, 30, Level.NOT_FLAGGED, Verdict.DISAGREE)
QUIET = reading("b", 5, 40, Level.NOT_FLAGGED, Verdict.AGREE)
RIGHT = reading("c", 8, 10, Level.FLAGGED, Verdict.AGREE)
WRONG = reading("d", 12, 20, Level.FLAGGED, Verdict.DISAGREE)
STAT = reading("e", 14, 15, Level.NOT_FLAGGED, Verdict.DISAGREE, stat=True)
FIVE = [RIGHT, STAT, WRONG, MISSED, QUIET]
"""Read at minutes 10 (c), 15 (e, STAT), 20 (d), 30 (a), 40 (b). In order of arrival: a 10, b 20, c 30, d 40; e stays at 15."""
MOMENTS = by_arrival([Waited(one.study_instance_uid, one.arrived_at, one.read_at) for one in FIVE if not one.stat])


def test_five_studies_to_the_minute() -> None:
    table = waiting_by_level(FIVE, MOMENTS)
    assert list(table) == [Level.STAT, Level.FLAGGED, Level.NOT_FLAGGED]
    stat, flagged, resting = table.values()
    assert (stat.actual.median, stat.by_arrival.median, stat.difference) == (MINUTE, MINUTE, timedelta(0))
    assert (flagged.actual.n, flagged.actual.median, flagged.actual.p95) == (2, 2 * MINUTE, 8 * MINUTE)
    assert (flagged.by_arrival.median, flagged.by_arrival.p95) == (22 * MINUTE, 28 * MINUTE)
    assert flagged.difference == -20 * MINUTE
    assert (resting.actual.median, resting.actual.p95) == (30 * MINUTE, 35 * MINUTE)
    assert (resting.by_arrival.median, resting.by_arrival.p95) == (10 * MINUTE, 15 * MINUTE)
    assert resting.difference == 20 * MINUTE


def test_the_misses_of_the_five() -> None:
    one, other = misses(FIVE, MOMENTS)
    assert (one.reading, one.by_arrival, one.difference) == (MISSED, 10 * MINUTE, 20 * MINUTE)
    assert (other.reading, other.by_arrival, other.difference) == (STAT, MINUTE, timedelta(0))


def test_a_miss_is_listed_once_and_stays_when_read_again() -> None:
    first = MISSED._replace(again=True)
    second = reading("a", 0, 60, Level.NOT_FLAGGED, Verdict.DISAGREE, first=False)
    assert [one.reading for one in misses([second, first], MOMENTS)] == [first]
    (late,) = misses([second], MOMENTS)
    assert late.by_arrival == 60 * MINUTE, "a later reading stays where it was"


def test_only_first_readings_count_for_waiting_and_every_one_for_agreement() -> None:
    second = reading("a", 0, 900, Level.NOT_FLAGGED, Verdict.AGREE, first=False)
    assert waiting_by_level([*FIVE, second], MOMENTS)[Level.NOT_FLAGGED].actual.n == 2
    assert agreement([*FIVE, second])[Level.NOT_FLAGGED].agree == 2


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("verdict", [None, *Verdict])
def test_a_miss_is_not_flagged_and_disagreed_and_nothing_else(level: Level, verdict: Verdict | None) -> None:
    found = misses([reading("a", 0, 1, level, verdict)], {})
    assert bool(found) == (level is Level.NOT_FLAGGED and verdict is Verdict.DISAGREE)


def test_agreement_is_by_the_network_not_by_stat() -> None:
    more = [reading("f", 0, 1, Level.FLAGGED, None), reading("g", 0, 1, Level.FLAGGED, Verdict.NOT_ASSESSABLE)]
    table = agreement([*FIVE, *more, reading("h", 0, 1, Level.PENDING, Verdict.AGREE)])
    flagged, resting = table[Level.FLAGGED], table[Level.NOT_FLAGGED]
    assert (flagged.agree, flagged.disagree, flagged.not_assessable, flagged.no_verdict) == (1, 1, 1, 1)
    assert flagged.agreed == Share(1, 2)
    assert resting.disagreed == Share(2, 3)


def test_a_study_that_would_still_be_waiting_is_no_number() -> None:
    moments = by_arrival([Waited("old", NOW - MINUTE, None), Waited("a", NOW, NOW + 30 * MINUTE)])
    found = compared([MISSED], moments)
    assert (found.by_arrival.still, found.by_arrival.median, found.difference) == (1, None, None)
    assert misses([MISSED], moments)[0].difference is None


def test_a_clock_put_back_makes_no_negative_wait() -> None:
    assert reading("a", 10, 5, Level.FLAGGED, None).wait == timedelta(0)


def test_wilson() -> None:
    assert Share(81, 263).interval == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert Share(0, 20).interval == pytest.approx((0, 0.1611), abs=1e-4)
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_interval_holds_the_share(hits: int, misses: int) -> None:
    share = Share(hits, hits + misses)
    assert share.interval
    assert share.value is not None
    assert 0 <= share.interval[0] <= share.value <= share.interval[1] <= 1


def test_flag_rates_by_day_and_model() -> None:
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    table = [AssessedDay(second, "b", 2, 2), AssessedDay(first, "a", 1, 3), AssessedDay(second, "a", 0, 1)]
    assert rate(table) == Share(3, 9)
    assert rates_by_day(table) == {first: Share(1, 4), second: Share(2, 5)}
    assert list(rates_by_model(table).items()) == [("a", Share(1, 5)), ("b", Share(2, 4))]
    assert changes_of_model(table) == {second: "b"}
    assert changes_of_model([]) == {}


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-03-02", "2026-03-01"),
        ("2025-01-01", "2026-03-01"),
        ("x", ""),
        ("0001-01-01", "0001-01-02"),
        ("9999-12-31", "9999-12-31"),
        ("20260301", "2026-W10-9"),
    ],
)
def test_a_period_that_cannot_be_is_refused(first: str, last: str) -> None:
    with pytest.raises(PeriodInvalid):
        days(first, last, lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC))


def test_a_period_of_days_holds_the_last_day() -> None:
    found = days("2026-03-01", "2026-03-01", lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC))
    assert (found.since, found.until) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))


ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.integers(0, 500_000), st.integers(1, 92 * 24 * 60 - 60))
def test_the_clock_stands_still_in_each_piece(zone: str, start: int, length: int) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC) + start * MINUTE
    period = Period(since=since, until=since + length * MINUTE)

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0)

    found = pieces(period, offset)
    assert found[0].since == period.since
    assert found[-1].until == period.until
    for one, following in zip(found, [*found[1:], None], strict=True):
        assert one.since < one.until
        assert offset(one.since) == one.offset == offset(one.until - timedelta(microseconds=1))
        if following:
            assert one.until == following.since
            assert one.offset != following.offset
