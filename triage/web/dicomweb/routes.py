"""The routes under ``/dicomweb``, put together."""

from fastapi import APIRouter

from triage.web.dicomweb import frames, metadata, qido, rendered, stow, wado
from triage.web.dicomweb.addresses import ROOT
from triage.web.dicomweb.resources import Resources
from triage.web.dicomweb.stow import Storing


def router(resources: Resources, storing: Storing | None) -> APIRouter:
    """All of them. ``storing``: how films come in; ``None``: they do not."""
    routes = APIRouter(prefix=ROOT)
    for step in (qido, metadata, frames, rendered, wado):
        routes.include_router(step.router(resources))
    routes.include_router(stow.router(resources, storing))
    return routes
