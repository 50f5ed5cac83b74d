"""How the application comes to the routes of its parts."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from triage.web.answers import EVERYWHERE


def take(app: FastAPI, router: APIRouter) -> None:
    """The router's routes become the application's own, and may answer :data:`triage.web.answers.EVERYWHERE` besides.

    ``include_router`` would analyse each of them a second time at its first request, and ask each router twice in turn.
    """
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.responses = EVERYWHERE | route.responses
        app.router.routes.append(route)
