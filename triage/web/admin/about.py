"""About: what this is for and what it is not, the network that serves, the version, and whose work it stands on."""

import re
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse

import triage
from triage.domain.bundle import Card
from triage.domain.errors import BundleError
from triage.domain.level import Level
from triage.domain.worklist import LEVEL_WORDS
from triage.web.admin.figures import facts_of
from triage.web.admin.installation import Installation
from triage.web.answers import Json
from triage.web.html import Html
from triage.web.text import plain, plain_lines

PATH = "/about"
PROJECT = "chest-triage"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LEVELS: dict[Level, str] = {
    Level.STAT: "a person said: this one first",
    Level.FLAGGED: "the network's probability is at or above its operating point: read soon",
    Level.NOT_ASSESSED: "received, but the network could not look at it; the row says why",
    Level.PENDING: "received, the network has not looked yet",
    Level.OUT_OF_SCOPE: "certainly no frontal chest film of the intended patients; the row says why",
    Level.NOT_FLAGGED: "below the operating point; that clears nobody: the film has to be read as any other",
}
"""What each mark means, for whoever reads the list."""


@cache
def components() -> tuple[dict[str, str], ...]:
    """The work of others that runs here: name, version, licence."""
    packages = sorted(_needed(PROJECT), key=lambda one: str(one.metadata["Name"]).lower())
    return tuple({"name": str(one.metadata["Name"]), "version": one.version, "licence": licence_of(one)} for one in packages)


def licence_of(one: Distribution) -> str:
    """The licence a package states: its expression, else its classifiers, else its first line of text."""
    stated = one.metadata
    if "License-Expression" in stated:
        return plain(stated["License-Expression"], 80)
    classifiers = [
        str(line).rpartition(" :: ")[2] for line in stated.get_all("Classifier") or () if str(line).startswith("License")
    ]
    if classifiers := [line for line in classifiers if line != "OSI Approved"]:
        return ", ".join(classifiers)
    text = stated["License"].strip() if "License" in stated else ""
    return plain(text.splitlines()[0], 60) if text else "not stated"


def pages(html: Html, installation: Installation) -> APIRouter:
    """The page."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @routes.get(PATH)
    def about() -> HTMLResponse:
        card = serving(installation)
        values = {
            "here": PATH,
            "version": triage.__version__,
            "levels": [(level.value, LEVEL_WORDS[level], meaning) for level, meaning in LEVELS.items()],
            "card": plain_lines(card.text) if card else "",
            "bundle": f"{plain(card.entry.name)} {plain(card.entry.version)}" if card else "",
            "facts": facts_of(card) if card else [],
            "components": components(),
        }
        return html("admin/about.html", values)

    return routes


def api(installation: Installation) -> APIRouter:
    """The same for programs."""
    routes = APIRouter(prefix="/api/v1", tags=["account"])

    @routes.get("/about", summary="Version, the network that serves with its card, licences")
    def about() -> Json:
        card = serving(installation)
        model = (
            {"id": card.entry.bundle_id, "name": card.entry.name, "version": card.entry.version, "card": card.text}
            if card
            else None
        )
        return Json({"version": triage.__version__, "licence": "Apache-2.0", "model": model, "components": list(components())})

    return routes


def serving(installation: Installation) -> Card | None:
    """The bundle that serves; ``None``: there is none, or it is damaged."""
    try:
        active = next((one for one in installation.bundles.entries() if one.active), None)
        return installation.bundles.card(active.bundle_id) if active else None
    except BundleError:
        return None


def _needed(name: str) -> list[Distribution]:
    """Installed packages that the project needs, and what those need; without extras."""
    found: dict[str, Distribution] = {}
    todo = [name]
    while todo:
        known = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if known in found:
            continue
        try:
            found[known] = distribution(known)
        except PackageNotFoundError:  # needed elsewhere, on another system or Python
            continue
        wanted: list[Any] = [line for line in found[known].requires or () if "extra ==" not in line]
        todo += [match[0] for line in wanted if (match := _NAME.match(line))]
    found.pop(PROJECT, None)
    return list(found.values())
