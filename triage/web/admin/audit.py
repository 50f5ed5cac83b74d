"""The auditor's page: what was done, by whom, when; whether the chain holds; all of it as a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from triage.domain.audit import Action, AuditFilter, AuditRecord
from triage.domain.errors import AuditBroken
from triage.services.audit import Verification, exported_audit, exported_lines, verified, verify_audit
from triage.web.admin.audit_rows import audit_row
from triage.web.admin.frame import asker, framed
from triage.web.admin.installation import Installation
from triage.web.answers import Json
from triage.web.html import Html
from triage.web.identity import still_allowed
from triage.web.site import Site
from triage.web.text import plain

PATH = "/admin/audit"
ROWS_PER_PAGE = 100
MOST_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The filters as they were typed. Days are local ones, both inclusive."""

    action: str = ""
    actor: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""

    def filter(self) -> AuditFilter:
        """What to ask the database.

        Raises:
            ValueError: a day is none; the message says what to give.
        """
        exact = {name: getattr(self, name).strip() or None for name in ("action", "actor", "subject")}
        return AuditFilter(**exact, since=_midnight(self.since, 0), until=_midnight(self.until, 1))

    def address(self, **more: int | str) -> str:
        """The page with these filters."""
        values = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        kept = {name: value for name, value in {**values, **more}.items() if value}
        return f"{PATH}?{urlencode(kept)}" if kept else PATH

    @property
    def any(self) -> bool:
        """Whether something is filtered at all."""
        return any(getattr(self, name) for name in type(self).__dataclass_fields__)


def page_of(site: Site, asked: AuditFilter, before: int | None, limit: int) -> tuple[list[AuditRecord], int | None]:
    """Records, newest first, and the number before which the next page begins; ``None``: there is no further one."""
    with site.database.read() as tx:
        found = tx.audit_newest(asked, before, limit + 1)
    return found[:limit], found[limit - 1].sequence if len(found) > limit else None


def verify(site: Site, installation: Installation) -> Verification:
    """Walk the chain, and audit that somebody had it walked.

    Raises:
        AuditBroken: the notes kept apart from the database cannot be read.
    """
    found = verify_audit(site.database, installation.anchor, site.clock)
    verified(site.database, asker(), found, site.clock)
    return found


def pages(site: Site, html: Html, installation: Installation) -> APIRouter:
    """The page, and the same page with the outcome of a verification."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    show = framed(html, PATH)

    def page(asked: Asked, before: int | None = None, outcome: dict[str, Any] | None = None) -> HTMLResponse:
        error, records, following = "", list[AuditRecord](), None
        try:
            records, following = page_of(site, asked.filter(), before, ROWS_PER_PAGE)
        except ValueError as fault:
            error = str(fault)
        values = {
            "asked": asked,
            "actions": list(Action),
            "rows": [audit_row(record) for record in records],
            "older": asked.address(before=following) if following else "",
            "newest": asked.address() if before is not None else "",
            "outcome": outcome,
            "error": error,
        }
        return show("audit.html", values, 400 if error else 200)

    @routes.get(PATH)
    def audit(
        action: str = "",
        actor: str = "",
        subject: str = "",
        since: str = "",
        until: str = "",
        before: int | None = Query(None, ge=1, le=2**62),
    ) -> HTMLResponse:
        return page(Asked(action=action, actor=actor, subject=subject, since=since, until=until), before)

    @routes.post(f"{PATH}/verify")
    def walk() -> HTMLResponse:
        try:
            found = verify(site, installation)
        except AuditBroken as error:
            return page(Asked(), outcome={"tone": "bad", "words": plain(str(error), 400), "digest": ""})
        words = found.trouble or f"the audit holds: {found.head.sequence} records"
        return page(
            Asked(),
            outcome={"tone": "bad" if found.broken else "good", "words": plain(words, 400), "digest": found.head.digest},
        )

    return routes


def api(site: Site, installation: Installation) -> APIRouter:
    """The same for programs."""
    routes = APIRouter(prefix="/api/v1/audit", tags=["administration"])

    @routes.get("", summary="Records of the audit, newest first", responses={422: {"description": "A filter cannot be used"}})
    def audit(
        action: str = Query("", description="One of the actions, exactly"),
        actor: str = Query("", description="Who did it, exactly"),
        subject: str = Query("", description="A Study Instance UID, an account, a bundle id …, exactly"),
        since: str = Query("", description="First day, YYYY-MM-DD, local to the server"),
        until: str = Query("", description="Last day, YYYY-MM-DD"),
        before: int | None = Query(
            None, ge=1, le=2**62, description="Only records of a lower number: `next` of the page before"
        ),
        limit: int = Query(ROWS_PER_PAGE, ge=1, le=MOST_ROWS),
    ) -> Json:
        asked = Asked(action=action, actor=actor, subject=subject, since=since, until=until)
        try:
            records, following = page_of(site, asked.filter(), before, limit)
        except ValueError as fault:
            return Json({"detail": str(fault)}, 422)
        return Json({"records": [_facts(record) for record in records], "next": following})

    @routes.get("/verify", summary="Walk the whole chain; says whether it holds, or where it breaks")
    def walk() -> Json:
        found = verify(site, installation)
        broken = {"sequence": found.broken.sequence, "what": found.broken.what} if found.broken else None
        return Json({"ok": not broken, "records": found.head.sequence, "digest": found.head.digest, "broken": broken})

    @routes.get("/export", summary="Every record as JSON lines; the export is audited first", response_class=StreamingResponse)
    def export(request: Request) -> Response:
        with site.database.read() as tx:
            head = tx.audit_head()
        exported_audit(site.database, asker(), head.sequence if head else 0, site.clock)
        name = f"audit-{site.clock():%Y%m%dT%H%M%SZ}.jsonl"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_lines(site, still_allowed(request)), media_type="application/jsonl", headers=headers)

    return routes


def _lines(site: Site, allowed: Callable[[], bool]) -> Iterator[str]:
    for line in exported_lines(site.database, allowed=allowed):
        yield line + "\n"


def _facts(record: AuditRecord) -> dict[str, Any]:
    row = audit_row(record)
    return {
        "sequence": record.sequence,
        "at": row["at_iso"],
        "actor": record.actor,
        "action": record.action,
        "subject": record.subject,
        "details": dict(row["details"]),
        "digest": record.digest,
    }


def _midnight(day: str, later: int) -> datetime | None:
    """The local midnight that begins a day, or one ``later`` days after it."""
    if not day.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(day.strip()) + timedelta(days=later), time()).astimezone()
    except (ValueError, OverflowError):
        raise ValueError("a day is written YYYY-MM-DD, for example 2026-11-23") from None
