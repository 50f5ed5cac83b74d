"""Viewers on origins of their own (Fetch, CORS protocol): exactly those that the settings name may read ``/dicomweb``."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.web.dicomweb.addresses import ROOT

METHODS = "GET, POST"
ASKED = "Accept, Authorization, Content-Type"
EXPOSED = "Content-Type, ETag, Warning"
REMEMBERED_SECONDS = "600"


class Cors:
    """Answers preflights before anybody is known, and lets a named origin read what its person may see. Plain ASGI.

    A request itself is judged behind this, by its session or token; a change that comes with a cookie is refused there, as
    from any other foreign page.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str] = ()) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        here = scope["type"] == "http" and scope["path"].startswith(f"{ROOT}/") and self._origins
        if not here:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        allowed = self._allowed(origin)
        if scope["method"] == "OPTIONS" and allowed and "access-control-request-method" in headers:
            preflight = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": ASKED}
            answer = Response(status_code=204, headers={**allowed, **preflight, "Access-Control-Max-Age": REMEMBERED_SECONDS})
            await answer(scope, receive, send)
            return

        async def send_readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = MutableHeaders(scope=message)
                told.add_vary_header("Origin")
                told.update({**allowed, "Access-Control-Expose-Headers": EXPOSED} if allowed else {})
            await send(message)

        await self._app(scope, receive, send_readable)

    def _allowed(self, origin: str) -> dict[str, str]:
        if origin not in self._origins:
            return {}
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}
