"""A real browser, a real server, and what went over the wire and the console meanwhile."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import adapters
from tests.films import film
from tests.unit.web.pictures import Room
from tests.unit.web.signed_in import SignedIn
from triage.services.ports import Database
from triage.web.app import create_app
from triage.web.run import Server, listening_socket

adapters.shared()
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DEADLINE_MS = 20_000
expect.set_options(timeout=DEADLINE_MS)
MINUTE = timedelta(minutes=1)


def chromium() -> str:
    """The program, or a skip that says what is missing."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium: install it (Debian: chromium) or name it in CHROMIUM")
    return program


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of the system.

    A module's own: while Playwright runs, its event loop keeps every other test from running one.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


class Site:
    """The application behind a port, in a thread; can be stopped and started again at the same port."""

    def __init__(self, make: Callable[[], FastAPI]) -> None:
        self._make = make
        self.port = 0

    def start(self) -> None:
        started = threading.Event()
        socket = listening_socket("127.0.0.1", self.port)
        self.port = socket.getsockname()[1]
        self._server = Server(self._make(), "127.0.0.1", self.port, lambda _: started.set())
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [socket]})
        self._thread.start()
        assert started.wait(DEADLINE_MS / 1000)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(DEADLINE_MS / 1000)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    """``serve(database, free_bytes=…, demo=…)`` gives a running site."""
    sites: list[Site] = []

    def served(database: Database, free_bytes: Callable[[], int] = lambda: 10**9, **options: Any) -> Site:
        if "accounts" not in options:
            options.setdefault("authenticator", SignedIn())
        options.setdefault("clock", lambda: datetime.now(UTC))
        site = Site(lambda: create_app(database, free_bytes=free_bytes, **options))
        site.start()
        sites.append(site)
        return site

    yield served
    for site in sites:
        site.stop()


@dataclass
class Watched:
    """A page and what it did."""

    page: Page
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh profile with one page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(DEADLINE_MS)
    page = context.new_page()
    watched = Watched(page)

    def refuse(dialog: Any) -> None:
        watched.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("console", lambda message: watched.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: watched.console.append(f"pageerror: {error}"))
    page.on("dialog", refuse)
    yield watched
    context.close()


@pytest.fixture
def browse(browser: Browser) -> Iterator[Callable[..., Page]]:
    """``browse("anna")`` gives a page in a profile of Anna's own."""
    contexts = []

    def page(user: str = "anna") -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, extra_http_headers={"x-user": user})
        context.set_default_timeout(DEADLINE_MS)
        contexts.append(context)
        return context.new_page()

    yield page
    for context in contexts:
        context.close()


@pytest.fixture
def room() -> Room:
    """1.2.1 flagged, 1.2.2 not flagged, 1.2.3 still analysed; in this order on the list: 1, 3, 2."""
    room, now = Room(), datetime.now(UTC)
    for place, probability in ((1, 0.9), (2, 0.1), (3, None)):
        image = room.store(film(f"1.2.{place}", f"1.2.{place}.1", rows=16, columns=16), now - (30 - place) * MINUTE)
        if probability is not None:
            room.decide(image, probability=probability)
    return room
