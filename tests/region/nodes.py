"""One host's part of the service, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.integration.service import START_WITHIN, STOP_WITHIN, until
from tests.region.hosts import Host

READY = {"intake": "listening", "worker": "model loaded", "web": "serving", "scheduler": "ringing"}
"""A role's log event once it is at work; one that has none is at work once it runs."""
DICOM_PORT, WEB_PORT = 11112, 8080


class Node:
    """One role on one host. ``stubbed``: seconds that a film takes a worker, without work; ``None``: the real thing."""

    def __init__(self, host: Host, role: str, home: Path, settings: dict[str, str], *, stubbed: float | None = None) -> None:
        self.host, self.role, self.home = host, role, home
        self.log = home.with_suffix(".log")
        given = settings
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
        self.environment = inherited | {f"TRIAGE_{name.upper()}": value for name, value in given.items()}
        what = ("-m", "triage") if stubbed is None else ("-m", "tests.region.stubbed", str(stubbed))
        self.program = (*host.run, sys.executable, *what)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Node":
        """Start it; :meth:`ready` waits."""
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            command = [*self.program, "serve", self.role, "--home", str(self.home)]
            # ip netns exec becomes the program: the process is the role's own
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, start_new_session=True
            )
        return self

    def ready(self) -> "Node":
        """Wait until it is at work."""
        event = READY.get(self.role)
        until(lambda: event is None or self.logged(event) or self._ended(), START_WITHIN, f"{self.role} at work")
        return self

    def _ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.tail()
        return False

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A ``triage`` command on this host's home."""
        command = [*self.host.run, sys.executable, "-m", "triage", *arguments, "--home", str(self.home)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300, check=False)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one event."""
        lines = (line for line in self.log.read_text(encoding="utf-8").splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, lines) if line.get("event") == event]

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """``kill -9``."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        """SIGTERM; it must drain and exit 0."""
        assert self.process is not None
        self.signal(signal.SIGTERM)
        assert self.process.wait(STOP_WITHIN) == 0, self.tail()


def cpu_seconds(nodes: Sequence[Node]) -> float:
    """What their processes have used so far, children that ended among them."""
    ticks = 0
    for node in nodes:
        assert node.process is not None
        fields = Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
