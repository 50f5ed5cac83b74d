"""Serving: loopback only, the real port told, a prompt and clean end with streams open."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import httpx
import pytest

from tests.unit.web import scene
from tests.unit.web.signed_in import SignedIn
from triage.domain.errors import ConfigError
from triage.web.app import create_app
from triage.web.run import Server, listening_socket, serve

PROGRAM = """
from tests.unit.web import scene
from tests.unit.web.signed_in import SignedIn
from triage.web.app import create_app
from triage.web.run import serve
from datetime import UTC, datetime
database, _ = scene.afternoon()
app = create_app(database, clock=lambda: datetime.now(UTC), free_bytes=lambda: 1, authenticator=SignedIn())
serve(app, "127.0.0.1", 0, lambda port: print(port, flush=True))
print("ended", flush=True)
"""


def app() -> Any:
    database, now = scene.afternoon()
    return create_app(database, clock=lambda: now, free_bytes=lambda: 1, authenticator=SignedIn())


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "triage.example", ""])
def test_only_loopback(host: str) -> None:
    with pytest.raises(ConfigError, match="https"):
        serve(app(), host, 0, lambda port: None)


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"web.port {port} on 127.0.0.1 cannot be opened"):
            serve(app(), "127.0.0.1", port, lambda port: None)


def test_open_streams_do_not_hold_the_end() -> None:
    started, ports = threading.Event(), []

    def on_started(port: int) -> None:
        ports.append(port)
        started.set()

    server = Server(app(), "127.0.0.1", 0, on_started)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening_socket("127.0.0.1", 0)]})
    thread.start()
    assert started.wait(10)
    with httpx.stream("GET", f"http://127.0.0.1:{ports[0]}/events", timeout=10) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: worklist"
        asked = time.monotonic()
        server.should_exit = True
        assert list(lines) is not None  # ends by itself
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - asked < 2.5  # within the grace, not at its end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_cleanly(number: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=os.getcwd())
    with process:
        assert process.stdout
        port = int(process.stdout.readline())
        assert httpx.get(f"http://127.0.0.1:{port}/livez").json() == {"alive": True}
        process.send_signal(number)
        assert process.stdout.read() == "ended\n"
    assert process.returncode == 0
