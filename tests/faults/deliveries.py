"""``kill -9`` of whoever sends results, at every step and system call: at the receiver nothing is lost, nothing doubled."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.killed import CHANGING, environment, kill, points, python
from tests.faults.one_delivery import NAME
from tests.unit.database.stores import sql_database
from tests.unit.domain.make import POLICY, instance, scored, study
from tests.unit.hl7.peers import Peer, peer, takes
from triage.clock import utc_now
from triage.database.engine import SqlDatabase
from triage.domain.delivery import DELIVERED
from triage.domain.result import Result
from triage.domain.study import with_outcome
from triage.hl7.message import control_id
from triage.hl7.structure import parse
from triage.services.publish import register
from triage.services.results import place

STEPS = ("spread", "claimed", "sent", "ended")
RESULTS = 3
CALLS = (*CHANGING, "connect", "sendto", "recvfrom")


@dataclass
class Hospital:
    """A home with results to send, and the system that is to hear of them."""

    home: Path
    ris: Peer
    database: SqlDatabase

    @property
    def command(self) -> list[str]:
        return python("tests.faults.one_delivery", str(self.home), str(self.ris.port))

    def send(self) -> None:
        """Whoever comes after the kill."""
        subprocess.run(self.command, check=True, env=environment())

    def results(self) -> list[Result]:
        with self.database.read() as tx:
            return [one for number in range(RESULTS) for one in tx.deliveries.results(f"1.2.{number}")]

    def wrong(self) -> tuple[int, int, int]:
        """(lost, doubled, not noted as delivered)."""
        heard = [parse(one).control_id for one in self.ris.messages]
        wanted = {control_id(one) for one in self.results()}
        with self.database.read() as tx:
            noted = [one.state for one in tx.deliveries.deliveries(destination=NAME)]
        return len(wanted - set(heard)), len(set(heard) - wanted), RESULTS - noted.count(DELIVERED)


@contextmanager
def hospital() -> Iterator[Hospital]:
    """Three studies with a result each; nothing was sent yet."""
    with tempfile.TemporaryDirectory(prefix="deliveries-") as folder, peer(takes) as ris:
        database = sql_database(Path(folder))
        try:
            register(database, [NAME], utc_now)
            for number in range(RESULTS):
                uid, at = f"1.2.{number}", utc_now()
                with database.write() as tx:
                    place(tx, study(uid, at), at)
                    tx.add_instance(instance(uid, 1, at))
                    tx.add_outcome(outcome := scored(uid, 0.9, at=at))
                    place(tx, with_outcome(study(uid, at), outcome, POLICY), at)
            yield Hospital(Path(folder), ris, database)
        finally:
            database.close()


def killed_at_step(step: str) -> tuple[int, int, int, int]:
    """(lost, doubled, not noted, messages heard) when it is killed behind a step, and another one comes after it."""
    with hospital() as at:
        done = subprocess.run([*at.command, step], check=False, env=environment())
        assert done.returncode == -9, "it came to its end"
        at.send()
        return *at.wrong(), len(at.ris.messages)


def run(arguments: list[str]) -> int:
    """``deliveries [N]``: every N-th system call (default: every one)."""
    every = int(arguments[0]) if arguments else 1
    total = [0, 0, 0]
    print("| killed | kills | messages heard | lost | duplicates | not noted |\n|---|---|---|---|---|---|")
    for step in STEPS:
        *wrong, heard = killed_at_step(step)
        total = [before + now for before, now in zip(total, wrong, strict=True)]
        print(f"| behind *{step}* | 1 | {heard} | {wrong[0]} | {wrong[1]} | {wrong[2]} |", flush=True)
    with hospital() as at:
        found = list(points(at.command, at.home / "trace", CALLS, after="triage.db"))[::every]
    kills, heard, sums = 0, 0, [0, 0, 0]
    for point in found:
        with hospital() as at:
            kills += kill(at.command, point)
            at.send()
            sums = [before + now for before, now in zip(sums, at.wrong(), strict=True)]
            heard += len(at.ris.messages)
    total = [before + now for before, now in zip(total, sums, strict=True)]
    print(f"| at a system call | {kills} | {heard} | {sums[0]} | {sums[1]} | {sums[2]} |")
    print(f"\n{kills + len(STEPS)} kills with {RESULTS} results each: lost {total[0]}, duplicates {total[1]}")
    return int(any(total) or kills < len(found) // 2)
