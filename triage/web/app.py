"""The web application, wired from its parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

import triage
from triage.domain.errors import ArchiveAway, AuditBroken, IndexUnavailable
from triage.domain.level import HeadStarts
from triage.domain.reading import LEASE
from triage.services.accounts import Accounts
from triage.services.ports import Clock, Database
from triage.web import (
    admin,
    analytics,
    analytics_api,
    api,
    closer,
    events,
    external_sign_in,
    health,
    images,
    metrics,
    my_sessions,
    pages,
    reading_api,
    sign_in,
    study_page,
)
from triage.web.admin.installation import Installation
from triage.web.answers import Json
from triage.web.darkroom import Darkroom
from triage.web.dicomweb import refused, routes
from triage.web.dicomweb.addresses import Addresses
from triage.web.dicomweb.cors import Cors
from triage.web.dicomweb.films import OpenedFilms
from triage.web.dicomweb.resources import Resources
from triage.web.dicomweb.stow import Storing
from triage.web.external import External
from triage.web.forwarded import Forwarded
from triage.web.guard import Guard
from triage.web.html import pages_of
from triage.web.identity import AccountAuthenticator, Authenticator, Door, Gate
from triage.web.lightbox import Lightbox, Rules
from triage.web.previews import FRAMES_WAITING, Films, Previews
from triage.web.site import Site
from triage.web.taken import take
from triage.web.watched import Watched

STATIC = Path(__file__).parent / "static"


def _no_films(_: str) -> BinaryIO:
    raise FileNotFoundError


def create_app(
    database: Database,
    *,
    clock: Clock,
    free_bytes: Callable[[], int],
    accounts: Accounts | None = None,
    authenticator: Authenticator | None = None,
    external: External | None = None,
    demo: bool = False,
    heartbeat_limit: timedelta = timedelta(seconds=10),
    films: Films = _no_films,
    viewer_url: str = "",
    full_frames: bool = False,
    heat_map: Rules | None = None,
    public_url: str = "",
    metrics_open: bool = False,
    trusted_proxy: Collection[str] = (),
    head_starts: HeadStarts | None = None,
    lease: timedelta = LEASE,
    who: Callable[[Request], str] | None = None,
    installation: Installation | None = None,
    destinations: Collection[str] = (),
    hears_orders: bool = False,
    viewer_origins: Collection[str] = (),
    storing: Storing | None = None,
    watched: Watched | None = None,
) -> FastAPI:
    """The application. Its feed stands in ``app.state.feed``: whoever serves stops it before closing connections.

    ``films`` opens a kept object by its digest, for the previews; ``full_frames``: whether they are offered whole, too;
    ``heat_map``: what heat maps are made by, where they are offered; ``viewer_url``, ``lease`` and ``who``: see
    :class:`triage.web.site.Site`. Without ``who`` there are no routes that change a reading.
    ``accounts``: who may sign in; ``authenticator``: tells who asks (default: by ``accounts``). One of the two is needed.
    ``external``: how people sign in by the hospital's identity provider, beside or instead of a password.
    ``public_url``, ``metrics_open``: see :class:`triage.web.identity.Door`. ``trusted_proxy``: addresses, see
    :class:`triage.web.forwarded.Forwarded`. ``installation``: for the administrator's pages. ``destinations``,
    ``hears_orders``: see :class:`triage.web.site.Site`. ``viewer_origins``: see :class:`triage.web.dicomweb.cors.Cors`.
    ``storing``: how films come in by DICOMweb; ``None``: they do not. ``watched``: what health and metrics ask besides.
    """
    site = Site(
        database=database,
        clock=clock,
        free_bytes=free_bytes,
        demo=demo,
        heartbeat_limit=heartbeat_limit,
        viewer_url=viewer_url,
        full_frames=full_frames,
        heat_map=heat_map is not None,
        head_starts=head_starts or HeadStarts(),
        lease=lease,
        who=who,
        destinations=tuple(destinations),
        hears_orders=hears_orders,
        watched=watched or Watched(),
    )
    previews = Previews(films, Darkroom())
    frames = Previews(films, Darkroom(whole=True), waiting=FRAMES_WAITING) if full_frames else None
    lightbox = Lightbox(films, heat_map) if heat_map else None
    opened = OpenedFilms(films)
    dicomweb = Resources(site=site, films=films, opened=opened, previews=previews, addresses=Addresses(public_url))
    feed = events.Feed(partial(events.seen, site))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(feed.watch())
        yield
        feed.stop()
        await watch
        for workshop in (previews, frames, lightbox, opened):
            if workshop is not None:
                workshop.close()

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
    app.state.previews = previews
    app.state.frames = frames
    app.state.lightbox = lightbox
    app.state.opened = opened
    html = pages_of(demo)
    if authenticator is None:
        assert accounts is not None, "without accounts or an authenticator nobody could come in"
        authenticator = AccountAuthenticator(accounts, sign_in.cookie_name(public_url))
    door = Door(
        authenticator=authenticator,
        forbidden=lambda: html("no_permission.html", {}, 403),
        public_url=public_url,
        metrics_open=metrics_open,
    )
    app.add_middleware(Gate, door=door)
    app.add_middleware(Cors, origins=viewer_origins)
    app.add_middleware(Guard, public_url=public_url)
    app.add_middleware(Forwarded, proxies=trusted_proxy)
    if accounts is not None:
        steps = sign_in.SignIn(accounts=accounts, html=html, public_url=public_url, external=external, tally=site.watched.tally)
        take(app, sign_in.router(steps))
        take(app, my_sessions.router(accounts))
        if external is not None:
            take(app, external_sign_in.router(external_sign_in.Way(sign_in=steps, external=external)))
    app.add_exception_handler(IndexUnavailable, _index_unavailable)
    app.add_exception_handler(ArchiveAway, _archive_away)
    app.add_exception_handler(refused.Refused, refused.answer)
    app.add_exception_handler(AuditBroken, _audit_broken)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in (
        pages.router(site, app.openapi, lambda: feed.seen),
        events.router(feed),
        study_page.router(site),
        api.router(site),
        analytics.router(site),
        analytics_api.router(site),
        images.router(site, previews),
        closer.router(site, frames, lightbox),
        health.router(site),
        metrics.router(site),
        *routes.routers(dicomweb, storing),
        *admin.routers(site, html, installation or Installation(), accounts),
    ):
        take(app, router)
    if who is not None:
        take(app, reading_api.router(site, who))
    return app


def _audit_broken(_: Request, error: Exception) -> Response:
    return Json({"detail": str(error)}, status_code=503)


def _invalid(_: Request, error: Exception) -> Response:
    """Where it is wrong and why; what was sent is not repeated, nor the name of a field that we do not know."""
    assert isinstance(error, RequestValidationError)
    told = [
        {"loc": one["loc"][:-1] if one["type"] == "extra_forbidden" else one["loc"], "msg": one["msg"], "type": one["type"]}
        for one in error.errors()
    ]
    return Json({"detail": told}, 422)


def _archive_away(_: Request, __: Exception) -> Response:
    return Json({"detail": "the archive of films does not answer; try again"}, status_code=503, headers={"Retry-After": "10"})


def _index_unavailable(_: Request, __: Exception) -> Response:
    return Json({"detail": "the database does not answer; try again"}, status_code=503, headers={"Retry-After": "10"})
