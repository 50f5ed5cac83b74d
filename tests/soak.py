"""Years in short: films at a steady rate, some of them junk, a process killed every minute, and what grows meanwhile.

``python -m tests.soak --seconds 3600`` does it by itself; tests/integration/test_soak.py asks the same of a service of its own.
"""

import argparse
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.faults.account import HEADINGS, Account, Found
from tests.faults.sender import SUCCESS, Film, Sender, film
from tests.integration.objects import study_uid
from tests.integration.service import ROLES, Service, until

RATE, JUNK, KILL_EVERY = 2.0, 0.01, 60.0
"""Films a second, the share of them that is junk, seconds between two kills."""
SAMPLE_EVERY, WARM_AFTER = 2.0, 120.0
SENT_WITHIN, ASSESSED_WITHIN = 60.0, 300.0
QUANTITIES = ("resident MB", "threads", "files")
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one process. ``age``: seconds since it was first seen."""

    at: float
    role: str
    pid: int
    age: float
    values: tuple[float, ...]


@dataclass(kw_only=True)
class Soaked:
    """What came of it."""

    films: int = 0
    junk: list[str] = field(default_factory=list)
    again: int = 0
    kills: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    log_bytes: list[tuple[float, float]] = field(default_factory=list)
    found: Found = field(default_factory=Found)
    unsent: list[str] = field(default_factory=list)
    gaps: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing lost, nothing doubled, nothing misstated."""
        return self.found.nothing and not self.unsent and not self.gaps and not self.wrong

    def slopes(self, role: str) -> dict[str, float]:
        """Growth an hour of each quantity, by least squares within the lives of the role's processes, each warm already."""
        lives: dict[int, list[Sample]] = {}
        for one in self.samples:
            if one.role == role and one.age >= WARM_AFTER:
                lives.setdefault(one.pid, []).append(one)
        times, values = [], []
        for life in lives.values():
            if len(life) >= 3:
                at, value = np.array([one.at for one in life]), np.array([one.values for one in life])
                times.append(at - at.mean())
                values.append(value - value.mean(axis=0))
        if not times:
            return {}
        at, value = np.concatenate(times), np.concatenate(values)
        return dict(zip(QUANTITIES, (at @ value / (at @ at) * HOUR).tolist(), strict=True))

    def highest(self, role: str) -> dict[str, float]:
        """The largest value of each quantity."""
        found = np.array([one.values for one in self.samples if one.role == role] or [[0.0] * len(QUANTITIES)])
        return dict(zip(QUANTITIES, found.max(axis=0).tolist(), strict=True))


class _Modality(threading.Thread):
    """Sends at the rate; what was not acknowledged is sent again, as modalities do."""

    def __init__(self, service: Service, account: Account, result: Soaked, until_: float, chance: random.Random) -> None:
        super().__init__(name="modality")
        self._service, self._account, self._result = service, account, result
        self._until, self._chance = until_, chance

    def run(self) -> None:
        number, due = 0, time.monotonic()
        while time.monotonic() < self._until:
            number, due = number + 1, due + 1 / RATE
            self._store(self._film(number))
            time.sleep(max(0.0, due - time.monotonic()))

    def _film(self, number: int) -> Film:
        if self._chance.random() < JUNK:
            self._result.junk.append(study_uid(number))
            return film(number, BitsAllocated=17, PixelData=b"junk")
        return film(number)

    def _store(self, one: Film) -> None:
        self._result.films += 1
        deadline = time.monotonic() + SENT_WITHIN
        while time.monotonic() < deadline:
            with suppress(OSError), Sender(self._service.dimse_port, "SOAK", seconds=15) as sender:
                if self._account.note(one, sender.store(one)) == SUCCESS:
                    return
            self._result.again += 1
            time.sleep(0.2)
        self._result.unsent.append(one.uid)


def look(service: Service, first_seen: dict[int, float], began: float) -> list[Sample]:
    """Every role's process at this moment."""
    found = []
    for role in service.roles:
        row = service.role(role)
        with suppress(OSError, IndexError, ValueError):
            pid = int(row["pid"]) if row is not None else 0
            now = time.monotonic()
            if pid:
                values = (_resident(pid), _count(pid, "task"), _count(pid, "fd"))
                found.append(Sample(now - began, role, pid, now - first_seen.setdefault(pid, now), values))
    return found


def _resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _count(pid: int, what: str) -> float:
    return float(len(os.listdir(f"/proc/{pid}/{what}")))


def soak(service: Service, seconds: float, seed: int = 1) -> Soaked:
    """So many seconds of it on a service that runs all of :data:`ROLES` under their supervisor, then the account."""
    result, account, chance = Soaked(), Account(), random.Random(seed)
    began = time.monotonic()
    modality = _Modality(service, account, result, began + seconds, random.Random(seed))
    modality.start()
    first_seen: dict[int, float] = {}
    next_kill = began + KILL_EVERY / 2
    while modality.is_alive():
        result.samples += look(service, first_seen, began)
        with suppress(OSError):
            result.log_bytes.append((time.monotonic() - began, (service.home / "triage.db-wal").stat().st_size / 1e6))
        if time.monotonic() >= next_kill:
            next_kill += KILL_EVERY
            result.kills.append(_kill(service, chance))
        modality.join(SAMPLE_EVERY)
    _account(service, account, result)
    return result


def _kill(service: Service, chance: random.Random) -> str:
    role = chance.choice(service.roles)
    with suppress(ProcessLookupError):
        os.kill(service.pid(role), signal.SIGKILL)
    return role


def _account(service: Service, account: Account, result: Soaked) -> None:
    def waiting() -> int:
        return int(service.rows("SELECT count(*) AS n FROM study WHERE level = 'pending'")[0]["n"])

    until(lambda: waiting() == 0, ASSESSED_WITHIN, "all assessed", every=0.5)
    result.found = account.check(service)
    done = service.triage("verify", "--json")
    result.gaps = 0 if done.returncode == 0 else max(1, done.stdout.count('"what"'))
    doubled = "SELECT study_instance_uid FROM outcome GROUP BY study_instance_uid, image_set, bundle_id HAVING count(*) > 1"
    result.wrong += [f"two outcomes: {row['study_instance_uid']}" for row in service.rows(doubled)]
    scored = "SELECT study_instance_uid AS uid FROM study WHERE probability IS NOT NULL"
    result.wrong += [f"junk with a score: {row['uid']}" for row in service.rows(scored) if row["uid"] in result.junk]
    if not service.rows(scored):
        result.wrong.append("nothing was assessed")


def report(result: Soaked, roles: Sequence[str], seconds: float) -> str:
    """What a person wants to read of it."""
    lines = [
        f"{seconds:.0f} s: films {result.films}, junk among them {len(result.junk)}, sent again {result.again}",
        f"kills {len(result.kills)}: {', '.join(result.kills)}",
        f"{HEADINGS} | unsent | gaps | wrong",
        " | ".join(map(str, [*result.found.counts(), len(result.unsent), result.gaps, len(result.wrong)])),
        f"{'role':<10}" + "".join(f"{f'{name}: most, an hour':>28}" for name in QUANTITIES),
    ]
    for role in roles:
        highest, slopes = result.highest(role), result.slopes(role)
        cells = (f"{highest[name]:.0f}, {slopes[name]:+.1f}" if slopes else f"{highest[name]:.0f}, ?" for name in QUANTITIES)
        lines.append(f"{role:<10}" + "".join(f"{cell:>28}" for cell in cells))
    if result.log_bytes:
        lines.append(f"write-ahead log: at most {max(size for _, size in result.log_bytes):.1f} MB")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """A service of its own in a folder that goes away."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--seconds", type=float, default=HOUR)
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        service = Service(Path(folder) / "home", ROLES)
        service.home.mkdir()
        try:
            result = soak(service.start(), options.seconds)
            print(report(result, ROLES, options.seconds))
        finally:
            service.kill()
    return int(not result.good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
