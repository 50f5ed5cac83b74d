"""``kill -9`` at a chosen system call of a process, by strace."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

CHANGING = (
    "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "chmod", "fchmod", "ftruncate",
    "fsync", "fdatasync", "pwrite64", "write", "writev",
)  # fmt: skip
"""Calls after which a disk may look otherwise: to die at any other call is to die before the next one of these."""
Point = tuple[str, int]
"""(system call, the how many-th of it, from 1)."""


def points(
    command: Sequence[str], trace: Path, calls: Sequence[str] = CHANGING, *, after: str = "settle.lock"
) -> Iterator[Point]:
    """Every one of these calls that the command makes once it has opened ``after``; the command is run for it."""
    subprocess.run(
        ["strace", "-f", "-o", str(trace), "-e", f"trace={','.join((*calls, 'openat'))}", *command],
        check=True,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    seen: Counter[str] = Counter()
    begun = False
    for line in trace.read_text(errors="replace").splitlines():
        if found := re.match(r"\d+ +(\w+)\(", line):
            seen[found[1]] += 1
            begun = begun or after in line
            if begun and found[1] in calls:
                yield found[1], seen[found[1]]


def kill(command: Sequence[str], point: Point) -> bool:
    """Run it and kill it there; ``False``: it came to its end before.

    Raises:
        AssertionError: it ended otherwise.
    """
    call, number = point
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", os.devnull, *inject, *command],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
    return done.returncode != 0


def environment() -> dict[str, str]:
    """Nothing is written but what the step itself writes."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, "-m", *arguments]
