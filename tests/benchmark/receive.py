"""Films a second received: ours beside peers that promise less, the same sender, rounds in turn."""

import os
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.receivers import PROGRAMS, RECEIVERS, Receiver


@dataclass(frozen=True)
class Round:
    """One receiver, one round."""

    films_per_second: float
    cpu_ms_per_film: float


def measure(folder: Path, films: list[Path], associations: int, rounds: int) -> dict[str, list[Round]]:
    """Each receiver in turn, ``rounds`` times; every round with an empty store and a check of the count."""
    names = [name for name in RECEIVERS if name not in PROGRAMS or shutil.which(PROGRAMS[name])]
    results: dict[str, list[Round]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            place = folder / f"{name}-{number}"
            with RECEIVERS[name](place) as receiver:
                results[name].append(_round(receiver, films, associations))
            shutil.rmtree(place)
    return results


def _round(receiver: Receiver, films: list[Path], associations: int) -> Round:
    cpu, started = receiver.cpu_seconds(), time.monotonic()
    senders = [
        subprocess.Popen(
            ["storescu", "-aec", receiver.ae_title, "127.0.0.1", str(receiver.port), *map(str, films[first::associations])],
            env={**os.environ, "TCP_NODELAY": "1"},  # without it DCMTK peers stall 40 ms a film
        )
        for first in range(associations)
    ]
    codes = [sender.wait() for sender in senders]
    seconds = time.monotonic() - started
    assert codes == [0] * associations, f"{receiver.name} refused films: {codes}"
    deadline = time.monotonic() + 10
    while receiver.stored() != len(films):
        assert time.monotonic() < deadline, f"{receiver.name} holds {receiver.stored()} of {len(films)} films"
        time.sleep(0.05)
    return Round(len(films) / seconds, (receiver.cpu_seconds() - cpu) * 1000 / len(films))


def row(name: str, rounds: list[Round], base: list[Round]) -> str:
    """One line of the table: medians, and the ratio of ours to this receiver, round by round."""
    speed = statistics.median(one.films_per_second for one in rounds)
    cpu = statistics.median(one.cpu_ms_per_film for one in rounds)
    ratio = statistics.median(ours.films_per_second / one.films_per_second for ours, one in zip(base, rounds, strict=True))
    return f"| {name} | {speed:.1f} | {cpu:.1f} | {ratio:.2f} |"
