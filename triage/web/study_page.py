"""The page of one study: the film on the left, what is known of it on the right, its history and the patient's others below."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydicom.uid import UID
from starlette.responses import HTMLResponse

from triage.domain.account import Permission
from triage.domain.assessment import Assessment, Outcome
from triage.domain.coverage import Coverage, coverage
from triage.domain.errors import CannotUnderstand, IndexUnavailable
from triage.domain.identifiers import check_uid
from triage.domain.identity import Likeness, likeness
from triage.domain.instance import QuarantinedObject
from triage.domain.reading import FinishedReading
from triage.domain.study import Study
from triage.domain.worklist import WorklistItem, head_start_words
from triage.web.asked import Asked, asked
from triage.web.html import may, pages_of, present, sees_numbers
from triage.web.images import MOST_IMAGES
from triage.web.lightbox import CAUTION
from triage.web.rows import Row, row, word
from triage.web.site import Site
from triage.web.study_deliveries import sent
from triage.web.study_reading import finished, standing_of
from triage.web.text import clock_time, full_time, person, plain
from triage.web.viewer_link import viewer_link
from triage.web.vitals import look

MOST_PRIORS = 50
"""Other studies of a patient that are listed; a number that many patients share must not make a page without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as the page shows it; ``said``: what the network said of it."""

    uid: str
    number: int
    said: str
    received: str
    sender: str
    kind: str
    syntax: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One outcome of the history."""

    at: str
    level: str
    word: str
    detail: str
    model: str
    images: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another study of the patient. ``earlier``: it arrived before; ``warning``: its header names another person."""

    row: Row
    earlier: bool
    warning: str


def router(site: Site) -> APIRouter:
    """The page's route. Its query is the list's, to go back to: understood and written again, nothing else gets through."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    html = pages_of(site.demo)

    @routes.get("/study/{uid}")
    def page(request: Request, uid: str, wanted: Annotated[Asked, Depends(asked)]) -> HTMLResponse:
        back = {"back": wanted.query, "uid": ""}
        try:
            check_uid(uid, "StudyInstanceUID")
            values = study_page(site, uid)
            if values is not None:
                site.note_view(request, uid)
        except CannotUnderstand:
            values = None
        except IndexUnavailable:
            return html("study_missing.html", {**back, "silent": True}, 503)
        if values is None:
            return html("study_missing.html", {**back, "silent": False}, 404)
        return html("study.html", {**back, **values})

    @routes.get("/fragments/study")
    def state(request: Request, uid: str) -> HTMLResponse:
        """What an open page asks for by itself after a change of the list: who reads the study, and whether it has changed."""
        with site.database.read() as tx:
            study, readings, aside = tx.study(uid), tx.readings(uid), tx.set_aside_of(uid)
        if study is None:
            return HTMLResponse("no study has this UID", 404)
        site.note_image(request, uid)  # notes of readers are in it; within a look at the page it leaves no further record
        return html("fragments/study.html", {"uid": uid, **_state(site, study, readings, aside, site.clock())})

    return routes


def study_page(site: Site, uid: str) -> dict[str, Any] | None:
    """What the template shows; ``None``: no such study.

    Raises:
        IndexUnavailable: the database does not answer.
    """
    vitals = look(site)
    with site.database.read() as tx:
        study = tx.study(uid)
        if study is None:
            return None
        outcomes, readings = tx.outcomes(uid), tx.readings(uid)
        found = coverage(study, tx.instances(uid), outcomes)
        facts = study.facts
        others = (
            tx.studies_of_patient(facts.patient_id, facts.issuer_of_patient_id, MOST_PRIORS + 1) if facts.patient_id else []
        )
        aside = tx.set_aside_of(uid)
        deliveries = sent(tx.deliveries.deliveries(study_instance_uid=uid), tx.deliveries.results(uid))
    numbers = sees_numbers()
    strangers = {one.study_instance_uid for one in others if likeness(facts, one.facts) is Likeness.OTHER}
    return {
        "uid": uid,
        "model": vitals.model,
        **_state(site, study, readings, aside, vitals.now),
        "issuer": plain(facts.issuer_of_patient_id),
        "birth_date": _date(plain(facts.patient_birth_date, 16)),
        "assessed_by": plain(study.model, 128),
        "viewer": viewer_link(site.viewer_url, study),
        "images": [image(number, one, numbers) for number, one in enumerate(found, 1)],
        "most_images": MOST_IMAGES,
        "first": _first(found),
        "history": [told(outcome, numbers) for outcome in reversed(outcomes)],
        "deliveries": deliveries,
        "others": [other(one, study, vitals.now) for one in others if one.study_instance_uid not in (uid, *strangers)],
        "strangers": len(strangers),
        "most_priors": MOST_PRIORS,
        "full_frames": site.full_frames and may(Permission.FRAMES),
        "caution": CAUTION if site.heat_map and may(Permission.HEAT_MAP) else "",
    }


def _state(
    site: Site, study: Study, readings: list[FinishedReading], aside: list[QuarantinedObject], now: datetime
) -> dict[str, Any]:
    """What can change while the page is open."""
    who, numbers = present.get(), sees_numbers()
    return {
        "row": row(WorklistItem(rank=0, study=study), now, numbers=numbers),
        "probability": None if study.probability is None or not numbers else f"{study.probability:.2f}",
        "listed_as": clock_time(study.key, now),
        "listed_as_full": f"{full_time(study.arrived_at)} less {head_start_words(study.head_start)}: {full_time(study.key)}",
        "reading": standing_of(study, readings, who.name if who else "", now, site.lease, numbers=numbers),
        "readings": [finished(one) for one in reversed(readings)],
        "set_aside": [_aside(one) for one in reversed(aside)],
    }


def image(number: int, one: Coverage, numbers: bool) -> Image:
    """An image of the study."""
    instance = one.instance
    if one.probability is not None:
        said = f"scored {one.probability:.2f}" if numbers else "scored"
    else:
        seen = "looked at, but the study is not assessed" if one.considered else "not scored yet"
        said = f"not scored: {one.why_not}" if one.reason else seen
        said += f" ({one.detail})" if one.detail else ""
    return Image(
        uid=instance.sop_instance_uid,
        number=number,
        said=said,
        received=full_time(instance.received_at),
        sender=plain(instance.calling_ae_title, 16),
        kind=plain(UID(instance.sop_class_uid).name),
        syntax=plain(UID(instance.transfer_syntax_uid).name, 80),
        size=f"{instance.size_bytes / 1e6:.1f} MB",
    )


def told(outcome: Outcome, numbers: bool) -> Told:
    """A line of the history."""
    scored = outcome.scores if isinstance(outcome, Assessment) else ()
    if isinstance(outcome, Assessment):
        detail = f"probability {outcome.probability:.2f}, operating point {outcome.model.threshold:.2f}" if numbers else ""
        at = outcome.assessed_at
    else:
        detail, at = outcome.reason.sentence, outcome.decided_at
    return Told(
        at=full_time(at),
        level=outcome.level.value,
        word=word(outcome.level),
        detail=detail,
        model=plain(outcome.model.label, 128) if outcome.model else "none",
        images=f"{len(scored)} of {len(outcome.considered)}",
    )


def other(study: Study, this: Study, now: datetime) -> Other:
    """Another study of the same number and issuer, of whom nothing proves that it is another person."""
    same = _who(study) == _who(this)
    return Other(
        row=row(WorklistItem(rank=0, study=study), now, numbers=False),
        earlier=study.arrived_at < this.arrived_at,
        warning="" if same else "its header names another name, birth date or sex: make sure that it is this patient",
    )


def _aside(one: QuarantinedObject) -> dict[str, str]:
    """What was set aside, and why; nothing of what its header says."""
    return {
        "at": full_time(one.received_at),
        "sender": plain(one.calling_ae_title, 16),
        "cause": plain(one.cause, 200),
        "digest": one.digest[:12],
    }


def _date(value: str) -> str:
    """A DA value (PS3.5 6.2) with hyphens; anything else as it stands."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 and value.isdecimal() else value


def _who(study: Study) -> tuple[str, str, str]:
    facts = study.facts
    return person(facts.patient_name).casefold(), plain(facts.patient_birth_date), plain(facts.patient_sex).upper()


def _first(found: Iterable[Coverage]) -> str:
    """The image shown first: the first that was scored, else the first that came."""
    images = list(found)[:MOST_IMAGES]
    chosen = next((one for one in images if one.covered), images[0] if images else None)
    return chosen.instance.sop_instance_uid if chosen else ""
