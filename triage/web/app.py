"""The web application, wired from its parts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

import triage
from triage.domain.errors import IndexUnavailable
from triage.services.ports import Clock, Database
from triage.web import api, events, health, metrics, pages
from triage.web.answers import Json
from triage.web.guard import Guard
from triage.web.site import Site

STATIC = Path(__file__).parent / "static"


def create_app(
    database: Database,
    *,
    clock: Clock,
    free_bytes: Callable[[], int],
    demo: bool = False,
    heartbeat_limit: timedelta = timedelta(seconds=10),
) -> FastAPI:
    """The application. Its feed stands in ``app.state.feed``: whoever serves stops it before closing connections."""
    site = Site(database=database, clock=clock, free_bytes=free_bytes, demo=demo, heartbeat_limit=heartbeat_limit)
    feed = events.Feed(partial(events.seen, site))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(feed.watch())
        yield
        feed.stop()
        await watch

    app = FastAPI(
        title="Chest X-ray triage",
        version=triage.__version__,
        description="Notification only. Not for diagnostic use. Every study stays in the standard reading queue.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # the stock pages load scripts from elsewhere and run inline ones; pages.py has its own
        redoc_url=None,
        lifespan=lifespan,
        # Off even where the environment asks for it: spans and error logs could carry a patient's data to another host.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False},
    )
    app.state.feed = feed
    app.add_middleware(Guard)
    app.add_exception_handler(IndexUnavailable, _index_unavailable)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in (
        pages.router(site, app.openapi),
        events.router(feed),
        api.router(site),
        health.router(site),
        metrics.router(site),
    ):
        app.include_router(router)
    return app


def _index_unavailable(_: Request, __: Exception) -> Response:
    return Json({"detail": "the database does not answer; try again"}, status_code=503, headers={"Retry-After": "10"})
