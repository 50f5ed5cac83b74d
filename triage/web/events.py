"""Live update: one watch on the database for all open pages, fanned out as server-sent events."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from triage.web.answers import Json
from triage.web.identity import name_of, while_signed_in
from triage.web.notices import Notice, notices
from triage.web.site import Site
from triage.web.vitals import look

logger = logging.getLogger(__name__)

WATCH_EVERY = 0.25
BREATHE_EVERY = 15.0
RETRY_AFTER_MS = 2000
PAUSE_AFTER_ERROR = 5.0
STREAMS = 20
"""Of one person at the same time; each browser needs one or two."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page would show differently: the list's revision (``None``: no answer) and the banners."""

    revision: int | None
    notices: tuple[Notice, ...]


def seen(site: Site) -> Seen:
    """Look once."""
    vitals = look(site)
    return Seen(vitals.revision, notices(vitals))


class Feed:
    """Watches in one task; any number of followers hear of a change. A slow follower skips to the newest state."""

    def __init__(self, see: Callable[[], Seen], every: float = WATCH_EVERY, breathe: float = BREATHE_EVERY) -> None:
        self._see = see
        self._every = every
        self._breathe = breathe
        self._seen: Seen | None = None
        self._changed = asyncio.Event()
        self._stopped = asyncio.Event()

    @property
    def seen(self) -> Seen | None:
        """What followers are told of now."""
        return self._seen

    async def watch(self) -> None:
        """Look again and again until stopped. The look blocks, so it runs in a thread."""
        while not self._stopped.is_set():
            try:
                now_seen = await asyncio.to_thread(self._see)
            except Exception as error:  # one failed look must not freeze every open list for good
                logger.error("live update: %s", type(error).__name__)
                await _wait(self._stopped, PAUSE_AFTER_ERROR)
                continue
            if now_seen != self._seen:
                self._seen = now_seen
                self._wake()
            await _wait(self._stopped, self._every)

    def stop(self) -> None:
        """End the watch and every open stream. In the event loop's thread."""
        self._stopped.set()
        self._wake()

    async def follow(self) -> AsyncIterator[str]:
        """The stream of one page: the state at once (it may have changed since the page was made), then each change."""
        yield f"retry: {RETRY_AFTER_MS}\n\n"
        told: Seen | None = None
        while not self._stopped.is_set():
            changed, current = self._changed, self._seen
            if current is not None and current != told:
                told = current
                yield f"id: {current.revision}\nevent: worklist\ndata: {current.revision}\n\n"
            elif not await _wait(changed, self._breathe):
                # The comment keeps proxies from closing the stream; a page cannot see comments, so an event says it too.
                yield ": alive\nevent: alive\ndata: alive\n\n"

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


class Stream(StreamingResponse):
    """One of at most :data:`STREAMS` of a person at the same time. ``opened``: how many each has, by name; changed by this."""

    def __init__(self, pieces: AsyncIterator[str], name: str, opened: Counter[str]) -> None:
        super().__init__(pieces, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._name = name
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until it ends, or say that there are too many."""
        if self._opened[self._name] >= STREAMS:
            refusal = Json({"detail": "too many open pages; close some"}, 429, {"Retry-After": "60"})
            await refusal(scope, receive, send)
            return
        self._opened[self._name] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._opened[self._name] -= 1
            if not self._opened[self._name]:
                del self._opened[self._name]


def router(feed: Feed) -> APIRouter:
    """The route of the stream."""
    routes = APIRouter(include_in_schema=False)
    opened: Counter[str] = Counter()

    @routes.get("/events")
    async def events(request: Request) -> Stream:
        return Stream(while_signed_in(request, feed.follow()), name_of(request), opened)

    return routes
