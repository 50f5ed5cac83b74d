"""Bundles: what each is, what it was measured at, what the promotion gate said; activating one, and going back."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triage.domain.audit import AuditRecord
from triage.domain.bundle import FAIL, NOT_ENOUGH, PASS, Card, Entry
from triage.domain.errors import BundleError
from triage.services.models import REASON_MAX, ReasonMissing, activate, history, rollback
from triage.web.admin.audit_rows import audit_row
from triage.web.admin.figures import facts_of, tables_of
from triage.web.admin.frame import asker, framed, with_form
from triage.web.admin.installation import Installation
from triage.web.answers import Json
from triage.web.html import Html
from triage.web.site import Site
from triage.web.text import full_time, plain, plain_lines

PATH = "/admin/models"
VERDICT_TONES = {PASS: "good", NOT_ENOUGH: "poor", FAIL: "bad"}
DONE = {"activate": "This bundle serves now; the worker follows by itself.", "rollback": "This bundle serves again."}


class Activation(BaseModel):
    """``reason``: why; needed where no record of the promotion gate says *pass*."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=REASON_MAX)


def pages(site: Site, html: Html, installation: Installation) -> APIRouter:
    """The list, a bundle, and the two steps, each with a page that asks first."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    show, bundles = framed(html, PATH), installation.bundles

    def everything(error: str = "", status: int = 200) -> HTMLResponse:
        entries = [_row(entry) for entry in bundles.entries()]
        values = {
            "bundles": entries,
            "fault": bundles.fault() or "",
            "previous": next((one for one in entries if one["previous"]), None),
            "error": error,
        }
        return show("models.html", values, status)

    def ask(bundle_id: str, error: str = "", reason: str = "", status: int = 200) -> HTMLResponse:
        try:
            entry = bundles.card(bundle_id).entry
        except BundleError as unknown:
            return everything(_sentence(unknown), 404)
        serving = next((_row(one) for one in bundles.entries() if one.active), None)
        values = {"bundle": _row(entry), "serving": serving, "error": error, "reason": reason, "most": REASON_MAX}
        return show("model_activate.html", values, status)

    def ask_back(error: str = "", reason: str = "", status: int = 200) -> HTMLResponse:
        entries = [_row(one) for one in bundles.entries()]
        serving = next((one for one in entries if one["active"]), None)
        previous = next((one for one in entries if one["previous"]), None)
        values = {"previous": previous, "serving": serving, "error": error, "reason": reason, "most": REASON_MAX}
        return show("model_rollback.html", values, status)

    @routes.get(PATH)
    def models() -> HTMLResponse:
        return everything()

    @routes.get(f"{PATH}/rollback")
    def ask_to_roll_back() -> HTMLResponse:
        return ask_back()

    @routes.post(f"{PATH}/rollback")
    async def roll_back(request: Request) -> Response:
        def step(form: dict[str, str]) -> Response:
            reason = form.get("reason", "")
            try:
                proof = rollback(bundles, site.database, site.clock, asker(), reason)
            except ReasonMissing as error:
                return ask_back(_sentence(error), reason, 400)
            except BundleError as error:
                return ask_back(_sentence(error), reason, 409)
            return RedirectResponse(f"{PATH}/{proof.bundle_id}?done=rollback", 303)

        return await with_form(request, step)

    @routes.get(f"{PATH}/{{bundle_id}}")
    def model(bundle_id: str, done: str = "") -> HTMLResponse:
        try:
            card = bundles.card(bundle_id)
        except BundleError as unknown:
            return everything(_sentence(unknown), 404)
        past = [audit_row(record) for record in history(site.database, card.entry.bundle_id)]
        return show("model.html", {**_card(card), "history": past, "done": DONE.get(done, "")})

    @routes.get(f"{PATH}/{{bundle_id}}/activate")
    def ask_to_activate(bundle_id: str) -> HTMLResponse:
        return ask(bundle_id)

    @routes.post(f"{PATH}/{{bundle_id}}/activate")
    async def make_active(request: Request, bundle_id: str) -> Response:
        def step(form: dict[str, str]) -> Response:
            reason = form.get("reason", "")
            try:
                proof = activate(bundles, site.database, site.clock, bundle_id, asker(), reason)
            except ReasonMissing as error:
                return ask(bundle_id, _sentence(error), reason, 400)
            except BundleError as error:
                return ask(bundle_id, _sentence(error), reason, 409)
            return RedirectResponse(f"{PATH}/{proof.bundle_id}?done=activate", 303)

        return await with_form(request, step)

    return routes


ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such bundle"},
    409: {"description": "Refused; says why, and nothing has changed"},
    422: {"description": "A reason is needed"},
}


def api(site: Site, installation: Installation) -> APIRouter:
    """The same for programs."""
    routes = APIRouter(prefix="/api/v1/models", tags=["administration"])
    bundles = installation.bundles

    @routes.get("", summary="Every bundle, the one that serves marked, with the promotion gate's verdict")
    def models() -> Json:
        return Json({"fault": bundles.fault(), "bundles": [_facts(entry) for entry in bundles.entries()]})

    @routes.post("/rollback", summary="Return to the bundle that served before, after a full proof", responses=ANSWERS)
    def roll_back(details: Annotated[Activation | None, Body()] = None) -> Json:
        try:
            proof = rollback(bundles, site.database, site.clock, asker(), (details or Activation()).reason)
        except ReasonMissing as error:
            return Json({"detail": str(error)}, 422)
        except BundleError as error:
            return Json({"detail": str(error)}, 409)
        return Json({"active": proof.bundle_id, "proof": proof.sentence})

    @routes.get("/{bundle_id}", summary="A bundle: card, figures, the gate's record, when it served", responses=ANSWERS)
    def model(bundle_id: str) -> Json:
        try:
            card = bundles.card(bundle_id)
        except BundleError as error:
            return Json({"detail": str(error)}, 404)
        past = [_past(record) for record in history(site.database, card.entry.bundle_id)]
        return Json({**_facts(card.entry), "card": card.text, **_documents(card), "history": past})

    @routes.post("/{bundle_id}/activate", summary="Make a bundle the one that serves, after a full proof", responses=ANSWERS)
    def make_active(bundle_id: str, details: Annotated[Activation | None, Body()] = None) -> Json:
        try:
            bundles.card(bundle_id)
        except BundleError as error:
            return Json({"detail": str(error)}, 404)
        try:
            proof = activate(bundles, site.database, site.clock, bundle_id, asker(), (details or Activation()).reason)
        except ReasonMissing as error:
            return Json({"detail": str(error)}, 422)
        except BundleError as error:
            return Json({"detail": str(error)}, 409)
        return Json({"active": proof.bundle_id, "proof": proof.sentence})

    return routes


def _facts(entry: Entry) -> dict[str, Any]:
    promotion = entry.promotion
    return {
        "id": entry.bundle_id,
        "name": entry.name,
        "version": entry.version,
        "packaged": entry.packaged,
        "active": entry.active,
        "active_since": entry.active_since,
        "previous": entry.previous,
        "promotion": {
            "verdict": promotion.verdict,
            "decided_at": promotion.decided_at,
            "approved_by": promotion.approved_by,
            "reason": promotion.reason,
            "against": list(promotion.against),
            "checks": [{name: getattr(one, name) for name in type(one).__dataclass_fields__} for one in promotion.checks],
        }
        if promotion
        else None,
        "promotion_fault": entry.promotion_fault,
    }


def _documents(card: Card) -> dict[str, Any]:
    """Everything but the films' scores, one by one, and what only the gate reads."""
    heavy = ("test_films", "val_films", "baselines")
    metrics = card.documents.get("metrics")
    kept = {name: value for name, value in metrics.items() if name not in heavy} if isinstance(metrics, dict) else None
    return {**card.documents, "metrics": kept}


def _past(record: AuditRecord) -> dict[str, Any]:
    row = audit_row(record)
    return {"sequence": record.sequence, "at": row["at_iso"], "actor": record.actor, "details": dict(row["details"])}


def _row(entry: Entry) -> dict[str, Any]:
    promotion = entry.promotion
    return {
        "id": entry.bundle_id,
        "short": entry.bundle_id[:12],
        "name": plain(entry.name),
        "version": plain(entry.version, 24),
        "origin": "packaged" if entry.packaged else "installed",
        "active": entry.active,
        "since": _time(entry.active_since),
        "previous": entry.previous,
        "barred": entry.barred,
        "needs_reason": entry.needs_reason,
        "fault": plain(entry.promotion_fault, 120),
        "verdict": entry.verdict or "no record",
        "tone": VERDICT_TONES.get(entry.verdict or "", "none"),
        "approved_by": plain(promotion.approved_by) if promotion else "",
        "reason": plain(promotion.reason, 400) if promotion else "",
        "decided": _time(promotion.decided_at) if promotion else "",
        "against": [plain(one, 120) for one in promotion.against] if promotion else [],
        "checks": [
            {
                "name": plain(one.name, 120),
                "rule": plain(one.rule, 200),
                "measured": plain(one.measured, 300),
                "verdict": plain(one.verdict, 24),
                "tone": VERDICT_TONES.get(one.verdict, "none"),
            }
            for one in (promotion.checks if promotion else ())
        ],
    }


def _card(card: Card) -> dict[str, Any]:
    training = json.dumps(card.documents.get("training_data"), indent=1, ensure_ascii=False, default=str)
    return {
        "bundle": _row(card.entry),
        "text": plain_lines(card.text),
        "facts": facts_of(card),
        "tables": tables_of(card),
        "golden": card.golden,
        "training": plain_lines(training),
    }


def _time(text: str | None) -> str:
    try:
        return full_time(datetime.fromisoformat(text)) if text else ""
    except ValueError:
        return plain(text, 32)


def _sentence(error: Exception) -> str:
    text = plain(str(error), 400)
    return f"{text[:1].upper()}{text[1:]}."
