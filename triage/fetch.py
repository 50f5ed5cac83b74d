"""One HTTP request: no redirects, a bounded answer, and the connection is given up between two reads once the time is over."""

import ssl
import time
from dataclasses import dataclass
from http.client import IncompleteRead
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from triage.domain.external import is_loopback_url


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever its status."""

    status: int
    body: bytes


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """What is asked lies where the configuration says; what sends us elsewhere is not followed."""


def ask(request: Request, seconds: float, most_bytes: int) -> Reply:
    """Send it, and read the answer. One wait for the peer may take ``seconds``, so a dripping one longer: run it apart.

    Raises:
        TimeoutError: too slow, or more than ``most_bytes``.
        OSError, HTTPException, ValueError: no answer; the message may quote the address.
    """
    until = time.monotonic() + seconds
    try:
        with _opener(request.full_url).open(request, timeout=seconds) as answer:
            return Reply(answer.status, _body(answer, until, most_bytes))
    except HTTPError as error:
        with error:
            return Reply(error.code, _body(error, until, most_bytes))


def _opener(url: str) -> OpenerDirector:
    handlers = [_NoRedirects(), HTTPSHandler(context=ssl.create_default_context())]
    return build_opener(*handlers, *([ProxyHandler({})] if is_loopback_url(url) else []))


def _body(answer: Any, until: float, most_bytes: int) -> bytes:
    body = bytearray()
    while piece := answer.read1(1 << 16):
        body += piece
        if len(body) > most_bytes or time.monotonic() > until:
            raise TimeoutError
    if answer.length:  # what is left of the length that was stated: read1 does not say so
        raise IncompleteRead(bytes(body), answer.length)
    return bytes(body)
