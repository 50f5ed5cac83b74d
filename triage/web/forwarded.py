"""Whose address a request comes from, where a proxy that we trust hands it on."""

from collections.abc import Collection
from ipaddress import ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

FORWARDED = "x-forwarded-for"


class Forwarded:
    """Puts the caller's address in place of the proxy's: the last hop of ``X-Forwarded-For``, which that proxy wrote itself.

    ``proxies``: addresses, or networks of them. From anybody else, and where it is no address, the header counts for nothing.
    """

    def __init__(self, app: ASGIApp, proxies: Collection[str]) -> None:
        self._app = app
        self._proxies = [ip_network(one) for one in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        peer = scope.get("client")
        if scope["type"] == "http" and peer and self._is_trusted(peer[0]):
            hop = last_hop(Headers(scope=scope).getlist(FORWARDED))
            scope = {**scope, "client": (hop, 0)} if hop else scope
        await self._app(scope, receive, send)

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:  # no address, as from a socket of this machine
            return False
        return any(address in network for network in self._proxies)


def last_hop(headers: list[str]) -> str:
    """The address that the nearest proxy saw; empty: there is none, or it is no address."""
    hop = headers[-1].rpartition(",")[2].strip() if headers else ""
    try:
        return str(ip_address(hop.removeprefix("[").removesuffix("]")))
    except ValueError:
        return ""
