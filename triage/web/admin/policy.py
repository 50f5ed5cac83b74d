"""Head starts in force, how they came about, and what the list would look like under others. Changes nothing."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from triage.domain.audit import Action, AuditFilter
from triage.domain.duration import duration_text, parse_duration
from triage.domain.level import HeadStarts, Level
from triage.domain.preview import Move, bound_words, moved, preview
from triage.domain.worklist import LEVEL_WORDS
from triage.web.admin.audit_rows import audit_row
from triage.web.admin.frame import framed
from triage.web.admin.installation import Installation
from triage.web.answers import Json
from triage.web.html import Html
from triage.web.rows import word
from triage.web.site import Site
from triage.web.text import clock_time, full_time, plain

PATH = "/admin/policy"
ROWS = 50
MOST_STUDIES = 10_000
"""Studies a preview looks at, from the top of the list: more would keep the page waiting, and nobody reads that far."""
MOST = timedelta(days=3650)
NAMES = tuple(field.name for field in fields(HeadStarts))


def asked_for(given: Mapping[str, str], present: HeadStarts) -> HeadStarts:
    """The head starts that were typed; what was left out is as it is.

    Raises:
        ValueError: a duration is none, too long, or the order of levels is broken; the message says what to give.
    """
    found = {name: getattr(present, name) for name in NAMES}
    for name in NAMES:
        text = given.get(name, "").strip()
        if not text:
            continue
        duration = parse_duration(text)
        if duration is None:
            raise ValueError(f"{name}: give a number with a unit: 24 h, 30 d, 15 min")
        if duration > MOST:
            raise ValueError(f"{name}: at most {duration_text(MOST)}")
        found[name] = duration
    return HeadStarts(**found)


def lines_to_write(policy: HeadStarts) -> str:
    """What to write into the settings file."""
    return "\n".join(["[policy.head_start]", *(f'{name} = "{duration_text(getattr(policy, name))}"' for name in NAMES)])


def look_ahead(site: Site, policy: HeadStarts) -> dict[str, Any]:
    """The preview: rows, how many move, of how many, and what was left out."""
    with site.database.read() as tx:
        total = sum(tx.counts_by_level().values())
        studies = tx.worklist(limit=MOST_STUDIES)
    moves = preview(studies, policy)
    return {"moves": moves[:ROWS], "moved": moved(moves), "looked_at": len(moves), "total": total}


def pages(site: Site, html: Html, installation: Installation) -> APIRouter:
    """The page, with a preview where the address asks for one."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    show = framed(html, PATH)

    @routes.get(PATH)
    def policy(request: Request) -> HTMLResponse:
        given = {name: plain(request.query_params.get(name, ""), 40) for name in NAMES}
        values: dict[str, Any] = {
            "levels": [(name, word(Level(name)), duration_text(getattr(site.head_starts, name))) for name in NAMES],
            "given": given,
            "bound": bound_words(site.head_starts),
            "min_age": installation.min_age_years,
            "history": _history(site),
            "ahead": None,
            "error": "",
        }
        if not any(given.values()):
            return show("policy.html", values)
        try:
            other = asked_for(given, site.head_starts)
        except ValueError as error:
            text = str(error)
            return show("policy.html", {**values, "error": f"{text[:1].upper()}{text[1:]}."}, 400)
        found = look_ahead(site, other)
        ahead = {
            **found,
            "rows": [_row(move, site) for move in found["moves"]],
            "bound": bound_words(other),
            "same": other == site.head_starts,
            "toml": lines_to_write(other),
        }
        return show("policy.html", {**values, "ahead": ahead})

    return routes


def api(site: Site, installation: Installation) -> APIRouter:
    """The same for programs."""
    routes = APIRouter(prefix="/api/v1/policy", tags=["administration"])

    @routes.get("", summary="Head starts and minimum age in force, and their history")
    def policy() -> Json:
        in_force = {**_seconds(site.head_starts), "bound": bound_words(site.head_starts)}
        rows = [{"at": row["at_iso"], "policy": dict(row["details"])} for row in _history(site)]
        return Json({"head_starts": in_force, "min_age_years": installation.min_age_years, "history": rows})

    @routes.get(
        "/preview",
        summary="What the unread list would look like under other head starts; changes nothing",
        responses={422: {"description": "The head starts cannot be used; says why"}},
    )
    def ahead(
        stat: str = Query("", description="`30 d`; left out: as it is", max_length=40),
        flagged: str = Query("", description="`24 h`", max_length=40),
        not_assessed: str = Query("", max_length=40),
        pending: str = Query("", max_length=40),
        out_of_scope: str = Query("", max_length=40),
        not_flagged: str = Query("", max_length=40),
    ) -> Json:
        given = {
            "stat": stat,
            "flagged": flagged,
            "not_assessed": not_assessed,
            "pending": pending,
            "out_of_scope": out_of_scope,
            "not_flagged": not_flagged,
        }
        try:
            other = asked_for(given, site.head_starts)
        except ValueError as error:
            return Json({"detail": str(error)}, 422)
        found = look_ahead(site, other)
        rows = [
            {
                "study_instance_uid": move.study.study_instance_uid,
                "level": move.study.level.value,
                "arrived_at": move.study.arrived_at.isoformat(),
                "place_now": move.now,
                "place_then": move.then,
            }
            for move in found["moves"]
        ]
        told = {name: found[name] for name in ("moved", "looked_at", "total")}
        return Json(
            {
                "head_starts": {**_seconds(other), "bound": bound_words(other)},
                **told,
                "rows": rows,
                "settings": lines_to_write(other),
            }
        )

    return routes


def _seconds(policy: HeadStarts) -> dict[str, Any]:
    return {f"{name}_seconds": int(getattr(policy, name).total_seconds()) for name in NAMES}


def _history(site: Site) -> list[dict[str, Any]]:
    with site.database.read() as tx:
        return [audit_row(record) for record in tx.audit_newest(AuditFilter(action=Action.POLICY.value), limit=20)]


def _row(move: Move, site: Site) -> dict[str, Any]:
    study, now = move.study, site.clock()
    return {
        "uid": study.study_instance_uid,
        "level": study.level.value,
        "word": word(study.level),
        "network": LEVEL_WORDS[study.network_level] if study.stat else "",
        "arrived": clock_time(study.arrived_at, now),
        "arrived_full": full_time(study.arrived_at),
        "now": move.now,
        "then": move.then,
        "by": move.by,
    }
