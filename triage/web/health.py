"""``/livez``: the process answers. ``/readyz``: the service does its work, or the reasons why it does not."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from triage.domain.delivery import LONG
from triage.domain.role import RoleStatus
from triage.domain.worklist import span
from triage.web.answers import Json
from triage.web.guard import is_from_here
from triage.web.site import Site
from triage.web.vitals import PUBLISHER, STOPPED, Vitals, look

QUEUE_LIMIT = timedelta(minutes=10)
"""A study that waits longer than this for the network means that the queue is stuck, whatever else looks fine."""


def database_answers(vitals: Vitals) -> Iterator[str]:
    """Without the database nothing is listed and no film is acknowledged."""
    if not vitals.database_answers:
        yield "database: does not answer"


def roles_alive(vitals: Vitals) -> Iterator[str]:
    """Every role has given a sign of life within the limit."""
    for name in vitals.expected if vitals.database_answers else ():
        status = vitals.role(name)
        if status is None:
            yield f"{name}: has not started"
        elif not vitals.alive(name):
            end = "stopped at" if status.state == STOPPED else "no sign of life since"
            yield f"{name}: {end} {status.beat_at.isoformat(timespec='seconds')}"


def roles_untroubled(vitals: Vitals) -> Iterator[str]:
    """No role says that something keeps it from its work (no usable model, storage failed)."""
    for status in vitals.roles:
        # a second worker that was configured away has left its last words behind; a peer that is away for a moment is no
        # trouble of ours: see results_go_out
        known = status.role in vitals.expected or vitals.alive(status.role)
        if status.trouble and known and not (status.role == PUBLISHER and vitals.alive(PUBLISHER)):
            yield f"{status.role}: {status.trouble}"


def room_left(vitals: Vitals) -> Iterator[str]:
    """The archive is above its floor."""
    if vitals.free_bytes <= 0:
        yield "storage: no room above the floor, films are refused"


def queue_moves(vitals: Vitals) -> Iterator[str]:
    """The oldest study waiting for the network has not waited too long."""
    since = vitals.depth.oldest_waiting_since
    if since is not None and vitals.now - since > QUEUE_LIMIT:
        yield f"queue: the oldest of {vitals.depth.waiting} studies has waited {span(vitals.now - since)} for its assessment"


def results_go_out(vitals: Vitals) -> Iterator[str]:
    """No result has waited too long for its destination."""
    for one in vitals.destinations:
        since = one.oldest_waiting
        if since is not None and vitals.now - since > LONG:
            yield f"results: the oldest of {one.waiting} for {one.name} has waited {span(vitals.now - since)}"


CHECKS: tuple[Callable[[Vitals], Iterator[str]], ...] = (
    database_answers,
    roles_alive,
    roles_untroubled,
    room_left,
    queue_moves,
    results_go_out,
)
"""Every check; :data:`triage.web.admin.system.REMEDIES` says what to do about each."""


def reasons(vitals: Vitals) -> list[str]:
    """Why the service is not ready; empty: it is."""
    return [reason for check in CHECKS for reason in check(vitals)]


def router(site: Site) -> APIRouter:
    """The two routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/livez", summary="The process answers")
    async def livez() -> Json:
        return Json({"alive": True})

    @routes.get("/readyz", summary="The service does its work", responses={503: {"description": "It does not; says why"}})
    def readyz(request: Request) -> Json:
        vitals = look(site)
        found = reasons(vitals)
        roles = [role_facts(status, vitals) for status in vitals.roles]
        for role in roles if not is_from_here(request.scope) else ():
            del role["pid"]  # nobody has said who asks
        return Json({"ready": not found, "reasons": found, "roles": roles}, status_code=503 if found else 200)

    return routes


def role_facts(status: RoleStatus, vitals: Vitals) -> dict[str, Any]:
    """A role's last sign of life, for JSON."""
    return {
        "role": status.role,
        "alive": vitals.alive(status.role),
        "state": status.state,
        "trouble": status.trouble,
        "model": status.model,
        "pid": status.pid,
        "started_at": status.started_at.isoformat(),
        "beat_at": status.beat_at.isoformat(),
        "restarts": status.restarts,
    }
