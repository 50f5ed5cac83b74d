"""One worker against four on hosts of their own, on PostgreSQL: how near to linear, and what a study costs the database."""

import os
import time
from dataclasses import dataclass

import numpy as np

from tests.region.nodes import cpu_seconds
from tests.region.region import Region, region

STUBBED = 0.1
"""Seconds that a film takes a worker, without work: what is measured is everything around it."""
STATED = 5.0
"""Studies a second: 18,000 an hour, the busiest hour of 180,000 a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One row of the table. ``cpu``: seconds of all our processes for each study, PostgreSQL's not among them."""

    workers: int
    intakes: int
    studies: int
    seconds: float
    p50: float
    p95: float
    commits: float
    log_bytes: float
    cpu: float


def measure(workers: int, intakes: int, studies: int, stubbed: float | None, rate: float) -> Measured:
    """Send them at ``rate`` (0: as fast as they go) with so many of each from the start, until the last is assessed."""
    with region() as one:
        for role in ("web", "scheduler", *("intake",) * intakes, *("worker",) * workers):
            one.add(role, stubbed=stubbed if role == "worker" else None).start()
        for node in (*one.of("intake"), *one.of("worker")):
            node.ready()
        to = one.balance()
        one.send(to, 1, 4 * workers)  # everybody is warm
        one.wait_assessed(4 * workers, 120)
        before, used, began = _counters(one), cpu_seconds(one.nodes), time.monotonic()
        one.send(to, 4 * workers + 1, studies, senders=8, rate=rate)
        one.wait_assessed(4 * workers + studies, 600)
        seconds = time.monotonic() - began
        after = _counters(one)
        waits = [float(row[0]) / 1e6 for row in one.asked("SELECT assessed_at - arrived_at FROM study ORDER BY arrived_at")]
        p50, p95 = np.percentile(waits[4 * workers :], (50, 95))
        books = one.books(1, 4 * workers + studies)
        assert (books["lost"], books["doubled"], books["not assessed"]) == (0, 0, 0), books
        return Measured(
            workers=workers,
            intakes=intakes,
            studies=studies,
            seconds=seconds,
            p50=float(p50),
            p95=float(p95),
            commits=(after[0] - before[0]) / studies,
            log_bytes=(after[1] - before[1]) / studies,
            cpu=(cpu_seconds(one.nodes) - used) / studies,
        )


def _counters(one: Region) -> tuple[int, int]:
    commits = one.asked("SELECT sum(xact_commit) FROM pg_stat_database")[0][0]
    return int(commits), int(one.asked("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0])


def main(studies: int) -> None:
    """The tables of docs/scale.md: everything at once, then at a rate that the machine keeps up with."""
    print("| pixels | workers | intakes | sent at | studies | studies/s | p50 s | p95 s | commits | WAL kB | CPU ms |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for workers, intakes, stubbed, rate in (
        (1, 1, STUBBED, 0.0),
        (4, 1, STUBBED, 0.0),
        (4, 2, STUBBED, 0.0),
        (4, 2, STUBBED, STATED),
        (1, 1, None, 0.0),
        (4, 2, None, 0.0),
        (4, 2, None, STATED),
    ):
        one = measure(workers, intakes, studies, stubbed, rate)
        print(
            f"| {'real' if stubbed is None else f'stubbed, {stubbed:g} s a film'} | {workers} | {intakes} "
            f"| {f'{rate:g}/s' if rate else 'full speed'} | {one.studies} "
            f"| {one.studies / one.seconds:.1f} | {one.p50:.2f} | {one.p95:.2f} | {one.commits:.1f} "
            f"| {one.log_bytes / 1e3:.1f} | {one.cpu * 1e3:.0f} |",
            flush=True,
        )
    print(f"\nload average after: {os.getloadavg()[0]:.2f}")
