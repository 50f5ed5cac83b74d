"""What the analytics page shows, every value a short text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from triage.domain.analytics import (
    ASSESSED,
    SCORE_BINS,
    Agreement,
    Compared,
    Miss,
    agreement,
    changes_of_model,
    compared,
    rate,
    rates_by_day,
    rates_by_model,
    waiting_by_level,
)
from triage.domain.level import Level
from triage.domain.share import Share
from triage.domain.waiting import Waits
from triage.domain.worklist import span
from triage.services.analytics import Analytics
from triage.web import plots
from triage.web.rows import word
from triage.web.text import plain

_MINUTE = timedelta(minutes=1)
OPEN_MISSES, SHOWN_MISSES = 25, 500
"""Lines of the ledger that are seen at once, and with the rest unfolded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """A level's line of the table, or (``part``) that of its studies which a reader found abnormal."""

    kind: str
    word: str
    part: bool
    n: int
    median: str
    p95: str
    arrival_median: str
    arrival_p95: str
    difference: str
    still: int
    oldest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissRow:
    """A line of the ledger."""

    uid: str
    arrived: str
    read: str
    wait: str
    by_arrival: str
    difference: str
    reader: str
    probability: str
    model: str
    stat: bool
    again: bool


def view(found: Analytics, *, numbers: bool) -> dict[str, Any]:
    """Everything below the choice of the period; ``numbers``: whether the one who looks may see probabilities."""
    levels = waiting_by_level(found.readings, found.moments)
    judged = agreement(found.readings)
    by_day, overall, changes = rates_by_day(found.days), rate(found.days), changes_of_model(found.days)
    return {
        "read": sum(one.first for one in found.readings),
        "again": sum(not one.first for one in found.readings),
        "left_lying": found.left_lying,
        "still": sum(one.n for one in found.still_waiting),
        "rows": _waiting(found, levels),
        "turn_to_come": sum(one.by_arrival.still for one in levels.values()),
        "waiting_plot": plots.waiting(levels) if levels else None,
        "lead": _lead(found, levels),
        "misses": [_miss(one) for one in found.misses[:SHOWN_MISSES]],
        "misses_lead": _half(compared([one.reading for one in found.misses], found.moments)).capitalize(),
        "open_misses": OPEN_MISSES,
        "miss_count": len(found.misses),
        "agreement": [(level.value, word(level), one) for level, one in judged.items()],
        "agreement_plot": plots.agreement(judged) if found.readings else None,
        "ppv": share_words(judged[Level.FLAGGED].agreed),
        "false_omission": share_words(judged[Level.NOT_FLAGGED].disagreed),
        "judged": sum(_given(one) for one in judged.values()),
        **_arrivals(found),
        "rate": share_words(overall),
        "rate_plot": plots.flag_rate(by_day, overall, changes) if by_day else None,
        "rate_days": [(f"{day:%a %d %b %Y}", share_words(one), plain(changes.get(day))) for day, one in by_day.items()],
        "rate_models": [(plain(model) or "unknown", share_words(one)) for model, one in rates_by_model(found.days).items()],
        **(_scores(found) if numbers else {"scores_plot": None, "bins": []}),
    }


def share_words(share: Share) -> str:
    """``12.1 % (8.8–16.4 %; 34 of 281)``; of nothing: a dash."""
    if share.value is None or share.interval is None:
        return "–"
    low, high = share.interval
    return f"{100 * share.value:.1f} % ({100 * low:.1f}–{100 * high:.1f} %; {share.hits} of {share.n})"


def difference_words(difference: timedelta | None) -> str:
    """``20 min longer``, ``37 min shorter``; unknown: a dash."""
    if difference is None:
        return "–"
    if abs(difference) < _MINUTE:
        return "the same"
    return f"{span(abs(difference))} {'longer' if difference > timedelta(0) else 'shorter'}"


def _whole(duration: timedelta) -> timedelta:
    """In whole minutes, as the line shows both waits: what stands beside them has to be their difference."""
    return duration // _MINUTE * _MINUTE


def _wait(duration: timedelta | None, waits: Waits) -> str:
    return span(duration) if duration is not None else "still waiting" if waits.n else "–"


def _waiting(found: Analytics, levels: dict[Level, Compared]) -> list[WaitingRow]:
    now = {one.level: one for one in found.still_waiting}
    abnormal = [one for one in found.readings if one.first and not one.stat and one.found_abnormal]
    rows = []
    for level in Level:
        if level in levels or level in now:
            still = now.get(level)
            oldest = span(found.now - still.oldest) if still else "–"
            rows.append(_row(level, levels.get(level), still.n if still else 0, oldest))
        if level in ASSESSED and (part := [one for one in abnormal if one.network_level is level]):
            rows.append(_row(level, compared(part, found.moments), part=True))
    return rows


def _row(level: Level, one: Compared | None, still: int = 0, oldest: str = "", *, part: bool = False) -> WaitingRow:
    one = one or compared([], {})
    return WaitingRow(
        kind=level.value,
        word="of these, found abnormal" if part else word(level),
        part=part,
        n=one.actual.n,
        median=_wait(one.actual.median, one.actual),
        p95=_wait(one.actual.p95, one.actual),
        arrival_median=_wait(one.by_arrival.median, one.by_arrival),
        arrival_p95=_wait(one.by_arrival.p95, one.by_arrival),
        difference=difference_words(one.difference),
        still=still,
        oldest=oldest,
    )


def _lead(found: Analytics, levels: dict[Level, Compared]) -> list[str]:
    """What the order did, in one sentence a level; only where there is something to say."""
    sentences = []
    for level in ASSESSED:
        if level in levels:
            sentences.append(f"{word(level)}: {_half(levels[level])}")
    return sentences


def _half(one: Compared) -> str:
    actual, other = _wait(one.actual.median, one.actual), _wait(one.by_arrival.median, one.by_arrival)
    return f"half were read within {actual}; in order of arrival {other}."


def _miss(miss: Miss) -> MissRow:
    reading = miss.reading
    return MissRow(
        uid=reading.study_instance_uid,
        arrived=f"{reading.arrived_at.astimezone():%d %b %Y %H:%M}",
        read=f"{reading.read_at.astimezone():%d %b %H:%M}",
        wait=span(reading.wait),
        by_arrival="still waiting" if miss.by_arrival is None else span(miss.by_arrival),
        difference=difference_words(_whole(reading.wait) - _whole(miss.by_arrival) if miss.by_arrival is not None else None),
        reader=plain(reading.reader) or "unknown",
        probability="–" if reading.probability is None else f"{reading.probability:.2f}",
        model=plain(reading.model) or "unknown",
        stat=reading.stat,
        again=reading.again,
    )


def _arrivals(found: Analytics) -> dict[str, Any]:
    counts = Counter({(one.hour, one.level): one.n for one in found.hours})
    levels = [level for level in Level if any(one.level is level for one in found.hours)]
    length = max(1.0, (min(found.period.until, found.now) - found.period.since) / timedelta(days=1))
    return {
        "arrived": sum(one.n for one in found.hours),
        "zone": f"{found.period.until.astimezone():%Z}",
        "hour_levels": [word(level) for level in levels],
        "hours": [(f"{hour:02d}–{hour + 1:02d} h", [counts[hour, level] for level in levels]) for hour in range(24)],
        "volume_plot": plots.volume(found.hours, length) if found.hours else None,
    }


def _scores(found: Analytics) -> dict[str, Any]:
    counts = Counter({(one.bin, one.level): one.n for one in found.scores})
    bins: Sequence[tuple[str, list[int]]] = [
        (f"{place / SCORE_BINS:.2f}–{(place + 1) / SCORE_BINS:.2f}", [counts[place, level] for level in ASSESSED])
        for place in range(SCORE_BINS)
    ]
    return {"scores_plot": plots.scores(found.scores) if found.scores else None, "bins": bins}


def _given(one: Agreement) -> int:
    return one.agree + one.disagree
