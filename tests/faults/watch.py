"""``python -m tests.faults.watch PORT CALLED SOURCE [CA CERTIFICATE KEY]``: another peer, a C-ECHO every 100 ms, until told.

A process of its own, so that what an attack costs its sender is not taken for what it costs the others.
Each in an association of its own. Prints one JSON object: seconds of each that was answered, and what came of the others.
"""

import json
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.faults.wire import Peer, sender_tls

EVERY = 0.1
PATIENCE = 10.0
"""What a modality's technician would call *not answered*."""


def once(port: int, called: str, source: str, tls: ssl.SSLContext | None = None) -> str:
    """Connect, associate, C-ECHO, release; ``status 0000`` or what went wrong."""
    try:
        with Peer(port, source=source, seconds=PATIENCE, tls=tls) as peer:
            if (found := peer.associate(called=called, calling="WATCH")) != "accept":
                return found
            found = peer.echo()
            peer.release()
            return found
    except OSError as error:
        return type(error).__name__


def main(port: int, called: str, source: str, *files: str) -> None:
    """Ask until nobody wants to know any more."""
    tls = sender_tls(*files) if files else None
    took, refused = [], []
    while True:
        begun = time.monotonic()
        found = once(port, called, source, tls)
        spent = time.monotonic() - begun
        took.append(spent) if found == "status 0000" else refused.append(found)
        if select.select([sys.stdin], [], [], max(0.0, EVERY - spent))[0]:
            break
    json.dump({"took": took, "refused": refused}, sys.stdout)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the other peer saw. Seconds."""

    took: list[float]
    refused: list[str]

    @property
    def p50(self) -> float:
        return median(self.took) if self.took else float("inf")

    @property
    def p99(self) -> float:
        """The longest but one in a hundred; those that were not answered count as the longest."""
        ordered = sorted(self.took) + [float("inf")] * len(self.refused)
        return ordered[max(0, round(len(ordered) * 0.99) - 1)] if ordered else float("inf")


class Watch:
    """Such a peer while a block runs; then ``seen``."""

    def __init__(self, port: int, called: str, source: str, files: Sequence[str] = ()) -> None:
        self._command = [sys.executable, "-m", "tests.faults.watch", str(port), called, source, *files]
        self.seen = Seen([], [])

    def __enter__(self) -> "Watch":
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        told, _error = self._process.communicate("stop\n", timeout=3 * PATIENCE)
        self.seen = Seen(**json.loads(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
