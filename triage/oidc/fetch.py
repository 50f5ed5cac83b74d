"""Asking the provider over HTTP: no redirects, an answer of bounded size, and never longer than the deadline."""

import json
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from threading import BoundedSemaphore
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from triage.domain.external import ProviderSilent, is_loopback_url

MAX_BYTES = 1 << 20
AT_ONCE = 8
"""Requests under way at the same time: a provider that hangs must not hold every thread of the pages."""
DEADLINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, and the body where it is a JSON object; else ``None``."""

    status: int
    body: dict[str, Any] | None


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """A provider's documents lie where it says; what sends us elsewhere is not followed."""


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
        until = time.monotonic() + self._seconds
        try:
            with _opener(request.full_url).open(request, timeout=self._seconds) as answer:
                return Answer(answer.status, _json(answer, until))
        except HTTPError as error:
            with error:
                return Answer(error.code, _json(error, until))


def _opener(url: str) -> OpenerDirector:
    handlers = [_NoRedirects(), HTTPSHandler(context=ssl.create_default_context())]
    return build_opener(*handlers, *([ProxyHandler({})] if is_loopback_url(url) else []))


def _json(answer: Any, until: float) -> dict[str, Any] | None:
    body = bytearray()
    while piece := answer.read1(1 << 16):
        body += piece
        if len(body) > MAX_BYTES or time.monotonic() > until:
            raise TimeoutError
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
