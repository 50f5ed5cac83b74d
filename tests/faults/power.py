"""F04: the power goes while four senders send; what was acknowledged is there when it comes back.

``python -m tests.faults power [--cuts N] [--kind ext4 xfs]``. The cut is the shutdown ioctl of the file system without a flush
of its log. The intake is stopped before it, so that it cannot acknowledge anything afterwards.
"""

import argparse
import itertools
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.account import HEADINGS, Account, Found
from tests.faults.disk import Disk, disk, missing
from tests.faults.intake import Intake
from tests.faults.sender import ANOTHER_OBJECT, SUCCESS, Film, Sender, film
from tests.integration.objects import chest

STORAGE_FULL, INDEX_UNAVAILABLE = 0xA700, 0xA701
SENDERS, MEGABYTES = 4, {"ext4": 1500, "xfs": 1500}
SECONDS = (0.2, 1.4)
"""From the start of sending to the cut."""

SIDES = (0, 0, 0, 700, 1400)
"""Films of 4 kB, of 0.5 MB, of 2 MB."""


class Senders:
    """Four threads that send films until they are told to stop or their associations end. The last sends other bytes, too."""

    def __init__(self, intake: Intake, account: Account, numbers: Iterator[int]) -> None:
        self._intake, self._account, self._numbers = intake, account, numbers
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.unexpected: list[str] = []
        self.refusals_allowed = False
        self._threads = [threading.Thread(target=self._send, args=(place,)) for place in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self, place: int) -> None:
        chance = random.Random(place)
        with Sender(self._intake.dimse_port, f"RIG{place}", seconds=20) as sender:
            while not self._over.is_set():
                with self._lock:
                    number = next(self._numbers)
                mine = film(number, side=chance.choice(SIDES))
                if not self._store(sender, mine, SUCCESS):
                    return
                if place == SENDERS - 1 and not self._store(sender, film(number, PixelData=chest("other")), ANOTHER_OBJECT):
                    return

    def _store(self, sender: Sender, film: Film, usual: int) -> bool:
        answer = self._account.note(film, sender.store(film))
        refused = self.refusals_allowed and answer in (STORAGE_FULL, INDEX_UNAVAILABLE)
        if isinstance(answer, int) and answer != usual and not refused:
            self.unexpected.append(f"{answer:04X}")
        return answer == usual

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@dataclass(kw_only=True)
class Cuts:
    """One row of the table."""

    cuts: int = 0
    found: Found = field(default_factory=Found)
    unexpected: list[str] = field(default_factory=list)
    acknowledged: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return self.found.nothing and not self.unexpected and self.acknowledged > 0


def cut(home: Disk, intake: Intake) -> None:
    """The power goes, and comes back."""
    intake.signal(signal.SIGSTOP)
    home.cut()
    intake.kill()
    home.unmount()
    home.mount()


def power(kind: str, cuts: int, sabotage: str = "", seed: int = 7) -> Cuts:
    """That many cuts of one disk."""
    chance, row, account, numbers = random.Random(seed), Cuts(), Account(), itertools.count(1)
    begun = time.monotonic()
    with disk(kind, MEGABYTES[kind]) as home, TemporaryDirectory() as folder:
        intake = Intake(home.folder / "home", sabotage=sabotage, log=Path(folder, "intake.log"))
        intake.start()
        try:
            for _ in range(cuts):
                before = set(account.acknowledged)
                senders = Senders(intake, account, numbers)
                time.sleep(chance.uniform(*SECONDS))  # the moment of the cut is what is drawn by chance
                senders.refusals_allowed = True  # a thread that has not stopped yet may still say that the disk is gone
                cut(home, intake)
                senders.stop()
                row.unexpected += senders.unexpected
                intake.start()
                new = set(account.acknowledged) - before
                row.found.add(account.check(intake, new))
                row.found.add(account.adopted(intake, new))
                row.cuts += 1
            row.found.add(account.check(intake))
            intake.stop()
            verified = intake.triage("verify", "--json")
            if verified.returncode and not sabotage:
                row.unexpected.append(f"triage verify: {verified.stdout[-300:]}")
        finally:
            intake.kill()
    row.acknowledged, row.seconds = len(account.acknowledged), time.monotonic() - begun
    return row


def run(arguments: list[str]) -> int:
    """Cuts of both file systems."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults power")
    parser.add_argument("--cuts", type=int, default=25)
    parser.add_argument("--kind", nargs="+", default=list(MEGABYTES), choices=MEGABYTES)
    options = parser.parse_args(arguments)
    print(f"| file system | cuts | acknowledged | {HEADINGS} | unexpected answers | seconds |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    good = True
    for kind in options.kind:
        if why := missing(kind):
            print(f"| {kind} | not tried: {why} |")
            continue
        row = power(kind, options.cuts)
        good &= row.good
        cells = (kind, row.cuts, row.acknowledged, *row.found.counts(), len(row.unexpected), f"{row.seconds:.0f}")
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        if not row.good:
            print(vars(row.found), row.unexpected)
    return int(not good)
