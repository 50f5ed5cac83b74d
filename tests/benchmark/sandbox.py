"""What a child of its own costs a film, against the same work in the process itself; and the address space that it takes."""

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import dcmread

from tests.benchmark import films
from triage.imaging.eligibility import Intended
from triage.imaging.spec import PreprocessingSpec
from triage.sandbox.films import SandboxFilms
from triage.sandbox.limits import LIMITS
from triage.sandbox.memory import MemoryFilms
from triage.sandbox.preload import preload
from triage.services.ports import Films

SIZES = {"2 MB": 1024, "15 MB": 2750}
LARGEST = 10_000
"""Rows and columns of the largest film that is decoded (:data:`triage.imaging.codecs.MAX_PIXELS`)."""


def main(rounds: int) -> None:
    """Print the tables of docs/performance.md; both ways in turn, film by film. Processor time is told as well: it does not
    depend on who else uses the machine.
    """
    here = MemoryFilms()
    print(f"load average {os.getloadavg()[0]:.1f}; {rounds} rounds, medians\n")
    print("| film | in the process ms | in a child ms | a child costs ms | processor time in the process / in a child ms |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as temporary:
        started = _server_time(lambda sandbox: sandbox.protections())
        for size, side in SIZES.items():
            (film,) = films.make(Path(temporary) / str(side), 1, side)
            took: list[tuple[float, float]] = []
            own: list[float] = []

            def compare(
                sandbox: SandboxFilms,
                film: Path = film,
                took: list[tuple[float, float]] = took,
                own: list[float] = own,
            ) -> None:
                for _ in range(rounds):
                    begun = time.process_time()
                    inside = _took(here, film)
                    own.append(1000 * (time.process_time() - begun))
                    took.append((inside, _took(sandbox, film)))

            spent = (_server_time(compare) - started) / rounds
            inside, apart = (statistics.median(column) for column in zip(*took, strict=True))
            cost = statistics.median(b - a for a, b in took)
            row = f"| {size} raw | {inside:.1f} | {apart:.1f} | {cost:.1f} |"
            print(f"{row} {statistics.median(own):.1f} / {spent:.1f} |", flush=True)
        print(f"\nthe fork server's start, once: {started:.0f} ms of processor time")
        preload()
        print("\n| address space of a child | MB |\n|---|---|")
        print(f"| before it opens a film | {_address_space(lambda: None):.0f} |")
        (film,) = films.make(Path(temporary) / "model", 1, 64)
        largest = _largest(film, Path(temporary) / "largest.dcm")
        print(f"| at most, with {LARGEST} × {LARGEST} pixels raw | {_address_space(lambda: _took(here, largest)):.0f} |")
        print(f"| the cap | {LIMITS.memory_bytes / 1e6:.0f} |")


def _server_time(work: Callable[[SandboxFilms], object]) -> float:
    """Milliseconds of processor time that a fork server and its children took, from start to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    sandbox = SandboxFilms()
    sandbox.protections()
    work(sandbox)
    sandbox.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _took(way: Films, film: Path) -> float:
    begun = time.perf_counter()
    with film.open("rb") as stream:
        made = way.prepare(stream, PreprocessingSpec(), Intended(16), 60)
    assert made.tensor is not None, made.by_pixels
    return 1000 * (time.perf_counter() - begun)


def _largest(model: Path, path: Path) -> Path:
    dataset = dcmread(model)
    dataset.Rows = dataset.Columns = LARGEST
    dataset.PixelData = np.tile(np.arange(LARGEST, dtype="<u2") % 4096, LARGEST).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def _address_space(work: Callable[[], object]) -> float:
    """The most megabytes of address space that a forked child had. It is not bound: nothing hides what it would take."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
            status = Path("/proc/self/status").read_text()
            os.write(sink, next(line for line in status.splitlines() if line.startswith("VmPeak")).encode())
        finally:
            os._exit(0)
    os.close(sink)
    with open(source, "rb") as told:
        peak = told.read()
    os.waitpid(child, 0)
    return int(peak.split()[1]) * 1024 / 1e6
