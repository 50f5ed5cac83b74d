"""A client that speaks to the application without a socket."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests import adapters
from tests.unit.web.signed_in import SignedIn
from triage.services.ports import Database
from triage.web.app import create_app

adapters.shared()
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Client:
    """One request at a time; whatever an endpoint raises unhandled is raised here."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, **options: Any) -> httpx.Response:
        """The whole answer."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                return await client.get(path, **options)

        return asyncio.run(ask())


Open = Callable[..., Client]


@contextmanager
def opened_sites() -> Iterator[Open]:
    """``open_site(database, now, free_bytes, demo=…)`` gives a client."""
    apps: list[FastAPI] = []

    def opened(database: Database, now: datetime = NOW, room: int = 10**9, **options: Any) -> Client:
        if "accounts" not in options:
            options.setdefault("authenticator", SignedIn())
        options.setdefault("free_bytes", lambda: room)
        options.setdefault("clock", lambda: now)
        apps.append(create_app(database, **options))
        return Client(apps[-1])

    yield opened
    for app in apps:
        for made in (app.state.previews, app.state.frames, app.state.lightbox, app.state.opened):
            if made is not None:
                made.close()  # no server ran that would have done it


@pytest.fixture
def open_site() -> Iterator[Open]:
    """Of one test."""
    with opened_sites() as opened:
        yield opened
