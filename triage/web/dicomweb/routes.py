"""The routes under ``/dicomweb``, put together."""

from fastapi import APIRouter

from triage.web.dicomweb import frames, metadata, rendered, stow, wado
from triage.web.dicomweb.addresses import ROOT
from triage.web.dicomweb.resources import Resources
from triage.web.dicomweb.stow import Storing


def router(resources: Resources, storing: Storing | None) -> APIRouter:
    """All of them. ``storing``: how films come in; ``None``: they do not."""
    routes = APIRouter(prefix=ROOT)
    for one in (metadata.router(resources), frames.router(resources), rendered.router(resources), wado.router(resources)):
        routes.include_router(one)
    routes.include_router(stow.router(resources, storing))
    return routes
