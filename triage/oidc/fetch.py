"""Asking the provider over HTTP: no redirects, an answer of bounded size, and never longer than the deadline."""

import json
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request

from triage.domain.external import ProviderSilent
from triage.fetch import ask

MAX_BYTES = 1 << 20
AT_ONCE = 8
"""Requests under way at the same time: a provider that hangs must not hold every thread of the pages."""
DEADLINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, and the body where it is a JSON object; else ``None``."""

    status: int
    body: dict[str, Any] | None


class Fetcher:
    """Asks; the caller has made sure that the address is one of the configured provider's."""

    def __init__(self, seconds: float = DEADLINE_SECONDS) -> None:
        self._seconds = seconds
        self._slots = BoundedSemaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="provider")

    def fetch(self, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """GET, or POST of a ``form``.

        Raises:
            ProviderSilent: no whole answer within the deadline.
        """
        if not self._slots.acquire(blocking=False):
            raise ProviderSilent("provider busy")
        data = urlencode(form).encode() if form is not None else None
        given = {"Accept": "application/json", **(headers or {})}
        request = Request(url, data, given)  # noqa: S310 - http(s) only: see triage.domain.external.is_safe_url
        future: Future[Answer] = self._threads.submit(self._ask, request)
        future.add_done_callback(lambda _: self._slots.release())  # not before: a thread that hangs keeps its place
        try:
            return future.result(self._seconds)
        except TimeoutError:
            raise ProviderSilent("provider too slow") from None
        except (OSError, HTTPException, ValueError):
            raise ProviderSilent("provider away") from None  # the cause quotes the address with all that is in it

    def _ask(self, request: Request) -> Answer:
        reply = ask(request, self._seconds, MAX_BYTES)
        return Answer(reply.status, _json(reply.body))


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
