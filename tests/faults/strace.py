"""Faults from the kernel's side: ``strace`` on a process that runs, for the length of one store."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.syscalls import Call, read

CALLS = "%desc,%file,%network"
ATTACHED = re.compile(r"attached")


@contextmanager
def attached(process: int, trace: Path, *options: str) -> Iterator[None]:
    """Every thread of a process is traced within the block; afterwards it runs as before, if it lives."""
    command = ["strace", "-f", "-y", "-x", "-s", "400", "-o", str(trace), "-p", str(process), *options]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        while not ATTACHED.search(line := tracer.stderr.readline()):
            assert line, "strace does not attach"
        yield
    finally:
        tracer.terminate()
        tracer.stderr.read()
        tracer.wait()
        tracer.stderr.close()


def inject(name: str, what: str, when: int) -> tuple[str, ...]:
    """Options: something befalls the call of that name, the ``when``-th of its thread."""
    return ("-e", f"trace={CALLS}", "-e", f"inject={name}:{what}:when={when}")


def struck(trace: Path) -> bool:
    """Whether an injected fault has befallen a call."""
    return "(INJECTED)" in trace.read_text(errors="replace")


def calls_of(trace: Path) -> list[Call]:
    """Its calls, without those of threads that neither received the object nor answered (a heartbeat)."""
    calls = read(trace)
    busy = {call.thread for call in calls if call.name.startswith("send") or ".part" in call.arguments}
    return [call for call in calls if call.thread in busy]


def points(calls: list[Call]) -> list[tuple[str, int]]:
    """Where a store can be struck: name of the call, and the how-manieth of that name in its thread, in their order."""
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], None] = {}
    for call in sorted(calls, key=lambda one: one.begun):
        seen[call.thread, call.name] += 1
        found[call.name, seen[call.thread, call.name]] = None
    return list(found)
