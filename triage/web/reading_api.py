"""Steps of reading over HTTP: claim, release, take over, renew, read, unread again, STAT and back."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from triage.domain.audit import Action
from triage.domain.errors import CannotUnderstand, ReadingInvalid, ReadingRefused, UnknownStudy
from triage.domain.figures import STEPS as STEPS_TAKEN
from triage.domain.identifiers import check_uid
from triage.domain.level import Level
from triage.domain.reading import STEPS, TEXT_MAX, Step
from triage.domain.verdict import Verdict
from triage.domain.worklist import WorklistItem, as_json
from triage.services.reading import take
from triage.web.answers import Json
from triage.web.html import sees_numbers
from triage.web.site import Site

SUMMARIES = {
    Action.CLAIM: "Claim a study for reading: when it is free, mine, or its lease is over",
    Action.RELEASE: "Give a claim back; the study keeps its place",
    Action.TAKEOVER: "Take a study over from whoever claimed it",
    Action.RENEW: "Extend a claim of mine",
    Action.READ: "Mark a study read, with a verdict or without",
    Action.UNREAD: "Bring a read study back, with a reason",
    Action.STAT: "Put a study at the human priority STAT",
    Action.UNSTAT: "Take STAT away again",
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"description": "Not known"},
    409: {
        "description": "Not in this state; `refusal` names the rule, `holder`, `since` and `verdict` who has it or has read it"
    },
    422: {"description": "What was sent cannot be used"},
}


class Details(BaseModel):
    """What goes with a step. ``verdict`` and ``note``: with *read*; ``reason``: with *unread*, which needs one.

    With *read* also what was seen, as the list and the study give it: ``network_level`` and ``assessed_at`` (what the network
    had said, and when), ``images`` (how many there were), ``doubt`` (the mark that stood). 409 when it has changed since:
    nobody has seen what is there now.
    """

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict | None = None
    note: str | None = Field(default=None, max_length=TEXT_MAX)
    reason: str | None = Field(default=None, max_length=TEXT_MAX)
    network_level: Level | None = Field(default=None, description="What the network had said")
    images: int | None = Field(
        default=None, ge=1, description="How many images there were; `images_changed` when not the same now"
    )
    assessed_at: AwareDatetime | None = Field(default=None, description="When what stood had been assessed")
    doubt: str | None = Field(
        default=None,
        max_length=32,
        description="The mark that was seen, empty for none; `doubt_changed` when another stands now",
    )


def router(site: Site, who: Callable[[Request], str]) -> APIRouter:
    """One route a step, under ``/api/v1/studies/{uid}``; ``who`` names the person behind a request."""
    routes = APIRouter(prefix="/api/v1/studies", tags=["reading"])
    for action in STEPS:
        routes.add_api_route(
            f"/{{uid}}/{action.value}",
            _endpoint(site, who, action),
            methods=["POST"],
            summary=SUMMARIES[action],
            name=action.value,
            operation_id=f"reading_{action.value}",
            responses=ANSWERS,
        )
    return routes


def _endpoint(site: Site, who: Callable[[Request], str], action: Action) -> Callable[..., Json]:
    def endpoint(request: Request, uid: str, details: Annotated[Details | None, Body()] = None) -> Json:
        given = details or Details()
        try:
            check_uid(uid, "StudyInstanceUID")
            step = Step(action=action, actor=who(request), **dict(given))
            study = take(site.database, uid, step, site.head_starts, site.clock, site.lease)
            site.watched.tally.add(STEPS_TAKEN, step=action.value, outcome="done")
        except (CannotUnderstand, UnknownStudy):
            return Json({"detail": "no study has this UID"}, status_code=404)
        except ReadingInvalid as error:
            return Json({"detail": str(error)}, status_code=422)
        except ReadingRefused as refusal:
            site.watched.tally.add(STEPS_TAKEN, step=action.value, outcome="refused")
            since = refusal.since.isoformat() if refusal.since else None
            told = {"detail": str(refusal), "refusal": refusal.refusal, "holder": refusal.holder, "since": since}
            return Json({**told, "verdict": refusal.verdict}, status_code=409)
        row = as_json(WorklistItem(rank=0, study=study), site.clock(), numbers=sees_numbers())
        names = ("study_instance_uid", "level", "key", "why", "reading")
        return Json({name: row[name] for name in names})

    return endpoint
