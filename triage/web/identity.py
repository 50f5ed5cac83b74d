"""Who asks: the gate before every route. Credentials, permission, and that a change was meant (CSRF token and Origin)."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Protocol
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.domain.account import Identity, Permission
from triage.domain.errors import IndexUnavailable
from triage.services.accounts import Accounts
from triage.services.audit import via_of, way
from triage.web.answers import Json
from triage.web.guard import is_from_here, origins_of
from triage.web.html import present
from triage.web.permissions import BY_ITSELF, METRICS, PUBLIC, PUBLIC_FOLDER, ROUTES, STREAMED, WITH_OLD_PASSWORD

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
MAX_BODY = 1 << 20
BODY_SECONDS = 10.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PERSON_HEADER = "x-person"
"""Goes along with what a page asks for by itself when somebody has touched it since: reading is work without requests."""
_PATTERNS = [(compile_path(template)[0], template) for template in ROUTES]


class Authenticator(Protocol):
    """Tells who asks, from what a request carries."""

    def identify(self, headers: Headers, *, renew: bool) -> Identity | None:
        """The identity, or ``None``. ``renew``: a person asked.

        Raises:
            IndexUnavailable: the database does not answer.
        """

    def refused(self, who: Identity, what: str) -> None:
        """Note that somebody asked for what the role does not grant."""


class AccountAuthenticator:
    """Bearer token, or the session of the cookie; a token that is given outranks the cookie and must be right."""

    def __init__(self, accounts: Accounts, cookie: str) -> None:
        self._accounts = accounts
        self._cookie = cookie

    def identify(self, headers: Headers, *, renew: bool) -> Identity | None:
        """See :class:`Authenticator`."""
        given = headers.get("authorization")
        if given is not None:
            scheme, _, token = given.partition(" ")
            return self._accounts.by_token(token.strip()) if scheme.lower() == "bearer" else None
        secret = cookie_of(headers, self._cookie)
        return self._accounts.by_session(secret, renew=renew) if secret else None

    def refused(self, who: Identity, what: str) -> None:
        """See :class:`Authenticator`."""
        self._accounts.refused(who, what)


@dataclass(frozen=True, kw_only=True)
class Door:
    """How the gate is set. ``forbidden`` makes the page; ``metrics_open``: ``/metrics`` without account, to this machine."""

    authenticator: Authenticator
    forbidden: Callable[[], HTMLResponse]
    public_url: str = ""
    metrics_open: bool = False


class Gate:
    """Plain ASGI, as :class:`triage.web.guard.Guard`: everything is denied that no line below lets through."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:  # before anybody is known: nobody may keep us waiting
            async with asyncio.timeout(BODY_SECONDS):
                streamed = scope["method"] in SAFE_METHODS or template_of(scope["path"]) in STREAMED
                body = b"" if streamed else await _body(request)
        except TimeoutError:
            await Json({"detail": "the body came too slowly"}, 408, {"Connection": "close"})(scope, receive, send)
            return
        except ClientDisconnect:
            return
        if body is None:
            await Json({"detail": "the body is too large"}, status_code=413)(scope, receive, send)
            return
        try:
            who, refusal = await run_in_threadpool(self._judge, request, body)
        except IndexUnavailable:
            refusal = Json({"detail": "the database does not answer; try again"}, 503, {"Retry-After": "10"})
            who = None
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if who:
            scope["still_allowed"] = self._still(request)
        token = present.set(who)
        came = way.set(via_of(who) if who else {})
        try:
            await self._app(scope, receive if streamed else _replay(body, receive), send)
        finally:
            present.reset(token)
            way.reset(came)

    def _judge(self, request: Request, body: bytes) -> tuple[Identity | None, Response | None]:
        """Who it is, and the refusal, if any."""
        path, method, headers = request.scope["path"], request.method, request.headers  # not the URL: ``Host`` is part of that
        door = self._door
        if path in PUBLIC or path.startswith(PUBLIC_FOLDER):
            return None, None if method in SAFE_METHODS or self._own_origin(headers, absent=True) else _meddled()
        if path == METRICS and door.metrics_open and is_from_here(request.scope):
            return None, None
        template = template_of(path)
        who = door.authenticator.identify(headers, renew=template not in BY_ITSELF or PERSON_HEADER in headers)
        if who is None:
            return None, _sign_in_first(request)
        methods = needed(path)
        if methods is None:
            return who, Json({"detail": "Not Found"}, status_code=404)
        if method not in methods:
            return who, Json({"detail": "Method Not Allowed"}, 405, {"Allow": ", ".join(sorted(methods))})
        if who.must_change and path not in WITH_OLD_PASSWORD:
            return who, RedirectResponse("/password", 303) if _is_page(request) else _must_change()
        if not who.may(methods[method]):
            door.authenticator.refused(who, f"{method} {path}"[:200])
            return who, self._forbidden(who) if _is_page(request) else Json({"detail": "no permission"}, status_code=403)
        if method not in SAFE_METHODS and who.csrf is not None and not self._meant(headers, body, who.csrf):
            return who, _meddled()
        return who, None

    def _forbidden(self, who: Identity) -> Response:
        token = present.set(who)  # the page names who is signed in, and offers to sign out
        try:
            return self._door.forbidden()
        finally:
            present.reset(token)

    def _meant(self, headers: Headers, body: bytes, csrf: str) -> bool:
        given = headers.get(CSRF_HEADER) or form_of(headers, body).get(CSRF_FIELD, "")
        return hmac.compare_digest(given.encode(), csrf.encode()) and self._own_origin(headers, absent=False)

    def _own_origin(self, headers: Headers, *, absent: bool) -> bool:
        """Whether the page that sends it is ours. Every browser says so with a change; scripts say nothing (``absent``)."""
        origin = headers.get("origin")
        return absent if origin is None else origin in origins_of(headers.get("host", ""), self._door.public_url)

    def _still(self, request: Request) -> Callable[[], bool]:
        needs = (needed(request.scope["path"]) or {}).get(request.method)

        def still() -> bool:
            who = self._door.authenticator.identify(request.headers, renew=False)
            return who is not None and needs is not None and who.may(needs)

        return still


def name_of(_: Request) -> str:
    """Who asks, for the audit. Only behind the gate."""
    who = present.get()
    assert who is not None
    return who.name


def needed(path: str) -> dict[str, Permission] | None:
    """The permissions of a path by method; ``None``: no such route."""
    return ROUTES.get(template_of(path))


def template_of(path: str) -> str:
    """The route that a path belongs to, as :data:`triage.web.permissions.ROUTES` names it; none: empty."""
    return next((template for pattern, template in _PATTERNS if pattern.match(path)), "")


async def while_signed_in(request: Request, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """A stream that ends when its session does, or the permission for it; asked before each piece."""
    still = still_allowed(request)
    async for piece in pieces:
        try:
            if not await run_in_threadpool(still):
                return
        except IndexUnavailable:
            pass  # the stream tells of exactly that; nothing of a patient is in it
        yield piece


def still_allowed(request: Request) -> Callable[[], bool]:
    """Tells, while an answer is being sent, whether the one who asked for it may have it still; asks the database."""
    found: Callable[[], bool] = request.scope.get("still_allowed", lambda: True)
    return found


def cookie_of(headers: Headers, name: str) -> str:
    """A cookie's value; empty: none."""
    try:
        cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


def form_of(headers: Headers, body: bytes) -> dict[str, str]:
    """The fields of a form as browsers send it; of a repeated one the first. Empty: it is none."""
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    try:
        return {name: values[0] for name, values in parse_qs(body.decode("ascii"), True, max_num_fields=50).items()}
    except ValueError:
        return {}


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


def _is_page(request: Request) -> bool:
    """Whether a person looks at a whole page: not a stream, not the API."""
    headers = request.headers
    return "text/html" in headers.get("accept", "") and not request.scope["path"].startswith(("/api/v1/", "/dicomweb/"))


def _sign_in_first(request: Request) -> Response:
    if _is_page(request) and request.method == "GET":
        query = request.scope["query_string"].decode("latin-1")
        asked = request.scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"/sign-in?next={quote(asked, safe='')}", 303)
    headers = {"WWW-Authenticate": "Bearer"}
    return Json({"detail": "sign in first", "sign_in": "/sign-in"}, status_code=401, headers=headers)


def _must_change() -> Response:
    return Json({"detail": "change the password first", "change": "/password"}, status_code=403)


def _meddled() -> Response:
    return PlainTextResponse("This change did not come from a page of this service. Reload the page and try again.\n", 403)
