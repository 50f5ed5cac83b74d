"""Deliveries: where results go, what waits, what was refused, and the step that has it sent again."""

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triage.domain.delivery import LONG, OPEN, REFUSED, WAITING, Delivery, DeliveryState, DestinationState, UnknownDelivery
from triage.domain.worklist import span
from triage.services.deliveries import delivery_record, destination_record, retry, retry_refused
from triage.web.admin.frame import asker, framed, with_form
from triage.web.admin.installation import Installation
from triage.web.answers import Json
from triage.web.html import Html
from triage.web.site import Site
from triage.web.text import full_time, plain

PATH = "/admin/deliveries"
SHOWN = 100
MOST_ROWS = 10_000
DONE = {
    "waiting": "It will be sent again.",
    "superseded": "It was not sent again: a later result of its study counts by now.",
    "refused": "What was refused will be sent again, save where a later result of its study counts by now.",
    "unknown": "Nothing was done: there is no refused delivery of that kind any more.",
}
"""What the page says after a step; the address carries the key only."""
Number = Annotated[int, Path(ge=1, le=2**62)]


def standing(site: Site) -> list[tuple[DestinationState, bool, int]]:
    """Every destination that there ever was, whether it is configured, and how many results wait without a delivery."""
    with site.database.read() as tx:
        found = tx.deliveries.destinations()
        return [(one, one.name in site.destinations, tx.deliveries.without_delivery(one.name)) for one in found]


def chosen(site: Site, states: Collection[DeliveryState], limit: int, **asked: str | None) -> list[Delivery]:
    """Deliveries that fit, newest first."""
    with site.database.read() as tx:
        return tx.deliveries.deliveries(states=states, limit=limit, **asked)


def pages(site: Site, html: Html, installation: Installation) -> APIRouter:
    """The page, and a form for each step."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    show = framed(html, PATH)

    @routes.get(PATH)
    def deliveries(done: str = "") -> HTMLResponse:
        values = {
            "destinations": [_line(*one, site) for one in standing(site)],
            "refused": [_row(one) for one in chosen(site, [REFUSED], SHOWN)],
            "waiting": [_row(one) for one in chosen(site, OPEN, SHOWN)],
            "shown": SHOWN,
            "configured": bool(site.destinations),
            "done": DONE.get(done, ""),
        }
        return show("deliveries.html", values)

    @routes.post(f"{PATH}/{{delivery_id}}/retry")
    async def again(request: Request, delivery_id: Number) -> Response:
        def step(_: dict[str, str]) -> Response:
            try:
                state = retry(site.database, delivery_id, asker(), site.clock).state.value
            except UnknownDelivery:
                state = "unknown"
            return RedirectResponse(f"{PATH}?done={state}", 303)

        return await with_form(request, step)

    @routes.post(f"{PATH}/retry-refused")
    async def all_again(request: Request) -> Response:
        def step(form: dict[str, str]) -> Response:
            found = retry_refused(site.database, form.get("destination") or None, asker(), site.clock)
            return RedirectResponse(f"{PATH}?done={'refused' if found else 'unknown'}", 303)

        return await with_form(request, step)

    return routes


def api(site: Site, installation: Installation) -> APIRouter:
    """The same for programs."""
    routes = APIRouter(prefix="/api/v1/deliveries", tags=["administration"])

    @routes.get("", summary="How each destination stands, and deliveries of results, newest first")
    def deliveries(
        state: Annotated[list[DeliveryState] | None, Query(description="Only of these states")] = None,
        destination: Annotated[str | None, Query(max_length=32, description="Only of this destination")] = None,
        study: Annotated[str | None, Query(max_length=64, description="Only of this Study Instance UID")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = SHOWN,
    ) -> Json:
        found = chosen(site, state or (), limit, destination=destination, study_instance_uid=study)
        places = [destination_record(*one) for one in standing(site)]
        return Json({"destinations": places, "deliveries": [delivery_record(one) for one in found]})

    @routes.post(
        "/{delivery_id}/retry",
        summary="Have a refused delivery sent again",
        operation_id="delivery_retry",
        responses={404: {"description": "There is no refused delivery of this id"}},
    )
    def again(delivery_id: Number) -> Json:
        try:
            return Json(delivery_record(retry(site.database, delivery_id, asker(), site.clock)))
        except UnknownDelivery as error:
            return Json({"detail": str(error)}, 404)

    @routes.post(
        "/retry-refused",
        summary="Have every refused delivery sent again, or one destination's",
        operation_id="deliveries_retry",
    )
    def all_again(destination: Annotated[str | None, Query(max_length=32)] = None) -> Json:
        found = retry_refused(site.database, destination, asker(), site.clock)
        return Json({"retried": sum(one.state is WAITING for one in found), "superseded": _superseded(found)})

    return routes


def _superseded(found: list[Delivery]) -> int:
    return sum(one.state is not WAITING for one in found)


def _line(one: DestinationState, configured: bool, behind: int, site: Site) -> dict[str, Any]:
    now, one = site.clock(), replace(one, waiting=one.waiting + behind)
    waited = now - one.oldest_waiting if one.oldest_waiting else None
    if not configured:
        tone, word = ("poor", "configured no more, results wait") if one.waiting else ("none", "configured no more")
    elif one.away_since is not None:
        tone, word = "bad", f"no answer since {full_time(one.away_since)}"
    elif waited is not None and waited > LONG:
        tone, word = "bad", "results wait"
    elif one.refused:
        tone, word = "poor", "refuses some"
    else:
        tone, word = "good", "takes results"
    return {
        "name": plain(one.name),
        "tone": tone,
        "word": word,
        "since": full_time(one.since),
        "waiting": one.waiting,
        "oldest": span(waited) if waited is not None else "",
        "refused": one.refused,
        "delivered": one.delivered,
        "superseded": one.superseded,
        "last": full_time(one.last_delivered_at) if one.last_delivered_at else "",
        "error": plain(one.error, 200),
    }


def _row(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "destination": plain(one.destination),
        "uid": one.study_instance_uid,
        "number": one.number,
        "state": one.state.value,
        "attempts": one.attempts,
        "created": full_time(one.created_at),
        "next": full_time(one.not_before) if one.state is WAITING else "",
        "ended": full_time(one.ended_at) if one.ended_at else "",
        "error": plain(one.error, 200),
    }
