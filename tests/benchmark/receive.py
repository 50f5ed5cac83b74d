"""``python -m tests.benchmark receive [--rounds 3] [--films 1.0] [--only TEXT] [--json FILE]``: films a second received.

Ours beside peers that promise less, the same sender (DCMTK's ``storescu``), rounds in turn, each with an empty store. After
each round the films on disk are counted; after the first their pixel data are compared with what was sent.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from pydicom import dcmread

from tests.benchmark import films
from tests.benchmark.receivers import LACKS, PROGRAMS, RECEIVERS, Receiver

Sizes = dict[str, tuple[Callable[[Path, int, int], list[Path]], int, int, tuple[str, ...]]]
SIZES: Sizes = {
    "1 MB raw": (films.make, 724, 80, ()),
    "5 MB JPEG 2000": (films.make_coded, 2750, 40, ("-xv",)),
    "15 MB raw": (films.make, 2750, 24, ()),
}
"""Name → how they are made, rows and columns, how many, how ``storescu`` proposes their transfer syntax."""

ONE_EACH = 0
"""In place of a number of associations: one after another, each film in an association of its own, as modalities send."""
ASSOCIATIONS = (1, 4, 8, ONE_EACH)
FILMS_ONE_EACH = 16
QUIET = 0.5
"""Load average for each core before the first round above which there is no verdict."""
OURS = "triage"


@dataclass(frozen=True, slots=True)
class Round:
    """One receiver, one round."""

    films_per_second: float
    cpu_ms_per_film: float


@dataclass(frozen=True, slots=True)
class Aim:
    """``least`` times as fast as the peer, at most ``cpu`` times its CPU."""

    size: str
    associations: int
    peer: str
    least: float
    cpu: float = float("inf")


AIMS = (
    Aim("15 MB raw", 4, "Orthanc", 1.8, 0.35),
    Aim("15 MB raw", 1, "Orthanc", 3.0, 0.35),
    Aim("1 MB raw", 4, "Orthanc", 1.3, 0.65),
    Aim("1 MB raw", 4, "pynetdicom's storescp", 2.8),
    Aim("15 MB raw", 4, "pynetdicom's storescp", 4.0),
    Aim("1 MB raw", ONE_EACH, "storescp", 1 / 1.5),
    Aim("15 MB raw", ONE_EACH, "storescp", 1 / 1.5),
)

Results = dict[str, list[Round]]


def measure(folder: Path, paths: Sequence[Path], associations: int, rounds: int, how: Sequence[str] = ()) -> Results:
    """Each receiver in turn, ``rounds`` times; every round with an empty store and a check of the count."""
    names = [name for name in RECEIVERS if name not in PROGRAMS or shutil.which(PROGRAMS[name])]
    results: Results = {name: [] for name in names}
    sent = Counter(_pixels(path) for path in paths)
    for number in range(rounds):
        for name in names:
            place = folder / f"{PROGRAMS.get(name, 'triage')}-{number}"
            with RECEIVERS[name](place) as receiver:
                results[name].append(_round(receiver, paths, associations, how))
                if number == 0:
                    assert Counter(map(_pixels, receiver.films())) == sent, f"{name} keeps other pixels than were sent"
            shutil.rmtree(place)
    return results


def _round(receiver: Receiver, paths: Sequence[Path], associations: int, how: Sequence[str]) -> Round:
    cpu, started = receiver.cpu_seconds(), time.monotonic()
    command = ["storescu", *how, "-aec", receiver.ae_title, *receiver.sender, "127.0.0.1", str(receiver.port)]
    if associations == ONE_EACH:
        codes = [_start([*command, str(path)]).wait() for path in paths]
    else:
        senders = [_start([*command, *map(str, paths[first::associations])]) for first in range(associations)]
        codes = [sender.wait() for sender in senders]
    seconds = time.monotonic() - started
    assert not any(codes), f"{receiver.name} refused films: {codes}"
    deadline = time.monotonic() + 10
    while receiver.stored() != len(paths):
        assert time.monotonic() < deadline, f"{receiver.name} holds {receiver.stored()} of {len(paths)} films"
        time.sleep(0.05)
    return Round(len(paths) / seconds, (receiver.cpu_seconds() - cpu) * 1000 / len(paths))


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    # without it DCMTK peers stall 40 ms a film
    return subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"})


def _pixels(path: Path) -> str:
    """A digest of the value of Pixel Data as it stands in a file."""
    return sha256(dcmread(path)["PixelData"].value).hexdigest()


def ratio(ours: list[Round], theirs: list[Round], figure: str) -> float:
    """Ours by theirs, round by round; the median."""
    return statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in zip(ours, theirs, strict=True))


def median(rounds: list[Round], figure: str) -> float:
    return statistics.median(getattr(one, figure) for one in rounds)


HEADINGS = (
    "receiver | films/s | wall ms/film | receiver CPU ms/film | ours is … times as fast | ours takes … of its CPU | it has no"
)


def row(name: str, results: Results) -> str:
    """One line of the table: medians, and ratios with ours in the same round."""
    rounds, ours = results[name], results[OURS]
    speed = median(rounds, "films_per_second")
    cells = (
        name,
        f"{speed:.1f}",
        f"{1000 / speed:.1f}",
        f"{median(rounds, 'cpu_ms_per_film'):.1f}",
        f"{ratio(ours, rounds, 'films_per_second'):.2f}",
        f"{ratio(ours, rounds, 'cpu_ms_per_film'):.2f}",
        LACKS[name],
    )
    return f"| {' | '.join(cells)} |"


def verdict(aim: Aim, results: Results) -> str:
    """A line that says whether an aim is met."""
    speed = ratio(results[OURS], results[aim.peer], "films_per_second")
    cpu = ratio(results[OURS], results[aim.peer], "cpu_ms_per_film")
    met = speed >= aim.least and cpu <= aim.cpu
    wanted = f"≥ {aim.least:.2f} ×" + (f", ≤ {aim.cpu:.2f} of its CPU" if aim.cpu < float("inf") else "")
    found = f"{speed:.2f} ×, {cpu:.2f} of its CPU"
    return f"| {aim.size}, {_title(aim.associations)} | {aim.peer} | {wanted} | {found} | {'yes' if met else '**no**'} |"


def main(arguments: Sequence[str]) -> None:
    """Make films, measure, print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark receive")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--films", type=float, default=1.0, help="times as many films")
    parser.add_argument("--only", default="", help="only sizes with this in their name")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args(arguments)
    load, started = os.getloadavg()[0], time.monotonic()
    print(
        f"load average before: {load:.2f}; {options.rounds} rounds, medians; sender and receiver share {os.cpu_count()} cores"
    )
    found: dict[tuple[str, int], Results] = {}
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as temporary:
        for size, (make, side, count, how) in SIZES.items():
            if options.only not in size:
                continue
            folder = Path(temporary) / size.replace(" ", "-")
            made = make(folder, max(8, round(count * options.films)), side)
            for associations in ASSOCIATIONS:
                some = made if associations else made[:FILMS_ONE_EACH]
                found[size, associations] = _block(size, folder, some, associations, options.rounds, how)
    _judge(found, load)
    print(f"\nload average after: {os.getloadavg()[0]:.2f}; {time.monotonic() - started:.0f} s")
    if options.json:
        figures = [
            {"films": size, "associations": number, "receiver": name, "rounds": [asdict(one) for one in rounds]}
            for (size, number), results in found.items()
            for name, rounds in results.items()
        ]
        options.json.write_text(json.dumps({"load_before": load, "figures": figures}, indent=1) + "\n", encoding="utf-8")


def _block(size: str, folder: Path, paths: list[Path], associations: int, rounds: int, how: Sequence[str]) -> Results:
    megabytes = paths[0].stat().st_size / 1e6
    print(f"\n{size} ({megabytes:.1f} MB), {_title(associations)}, {len(paths)} films, ", end="")
    print(f"load average {os.getloadavg()[0]:.1f}\n\n| {HEADINGS} |\n|{'---|' * 7}", flush=True)
    results = measure(folder / "receive", paths, associations, rounds, how)
    for name in results:
        print(row(name, results), flush=True)
    return results


def _judge(found: dict[tuple[str, int], Results], load: float) -> None:
    if load > QUIET * (os.cpu_count() or 1):
        print(f"\n**No verdict**: the load average was {load:.2f} before it began; these figures are worth nothing.")
        return
    print("\n| films | against | aim | measured | met |\n|---|---|---|---|---|")
    for aim in AIMS:
        results = found.get((aim.size, aim.associations), {})
        if aim.peer in results:
            print(verdict(aim, results))


def _title(associations: int) -> str:
    if associations == ONE_EACH:
        return "an association for each film"
    return f"{associations} association{'s' * (associations > 1)}"
