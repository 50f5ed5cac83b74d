"""AE titles: who may send, who did, and who has fallen silent."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from triage.domain.instance import Sender
from triage.domain.worklist import span
from triage.web.admin.frame import framed
from triage.web.admin.installation import Installation
from triage.web.answers import Json
from triage.web.html import Html
from triage.web.site import Site
from triage.web.text import full_time, plain

PATH = "/admin/senders"
SILENT_AFTER = timedelta(hours=24)
"""A modality that sent before and sent nothing for longer stands out; the reason may be a weekend."""


def title_of(peer: str) -> tuple[str, str]:
    """AE title and address of an allowed peer; no address: any."""
    title, _, address = peer.partition("@")
    return title.strip(), address.strip()


def lines(site: Site, installation: Installation) -> list[dict[str, Any]]:
    """One line an AE title: those that sent, and those that may and never did."""
    now = site.clock()
    with site.database.read() as tx:
        found = {one.calling_ae_title: one for one in tx.senders()}
    addresses: dict[str, list[str]] = {}
    for title, address in map(title_of, installation.allowed_peers):
        addresses.setdefault(title, []).append(address or "any")
    titles = sorted(set(found) | set(addresses))
    return [
        {
            "ae_title": title,
            "allowed": not installation.allowed_peers or title in addresses,
            "addresses": addresses.get(title, []),
            **_seen(found.get(title)),
            "silent_seconds": max(0, int((now - found[title].last_at).total_seconds())) if title in found else None,
        }
        for title in titles
    ]


def pages(site: Site, html: Html, installation: Installation) -> APIRouter:
    """The page."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    show = framed(html, PATH)

    @routes.get(PATH)
    def senders() -> HTMLResponse:
        rows = [_row(line, site) for line in lines(site, installation)]
        return show("senders.html", {"rows": rows, "own": plain(installation.ae_title), "open": not installation.allowed_peers})

    return routes


def api(site: Site, installation: Installation) -> APIRouter:
    """The same for programs."""
    routes = APIRouter(prefix="/api/v1", tags=["administration"])

    @routes.get("/senders", summary="Objects received by calling AE title, first and last time, and which titles are allowed")
    def senders() -> Json:
        return Json({"ae_title": installation.ae_title, "senders": lines(site, installation)})

    return routes


def _seen(sender: Sender | None) -> dict[str, Any]:
    if sender is None:
        return {"objects": 0, "first_at": None, "last_at": None}
    return {"objects": sender.objects, "first_at": sender.first_at.isoformat(), "last_at": sender.last_at.isoformat()}


def _row(line: dict[str, Any], site: Site) -> dict[str, Any]:
    with_times = {name: _time(line[name]) for name in ("first_at", "last_at")}
    silent = line["silent_seconds"]
    if silent is None:
        tone, word = "poor", "nothing received yet"
    elif not line["allowed"]:
        tone, word = "poor", "no longer allowed"
    elif timedelta(seconds=silent) > SILENT_AFTER:
        tone, word = "poor", f"silent for {span(timedelta(seconds=silent))}"
    else:
        tone, word = "good", f"sent {span(timedelta(seconds=silent))} ago"
    return {
        "title": plain(line["ae_title"]) or "(blank)",
        "addresses": ", ".join(plain(address) for address in line["addresses"]),
        "objects": line["objects"],
        "tone": tone,
        "word": word,
        **with_times,
    }


def _time(text: str | None) -> str:
    return full_time(datetime.fromisoformat(text)) if text else ""
