"""F05: the power goes while a worker assesses: each outcome is there or is not yet, and what was seen stays.

``python -m tests.faults assessing [--cuts N]``. The disk is an ext4 image; intake and worker are on it.
"""

import argparse
import itertools
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.account import Account, Found
from tests.faults.disk import Disk, disk, missing
from tests.faults.intake import Intake
from tests.faults.power import MEGABYTES, Senders
from tests.integration.service import Service, until

OUTCOMES = "SELECT study_instance_uid, bundle_id, document FROM outcome"


@dataclass(kw_only=True)
class Cuts:
    """``seen``: outcomes that another process had read before a cut; ``taken_back``: those that were gone afterwards."""

    cuts: int = 0
    seen: int = 0
    taken_back: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    found: Found = field(default_factory=Found)
    acknowledged: int = 0

    @property
    def good(self) -> bool:
        return self.found.nothing and not self.taken_back and not self.gaps and self.seen > 0


def _outcomes(intake: Intake) -> set[tuple[str, ...]]:
    return {tuple(map(str, row.values())) for row in intake.rows(OUTCOMES)}


def _cut(home: Disk, intake: Intake, worker: Service) -> None:
    assert worker.process is not None
    for number in (signal.SIGSTOP, signal.SIGKILL):
        intake.signal(number)
        os.killpg(worker.process.pid, number)
        if number == signal.SIGSTOP:
            home.cut()
    intake.kill()
    worker.process.wait()
    until(lambda: _unmounted(home), 10, "nobody uses the disk any more")
    home.mount()


def _unmounted(home: Disk) -> bool:
    try:
        home.unmount()
    except subprocess.CalledProcessError:
        return False
    return True


def assessing(cuts: int, seed: int = 7) -> Cuts:
    """That many cuts, each after some outcomes more."""
    chance, row, account, numbers = random.Random(seed), Cuts(), Account(), itertools.count(1)
    with disk("ext4", MEGABYTES["ext4"]) as home, TemporaryDirectory() as folder:
        intake = Intake(home.folder / "home", log=Path(folder, "intake.log")).start()
        worker = Service(home.folder / "home", ("worker",))
        worker.log = Path(folder, "worker.log")
        try:
            for _ in range(cuts):
                worker.start()
                before, known = len(_outcomes(intake)), set(account.acknowledged)
                senders = Senders(intake, account, numbers)
                enough = before + chance.randrange(1, 12)
                until(lambda enough=enough: len(_outcomes(intake)) >= enough, 120, "outcomes")
                seen = _outcomes(intake)
                time.sleep(chance.uniform(0, 0.05))  # so that the cut falls anywhere in the next one's commit
                senders.refusals_allowed = True
                _cut(home, intake, worker)
                senders.stop()
                intake.start()
                new = set(account.acknowledged) - known
                row.found.add(account.check(intake, new))
                row.found.add(account.adopted(intake, new))
                row.taken_back += [one[0] for one in seen - _outcomes(intake)]
                row.seen += len(seen) - before
                row.cuts += 1
                verified = intake.triage("verify", "--json")
                row.gaps += [verified.stdout[-300:]] * (verified.returncode != 0)
            intake.stop()
        finally:
            worker.kill()
            intake.kill()
    row.acknowledged = len(account.acknowledged)
    return row


def run(arguments: list[str]) -> int:
    """Twenty cuts."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults assessing")
    parser.add_argument("--cuts", type=int, default=20)
    options = parser.parse_args(arguments)
    if why := missing():
        print(f"not tried: {why}")
        return 0
    row = assessing(options.cuts)
    print("| cuts | acknowledged | not as promised | outcomes seen before a cut | gone after it | gaps in `triage verify` |")
    print("|---|---|---|---|---|---|")
    cells = (row.cuts, row.acknowledged, row.found.counted() or "nothing", row.seen, len(row.taken_back), len(row.gaps))
    print(f"| {' | '.join(map(str, cells))} |")
    if row.gaps:
        print(row.gaps[0])
    return int(not row.good)
