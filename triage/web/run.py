"""Serving the application: on loopback, until told to stop."""

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from triage.domain.errors import ConfigError
from triage.web.guard import is_loopback

GRACE_SECONDS = 3


class Server(uvicorn.Server):
    """Tells the real port once it listens, and lets go of open event streams before it waits for connections to end."""

    def __init__(
        self, app: FastAPI, host: str, port: int, on_started: Callable[[int], None], *, beyond_loopback: bool = False
    ) -> None:
        if not beyond_loopback and not is_loopback(host):
            raise ConfigError(f"web.host {host!r}: only loopback (127.0.0.1) is served without https; set web.public_url")
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,  # addresses of requests are kept nowhere
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._feed = app.state.feed
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say on which port."""
        await super().startup(sockets)
        if self.started:
            self._on_started(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, or they would hold the server until the grace is over."""
        self._feed.stop()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A first signal ends cleanly, a second one at once; neither is raised again, so that the exit code is 0."""
        self.force_exit, self.should_exit = self.should_exit, True


def serve(app: FastAPI, host: str, port: int, on_started: Callable[[int], None], *, beyond_loopback: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. Port 0: the system chooses; ``on_started`` is told the real one.

    ``beyond_loopback``: the settings allow another address, because TLS stands before it.

    Raises:
        ConfigError: the host is not loopback, or the port is taken.
    """
    server = Server(app, host, port, on_started, beyond_loopback=beyond_loopback)
    server.run(sockets=[listening_socket(host, port)])


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket bound to the address: a port that is taken is a fault of the configuration, said in one line.

    Raises:
        ConfigError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"web.port {port} on {host} cannot be opened: {error.strerror}; choose another or 0") from error
