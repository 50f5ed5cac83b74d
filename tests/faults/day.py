"""A day at a large hospital in fast time. ``python -m tests.faults day [--studies N] [--worker]``.

Thirty AE titles send studies of one to three films; some films come again, some transfers break off, and some of what comes is
no DICOM at all.
"""

import argparse
import itertools
import os
import random
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.faults.account import HEADINGS, Account, Found
from tests.faults.intake import Intake
from tests.faults.sender import SUCCESS, Answer, Film, Sender, film
from tests.integration.objects import study_uid
from tests.integration.service import Service

TITLES, SENDERS = 30, 6
AGAIN, BROKEN_OFF, JUNK, LARGE = 0.05, 0.02, 0.02, 0.05
EVERY = 200
"""Films between two looks at the memory."""

RUBBISH = (
    b"GET / HTTP/1.1\r\nHost: triage\r\n\r\n",
    b"\x01\x00\xff\xff\xff\xff",
    bytes(64),
    b"\x04\x00\x00\x00\x00\x02\x00\x00",
)


@dataclass(kw_only=True)
class Day:
    """What came of it. ``memory``: (films acknowledged, resident MB) again and again."""

    studies: int
    films: int = 0
    again: int = 0
    broken_off: int = 0
    junk: int = 0
    seconds: list[float] = field(default_factory=list)
    memory: list[tuple[int, float]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    found: Found = field(default_factory=Found)
    listed: int = 0
    took: float = 0.0

    @property
    def slope(self) -> float:
        """MB per 1,000 films, by least squares over the second half: the first fills caches and pools."""
        half = self.memory[len(self.memory) // 2 :]
        if len(half) < 3:
            return 0.0
        films, megabytes = np.array(half).T
        return float(np.polyfit(films, megabytes, 1)[0] * 1000)

    @property
    def good(self) -> bool:
        return self.found.nothing and not self.unexpected and self.listed == self.studies


class Modality(threading.Thread):
    """Sends studies, each by an association of its own under one of the titles."""

    def __init__(self, intake: Intake, day: Day, account: Account, studies: "itertools.count[int]", seed: int) -> None:
        super().__init__(name=f"modality {seed}")
        self.intake, self.day, self.account, self.studies = intake, day, account, studies
        self.chance = random.Random(seed)

    def run(self) -> None:
        while (number := next(self.studies)) <= self.day.studies:
            title = f"ROOM{self.chance.randrange(TITLES):02d}"
            if self.chance.random() < JUNK:
                self._rubbish()
            films = [self._film(number, image) for image in range(1, self.chance.choice((1, 1, 2, 2, 3)) + 1)]
            if self.chance.random() < BROKEN_OFF:
                self._break_off(title, films[0])
            with Sender(self.intake.dimse_port, title) as sender:
                for one in films:
                    self._store(sender, one)
                    if self.chance.random() < AGAIN:
                        self.day.again += 1
                        self._store(sender, one)

    def _film(self, number: int, image: int) -> Film:
        return film(number, image, side=1200 if self.chance.random() < LARGE else 0)

    def _store(self, sender: Sender, one: Film) -> None:
        begun = time.monotonic()
        answer: Answer = self.account.note(one, sender.store(one))
        self.day.seconds.append(time.monotonic() - begun)
        self.day.films += 1
        if answer != SUCCESS:
            self.day.unexpected.append(f"{answer:04X}" if isinstance(answer, int) else answer)
        if self.day.films % EVERY == 0:
            self.day.memory.append((len(self.account.acknowledged), _resident(self.intake.number)))

    def _break_off(self, title: str, one: Film) -> None:
        self.day.broken_off += 1
        sender = Sender(self.intake.dimse_port, title)
        pdus = b"".join(sender.message(one))
        sender.socket.sendall(pdus[: self.chance.randrange(1, len(pdus))])
        self.chance.choice((Sender.abort, Sender.reset, Sender.close))(sender)

    def _rubbish(self) -> None:
        self.day.junk += 1
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.intake.dimse_port), timeout=1) as peer:
            peer.sendall(self.chance.choice(RUBBISH))


def _resident(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def day(folder: Path, studies: int, worker: bool) -> Day:
    """From the first study to the last, and what is there then."""
    result, account, numbers = Day(studies=studies), Account(), itertools.count(1)
    intake = Intake(folder / "home").start()
    beside = Service(folder / "home", ("worker",))
    beside.log = folder / "worker.log"
    begun = time.monotonic()
    try:
        if worker:
            beside.start()
        modalities = [Modality(intake, result, account, numbers, seed) for seed in range(SENDERS)]
        for one in modalities:
            one.start()
        for one in modalities:
            one.join()
        result.took = time.monotonic() - begun
        result.found = account.check(intake)
        listed = {row["study_instance_uid"] for row in intake.rows("SELECT study_instance_uid FROM study")}
        result.listed = len(listed & {study_uid(number) for number in range(1, studies + 1)})
        intake.stop()
    finally:
        beside.kill()
        intake.kill()
    return result


def run(arguments: list[str]) -> int:
    """5,000 studies."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults day")
    parser.add_argument("--studies", type=int, default=5000)
    parser.add_argument("--worker", action="store_true", help="a worker assesses beside it")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        found = day(Path(folder), options.studies, options.worker)
    p50, p95, most = np.percentile(found.seconds, (50, 95, 100)) * 1000
    print(
        f"| worker | studies | films | sent again | broken off | junk | {HEADINGS} | listed | unexpected"
        " | p50 | p95 | slowest |"
    )
    print(f"|{'---|' * 17}")
    cells = (
        "running" if options.worker else "not running",
        found.studies,
        found.films,
        found.again,
        found.broken_off,
        found.junk,
        *found.found.counts(),
        found.listed,
        len(found.unexpected),
        *(f"{value:.0f} ms" for value in (p50, p95, most)),
    )
    print(f"| {' | '.join(map(str, cells))} |")
    first, last = found.memory[0][1] if found.memory else 0.0, found.memory[-1][1] if found.memory else 0.0
    print(f"\n{found.films / found.took:.0f} films a second, {found.took:.0f} s; ", end="")
    print(f"resident {first:.0f} → {last:.0f} MB, slope {found.slope:+.2f} MB per 1,000 films")
    return int(not found.good)
