"""``python -m tests.benchmark backup [--quick]``: how long a film waits for its answer while a backup is made."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmark.upkeep import fill
from tests.faults.sender import SUCCESS, Sender, film
from tests.integration.service import Service
from tests.unit.database.stores import sql_database
from triage.archive.files import FileArchive

STUDIES, SIDE = 20_000, 512
ALONE = 20.0
"""Seconds of sending before anybody backs up."""


class Modality(threading.Thread):
    """Films of half a megabyte, one after the other; what each waited, in seconds, by what went on meanwhile."""

    def __init__(self, port: int) -> None:
        super().__init__(name="modality")
        self.port, self.stop, self.phase = port, threading.Event(), ""
        self.waited: dict[str, list[float]] = {}

    def run(self) -> None:
        number = 0
        with Sender(self.port) as sender:
            while not self.stop.is_set():
                number, phase = number + 1, self.phase
                one = film(number, side=SIDE)
                begun = time.perf_counter()
                assert sender.store(one) == SUCCESS
                self.waited.setdefault(phase, []).append(time.perf_counter() - begun)


def main(count: int = STUDIES) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as temporary:
        home = Path(temporary) / "home"
        home.mkdir()
        database = sql_database(home)
        fill(FileArchive(home / "instances", 0), database, count)
        database.close()
        service = Service(home, ("intake",)).start()
        modality = Modality(service.dimse_port)
        try:
            _measure(service, modality, Path(temporary) / "backups", count)
        finally:
            modality.stop.set()
            modality.join()
            service.kill()


def _measure(service: Service, modality: Modality, folder: Path, count: int) -> None:
    took: dict[str, float] = {}
    modality.phase = "nothing else"
    modality.start()
    time.sleep(ALONE)
    for phase in (f"the first backup: {count} films are copied", "the next: the database and what is new"):
        modality.phase, begun = phase, time.perf_counter()
        command = [sys.executable, "-m", "triage", "backup", str(folder), "--home", str(service.home)]
        subprocess.run(command, env=service.environment, check=True, stdout=subprocess.DEVNULL)
        took[phase] = time.perf_counter() - begun
    modality.phase = "afterwards"
    time.sleep(ALONE / 4)
    size = service.database.stat().st_size / 1e6
    print(f"\ndatabase {size:.0f} MB, films of {SIDE * SIDE / 1e6:.1f} MB one after the other, load {os.getloadavg()[0]:.1f}\n")
    print("| meanwhile | it took s | films | p50 ms | p95 ms | longest ms |\n|---|---|---|---|---|---|")
    for phase, waited in modality.waited.items():
        middle, most = statistics.median(waited), statistics.quantiles(waited, n=20)[-1]
        times = f"{middle * 1e3:.0f} | {most * 1e3:.0f} | {max(waited) * 1e3:.0f}"
        print(f"| {phase} | {took.get(phase, 0):.0f} | {len(waited)} | {times} |", flush=True)
