"""What holds for every answer: the strict headers, and that only this machine's own names are served."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}
"""For a year a browser that was here asks by https only (RFC 6797)."""
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
"""A name or bracketed address and a port (RFC 9110, 7.2), and nothing that would mean something else in a URL."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, can only mean this machine."""
    try:
        return host.lower() == "localhost" or ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def is_from_here(scope: Scope) -> bool:
    """Whether a program of this machine itself asks: by its address, by the name it asks for, and not for somebody else."""
    headers, (address, _) = Headers(scope=scope), scope.get("client") or ("", 0)
    handed_on = "x-forwarded-for" in headers or "forwarded" in headers
    return is_loopback(address) and is_loopback(_without_port(headers.get("host", ""))) and not handed_on


def origins_of(host: str, public_url: str) -> frozenset[str]:
    """The origins whose pages are ours, for a request to ``host`` (with its port)."""
    public = urlsplit(public_url)
    found = {f"http://{host}"} if is_loopback(_without_port(host)) else set()
    return frozenset(found | ({f"{public.scheme}://{public.netloc}"} if public.netloc else set()))


class Guard:
    """Refuses a foreign ``Host`` (a web site that rebinds its name to 127.0.0.1) and adds the headers.

    ``public_url``: under which name people reach the pages, besides this machine's own.

    Plain ASGI: a wrapper that buffered would hold the event stream back.
    """

    def __init__(self, app: ASGIApp, public_url: str = "") -> None:
        self._app = app
        self._public = urlsplit(public_url).hostname or ""
        self._headers = HEADERS | (OVER_TLS if public_url.startswith("https://") else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        cache = "no-cache" if scope["path"].startswith("/static/") else "no-store"

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", cache)
            await send(message)

        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) == 1 and self._is_ours(_without_port(hosts[0])):
            await self._app(scope, receive, send_guarded)
        else:
            words = "This name is not served here; use http://127.0.0.1 and the port, or the address in web.public_url.\n"
            refusal = PlainTextResponse(words, status_code=421)
            await refusal(scope, receive, send_guarded)

    def _is_ours(self, host: str) -> bool:
        return is_loopback(host) or bool(self._public and host.lower() == self._public)


def _without_port(host: str) -> str:
    """The name or address of a ``Host`` header; empty: it is not one."""
    found = _HOST.fullmatch(host)
    return found[1] if found else ""
