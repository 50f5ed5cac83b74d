"""What a training will cost: time, from its first warm steps, and disk."""

from collections.abc import Callable, Mapping
from pathlib import Path

from training.errors import TrainingError

WARM = 5
"""Steps that are timed, after one that TensorFlow spends on compiling."""
CHECKPOINT_COPIES = 6
"""Weights, where they began, their average, the best ones, and two moments of the optimiser."""


def disk(network_bytes: int, networks: int) -> int:
    """Bytes that a run takes: the checkpoint and its successor, the members, the joined weights while they are replaced."""
    return network_bytes * (2 * CHECKPOINT_COPIES + 3 * networks) + 1_000_000


def check_disk(path: Path, needed: int, free: int) -> None:
    """Whether there is room.

    Raises:
        TrainingError: there is not.
    """
    if needed > free:
        raise TrainingError(
            f"{path}: training needs {size(needed)} of disk, {size(free)} are free; free some, or name another --out"
        )


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def expected(networks: Mapping[tuple[tuple[int, float], ...], int], done: float) -> str:
    """How long it takes; ``networks``: for each course of phases (epochs, seconds of one) how many go through it.

    ``done``: the share that lies behind.
    """
    parts, whole = [], 0.0
    for phases, count in networks.items():
        courses = [f"{epochs} epoch{'s'[: epochs > 1]} × {seconds:.1f} s" for epochs, seconds in phases]
        each = courses[0] if len(courses) == 1 else f"({' + '.join(courses)})"
        parts.append(f"{count} network{'s'[: count > 1]} × {each}")
        whole += count * sum(epochs * seconds for epochs, seconds in phases)
    behind = f", {done:.0%} of it done" if done else ""
    return f"about {duration(whole * (1 - done))}: {', '.join(parts)}{behind}"


class Pace:
    """Times the first warm steps and tells once what one took, in seconds."""

    def __init__(self, clock: Callable[[], float], tell: Callable[[float], None], steps: int) -> None:
        self._clock, self._tell = clock, tell
        self._steps = -1
        self._last = max(1, min(WARM, steps - 1))
        self._began = 0.0

    def step(self) -> None:
        """One more step is done."""
        self._steps += 1
        if self._steps == 0:
            self._began = self._clock()
        if self._steps == self._last:
            self._tell((self._clock() - self._began) / self._steps)
