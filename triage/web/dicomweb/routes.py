"""The routes under ``/dicomweb``, put together.

What they take and answer is described by PS3.18 and docs/dicomweb.md, not by the description of the API.
"""

from fastapi import APIRouter

from triage.web.dicomweb import frames, metadata, qido, rendered, stow, wado
from triage.web.dicomweb.resources import Resources
from triage.web.dicomweb.stow import Storing


def routers(resources: Resources, storing: Storing | None) -> list[APIRouter]:
    """All of them. ``storing``: how films come in; ``None``: they do not."""
    return [*(step.router(resources) for step in (qido, metadata, frames, rendered, wado)), stow.router(resources, storing)]
