"""Analytics as the API gives it: durations in seconds, times with their zone, a share always with its interval and count."""

from datetime import timedelta
from typing import Any

from triage.domain.analytics import (
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
from triage.services.analytics import Analytics


def analytics_record(found: Analytics, *, numbers: bool) -> dict[str, Any]:
    """All of it but the ledger's lines; ``numbers``: whether the one who asks may see probabilities."""
    levels = waiting_by_level(found.readings, found.moments)
    abnormal = [one for one in found.readings if one.first and not one.stat and one.found_abnormal]
    return {
        **_period(found),
        "read": sum(one.first for one in found.readings),
        "read_again": sum(not one.first for one in found.readings),
        "waiting": {level.value: _compared(one) for level, one in levels.items()},
        "waiting_found_abnormal": {
            level.value: _compared(compared([one for one in abnormal if one.network_level is level], found.moments))
            for level in (Level.FLAGGED, Level.NOT_FLAGGED)
        },
        "still_waiting": {one.level.value: {"n": one.n, "oldest": one.oldest.isoformat()} for one in found.still_waiting},
        "left_lying": found.left_lying,
        "arrivals_by_hour": [{"hour": one.hour, "level": one.level.value, "n": one.n} for one in found.hours],
        "flag_rate": _share(rate(found.days)),
        "flag_rate_by_day": [{"day": day.isoformat(), **_share(one)} for day, one in rates_by_day(found.days).items()],
        "flag_rate_by_model": [{"model": model, **_share(one)} for model, one in rates_by_model(found.days).items()],
        "model_changes": [{"day": day.isoformat(), "model": model} for day, model in changes_of_model(found.days).items()],
        "agreement": {level.value: _agreement(one) for level, one in agreement(found.readings).items()},
        "scores": [{"bin": one.bin, "level": one.level.value, "n": one.n} for one in found.scores] if numbers else None,
        "misses": len(found.misses),
    }


def misses_record(found: Analytics, *, numbers: bool) -> dict[str, Any]:
    """The ledger, the last read first."""
    return {**_period(found), "misses": [_miss(one, numbers) for one in found.misses]}


def _period(found: Analytics) -> dict[str, str]:
    return {"since": found.period.since.astimezone().isoformat(), "until": found.period.until.astimezone().isoformat()}


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "actual": _waits(one.actual),
        "by_arrival": _waits(one.by_arrival),
        "mean_difference_seconds": _seconds(one.difference),
    }


def _waits(one: Waits) -> dict[str, Any]:
    return {
        "n": one.n,
        "still_waiting": one.still,
        "median_seconds": _seconds(one.median),
        "p95_seconds": _seconds(one.p95),
    }


def _agreement(one: Agreement) -> dict[str, Any]:
    return {
        "agree": one.agree,
        "disagree": one.disagree,
        "not_assessable": one.not_assessable,
        "no_verdict": one.no_verdict,
        "agreed": _share(one.agreed),
        "disagreed": _share(one.disagreed),
    }


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    return {"share": share.value, "low": low, "high": high, "hits": share.hits, "n": share.n}


def _miss(miss: Miss, numbers: bool) -> dict[str, Any]:
    reading = miss.reading
    return {
        "study_instance_uid": reading.study_instance_uid,
        "arrived_at": reading.arrived_at.isoformat(),
        "read_at": reading.read_at.isoformat(),
        "reader": reading.reader,
        "stat": reading.stat,
        "model": reading.model,
        "probability": reading.probability if numbers else None,
        "waited_seconds": _seconds(reading.wait),
        "by_arrival_seconds": _seconds(miss.by_arrival),
        "difference_seconds": _seconds(miss.difference),
        "read_again": reading.again,
    }


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds())
