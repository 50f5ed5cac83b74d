"""The analytics page: waiting, the miss ledger, agreement, volume and flag rate of a period."""

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse

from triage.domain.period import Period, PeriodInvalid
from triage.services.analytics import Analytics, analytics
from triage.web.analytics_api import LENGTHS, Span, local_offset, period_of
from triage.web.analytics_view import view
from triage.web.html import pages_of, sees_numbers
from triage.web.site import Site
from triage.web.text import full_time

CHOICES = ((Span.DAY, "24 hours"), (Span.WEEK, "7 days"), (Span.MONTH, "30 days"))


def router(site: Site) -> APIRouter:
    """The page's route."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    html = pages_of(site.demo)

    @routes.get("/analytics")
    def page(
        period: str = Query(Span.WEEK.value, max_length=10),
        start: str = Query("", alias="from", max_length=10),
        end: str = Query("", alias="to", max_length=10),
    ) -> HTMLResponse:
        now, trouble = site.clock(), ""
        span = Span(period) if period in set(Span) else Span.WEEK
        try:
            asked = period_of(span, start, end, now)
        except PeriodInvalid as error:
            span, trouble = Span.WEEK, str(error)
            asked = Period(since=now - LENGTHS[span], until=now)
        found: Analytics = analytics(site.database, asked, now, local_offset)
        values = {
            "here": "/analytics",
            "trouble": trouble,
            "span": span.value,
            "choices": [(one.value, words) for one, words in CHOICES],
            "from_day": start if span is Span.DAYS else f"{asked.since.astimezone():%Y-%m-%d}",
            "to_day": end if span is Span.DAYS else f"{asked.until.astimezone():%Y-%m-%d}",
            "since": full_time(asked.since),
            "until": full_time(asked.until),
            "numbers": sees_numbers(),
            **view(found, numbers=sees_numbers()),
        }
        return html("analytics.html", values, 422 if trouble else 200)

    return routes
