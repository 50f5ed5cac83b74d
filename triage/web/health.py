"""``/livez``: the process answers. ``/readyz``: the service does its work, or the reasons why it does not.

What keeps the service from its work is a *reason* (503). What a person should know while it does its work is a *warning* (200).
"""

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
from triage.web.vitals import PUBLISHER, Life, Vitals, examine

QUEUE_LIMIT = timedelta(minutes=10)
"""A study that waits longer than this for the network means that the queue is stuck, whatever else looks fine."""
NAMED = 10
"""So many processes are named in warnings; the rest is counted."""


def database_answers(vitals: Vitals) -> Iterator[str]:
    """Without the database nothing is listed and no film is acknowledged."""
    if not vitals.database_answers and not vitals.outdated:
        yield "database: does not answer"


def database_fits(vitals: Vitals) -> Iterator[str]:
    """The schema is this version's."""
    if vitals.outdated:
        yield f"database: {vitals.outdated}"


def database_takes(vitals: Vitals) -> Iterator[str]:
    """Signs of life are written: this very process would have given one."""
    known = [status for kind in vitals.expected if (status := vitals.role(kind))]
    if len(known) == len(vitals.expected) and all(vitals.life(status) is Life.SILENT for status in known):
        yield "database: takes nothing (locked, or its disk is full): no process has written a sign of life"


def roles_alive(vitals: Vitals) -> Iterator[str]:
    """Every role has a process that gave a sign of life within the limit."""
    for kind in vitals.expected if vitals.database_answers else ():
        status = vitals.role(kind)
        if status is None:
            yield f"{kind}: has not started"
        elif not vitals.lives(status):
            others = len(vitals.instances(kind)) - 1
            yield f"{status.role}: {_end(status, vitals)}{f', nor of {others} more' if others else ''}"


def roles_untroubled(vitals: Vitals) -> Iterator[str]:
    """No role says that something keeps all its processes from their work (no usable model, storage failed)."""
    for kind in vitals.kinds:
        best = vitals.role(kind)
        if best is None or not best.trouble or (kind == PUBLISHER and vitals.lives(best)):
            continue  # of a publisher: a peer that is away for a moment is no trouble of ours, see results_go_out
        if kind in vitals.expected or vitals.lives(best):
            told = {one.trouble: one.role for one in reversed(vitals.instances(kind)) if one.trouble}
            yield from (f"{name}: {trouble}" for trouble, name in reversed(told.items()))


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


def processes_silent(vitals: Vitals) -> Iterator[str]:
    """One of several processes of a role has fallen silent; the others do its work."""
    quiet = [one for kind in vitals.kinds if vitals.alive(kind) for one in vitals.instances(kind) if not vitals.lives(one)]
    for one in quiet[:NAMED]:
        yield f"{one.role}: {_end(one, vitals)}; another {one.kind} lives"
    if len(quiet) > NAMED:
        yield f"{len(quiet) - NAMED} more processes are silent"


def processes_troubled(vitals: Vitals) -> Iterator[str]:
    """One of several processes of a role cannot do its work; another one can. Or: a destination is away for a moment."""
    found = [
        one
        for kind in vitals.kinds
        if (best := vitals.role(kind)) and vitals.lives(best) and (not best.trouble or kind == PUBLISHER)
        for one in vitals.instances(kind)
        if vitals.lives(one) and one.trouble
    ]
    for one in found[:NAMED]:
        yield f"{one.role}: {one.trouble}"
    if len(found) > NAMED:
        yield f"{len(found) - NAMED} more processes are in trouble"


Check = Callable[[Vitals], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    database_answers,
    database_fits,
    database_takes,
    roles_alive,
    roles_untroubled,
    room_left,
    queue_moves,
    results_go_out,
)
"""What makes the service not ready; :data:`triage.web.admin.remedies.REMEDIES` says what to do about each."""
WARNINGS: tuple[Check, ...] = (processes_silent, processes_troubled)
"""What a person should know although it is ready; remedies as of :data:`CHECKS`."""


def reasons(vitals: Vitals) -> list[str]:
    """Why the service is not ready; empty: it is."""
    return [reason for check in CHECKS for reason in check(vitals)]


def warnings(vitals: Vitals) -> list[str]:
    """What a person should know; the service may be ready all the same."""
    return [warning for check in WARNINGS for warning in check(vitals)]


def router(site: Site) -> APIRouter:
    """The two routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/livez", summary="The process answers")
    async def livez() -> Json:
        return Json({"alive": True})

    @routes.get("/readyz", summary="The service does its work", responses={503: {"description": "It does not; says why"}})
    def readyz(request: Request) -> Json:
        vitals = examine(site)
        found = reasons(vitals)
        roles = [role_facts(status, vitals) for status in vitals.present]
        for role in roles if not is_from_here(request.scope) else ():
            del role["pid"]  # nobody has said who asks
        told = {"ready": not found, "reasons": found, "warnings": warnings(vitals), "roles": roles}
        return Json(told, status_code=503 if found else 200)

    return routes


def role_facts(status: RoleStatus, vitals: Vitals) -> dict[str, Any]:
    """A process's last sign of life, for JSON. ``role``: who signed it; ``kind``: its role; ``node``: its machine."""
    return {
        "role": status.role,
        "kind": status.kind,
        "node": status.node,
        "alive": vitals.lives(status),
        "state": status.state,
        "trouble": status.trouble,
        "model": status.model,
        "pid": status.pid,
        "started_at": status.started_at.isoformat(),
        "beat_at": status.beat_at.isoformat(),
        "restarts": status.restarts,
    }


def _end(status: RoleStatus, vitals: Vitals) -> str:
    life, at = vitals.life(status), status.beat_at.isoformat(timespec="seconds")
    if life is Life.AHEAD:
        return f"its clock is {span(status.beat_at - vitals.now)} ahead of this machine's, whether it lives cannot be told"
    return f"stopped at {at}" if life is Life.STOPPED else f"no sign of life since {at}"
