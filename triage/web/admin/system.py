"""How the service stands, and what to do where it does not: roles, queue, disk, what was set aside."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse

import triage
from triage.domain.instance import QuarantinedObject
from triage.domain.role import RoleStatus
from triage.domain.schedule import STANDBY
from triage.domain.worklist import span
from triage.web import health
from triage.web.admin.frame import framed
from triage.web.admin.installation import Installation
from triage.web.admin.remedies import REMEDIES
from triage.web.answers import Json
from triage.web.html import Html
from triage.web.site import Site
from triage.web.text import full_time, plain
from triage.web.vitals import Life, Vitals, examine

PATH = "/admin/system"
SET_ASIDE_SHOWN = 100
WORDS = {Life.ALIVE: "running", Life.STOPPED: "stopped", Life.SILENT: "silent", Life.AHEAD: "clock ahead"}


def reasons(vitals: Vitals) -> list[dict[str, str]]:
    """Why the service is not ready, each with its remedy."""
    return [{"reason": one, "remedy": REMEDIES[check].todo} for check in health.CHECKS for one in check(vitals)]


def warnings(vitals: Vitals) -> list[dict[str, str]]:
    """What a person should know, each with its remedy."""
    return [{"warning": one, "remedy": REMEDIES[check].todo} for check in health.WARNINGS for one in check(vitals)]


def facts(site: Site, installation: Installation) -> dict[str, Any]:
    """Everything the page shows, for JSON."""
    vitals = examine(site)
    found, aside = reasons(vitals), _set_aside(site, vitals)
    depth = vitals.depth
    return {
        "version": triage.__version__,
        "database_revision": installation.database_revision() if vitals.database_answers else None,
        "ready": not found,
        "reasons": found,
        "warnings": warnings(vitals),
        "roles": [health.role_facts(status, vitals) for status in vitals.present],
        "queue": {
            "waiting": depth.waiting,
            "running": depth.running,
            "quarantined": depth.quarantined,
            "oldest_waiting_since": depth.oldest_waiting_since.isoformat() if depth.oldest_waiting_since else None,
        },
        "storage_free_bytes": vitals.free_bytes,
        "set_aside": len(aside),
        "set_aside_newest": [
            {
                "digest": one.digest,
                "cause": one.cause,
                "calling_ae_title": one.calling_ae_title,
                "received_at": one.received_at.isoformat(),
            }
            for one in aside[:SET_ASIDE_SHOWN]
        ],
    }


def shown(site: Site, installation: Installation) -> dict[str, Any]:
    """The same for the template."""
    vitals = examine(site)
    aside, since = _set_aside(site, vitals), vitals.depth.oldest_waiting_since
    return {
        "as_of": full_time(vitals.now),
        "reasons": [{**one, "reason": plain(one["reason"], 400)} for one in reasons(vitals)],
        "warnings": [{**one, "warning": plain(one["warning"], 400)} for one in warnings(vitals)],
        "answers": vitals.database_answers,
        "roles": [row for kind in vitals.kinds for row in _role(kind, vitals)],
        "depth": vitals.depth,
        "oldest": span(vitals.now - since) if since else "",
        "free": bytes_words(vitals.free_bytes),
        "full": vitals.free_bytes <= 0,
        "version": triage.__version__,
        "revision": installation.database_revision() if vitals.database_answers else "",
        "aside_total": len(aside),
        "aside": [
            {
                "digest": one.digest[:12],
                "cause": plain(one.cause, 200),
                "sender": plain(one.calling_ae_title),
                "at": full_time(one.received_at),
            }
            for one in aside[:SET_ASIDE_SHOWN]
        ],
    }


def pages(site: Site, html: Html, installation: Installation) -> APIRouter:
    """The page."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    show = framed(html, PATH)

    @routes.get(PATH)
    def system() -> HTMLResponse:
        return show("system.html", shown(site, installation))

    return routes


def api(site: Site, installation: Installation) -> APIRouter:
    """The same for programs."""
    routes = APIRouter(prefix="/api/v1", tags=["administration"])

    @routes.get("/system", summary="Roles, queue, disk, what was set aside, and what to do where something is wrong")
    def system() -> Json:
        return Json(facts(site, installation))

    return routes


def bytes_words(size: int) -> str:
    """``12.3 GB``; decimal units."""
    for unit, scale in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{max(0, size) / 1000:.0f} kB"


def _set_aside(site: Site, vitals: Vitals) -> list[QuarantinedObject]:
    """Newest first."""
    if not vitals.database_answers:
        return []
    with site.database.read() as tx:
        return tx.quarantined()[::-1]


def _role(kind: str, vitals: Vitals) -> list[dict[str, Any]]:
    """A row for each process of a role, the one that does its work first."""
    if found := vitals.instances(kind):
        return [_process(status, vitals) for status in found]
    blank = {"since": "", "beat": "", "restarts": "", "trouble": "", "model": "", "pid": ""}
    return [{"name": plain(kind), "tone": "bad", "word": "not started", **blank}] if kind in vitals.expected else []


def _process(status: RoleStatus, vitals: Vitals) -> dict[str, Any]:
    word = WORDS[vitals.life(status)]
    if vitals.lives(status):
        word = "in trouble" if status.trouble else STANDBY if status.state == STANDBY else word
    return {
        "name": plain(status.role, 100),
        "tone": {"running": "good", STANDBY: "good", "in trouble": "poor"}.get(word, "bad"),
        "word": word,
        "since": full_time(status.started_at),
        "beat": f"{span(vitals.now - status.beat_at)} ago",
        "restarts": status.restarts,
        "trouble": plain(status.trouble, 300),
        "model": plain(status.model),
        "pid": status.pid,
    }
