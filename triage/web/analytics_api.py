"""Analytics for scripts: the figures of the page, and the miss ledger."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query

from triage.domain.period import Period, PeriodInvalid, days
from triage.services.analytics import Analytics, analytics
from triage.services.analytics_record import analytics_record, misses_record
from triage.web.answers import Json
from triage.web.html import sees_numbers
from triage.web.site import Site


class Span(StrEnum):
    """Which period: the last day, week or 30 days up to now, or whole days from one to another."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    DAYS = "days"


Asked = Annotated[Span, Query(description="24h, 7d, 30d: up to now; days: from `from` to `to`")]
First = Annotated[str, Query(alias="from", max_length=10, description="First day, YYYY-MM-DD, local; with period=days")]
Last = Annotated[str, Query(alias="to", max_length=10, description="Last day, the whole of it; at most 92 days in all")]
LENGTHS = {Span.DAY: timedelta(hours=24), Span.WEEK: timedelta(days=7), Span.MONTH: timedelta(days=30)}


def period_of(span: Span, first: str, last: str, now: datetime) -> Period:
    """The period asked for; ``first`` and ``last`` count for :attr:`Span.DAYS` only.

    Raises:
        PeriodInvalid: no such days, or no period from them.
    """
    if span is Span.DAYS:
        return days(first, last, lambda day: _local_midnight(day).astimezone(now.tzinfo))
    return Period(since=now - LENGTHS[span], until=now)


def local_offset(moment: datetime) -> timedelta:
    """How far this server's clock is ahead of UTC at a moment."""
    return moment.astimezone().utcoffset() or timedelta(0)


def router(site: Site) -> APIRouter:
    """``/api/v1/analytics`` and its ledger."""
    routes = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])
    refusal: dict[int | str, dict[str, Any]] = {422: {"description": "No such period"}}

    def answer(span: Span, start: str, end: str, record: Callable[..., dict[str, Any]]) -> Json:
        now = site.clock()
        try:
            found: Analytics = analytics(site.database, period_of(span, start, end, now), now, local_offset)
        except PeriodInvalid as error:
            return Json({"detail": str(error)}, status_code=422)
        return Json(record(found, numbers=sees_numbers()))

    @routes.get("", summary="Waiting, volume, flag rate, agreement of a period", responses=refusal)
    def figures(period: Asked = Span.WEEK, start: First = "", end: Last = "") -> Json:
        """Waiting and agreement are of studies read in the period, volume and flag rate of those that arrived in it."""
        return answer(period, start, end, analytics_record)

    @routes.get("/misses", summary="The miss ledger: studies not flagged where the reader disagreed", responses=refusal)
    def ledger(period: Asked = Span.WEEK, start: First = "", end: Last = "") -> Json:
        """Each with its wait and what it would have been, had the same moments of reading gone by arrival."""
        return answer(period, start, end, misses_record)

    return routes


def _local_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day).astimezone()
