"""F20: somebody holds the database for a while. ``python -m tests.faults locked [SECONDS …]``."""

import argparse
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.account import Account
from tests.faults.intake import Intake
from tests.faults.sender import SUCCESS, Answer, Sender, film
from tests.integration.service import until
from triage.database.patience import BUSY_TIMEOUT

STORAGE_FULL, INDEX_UNAVAILABLE = 0xA700, 0xA701
BUSY = BUSY_TIMEOUT.total_seconds()
MARGIN = 3.0
"""Seconds that a busy machine may add to the wait."""

SENDERS = 4


@dataclass(kw_only=True)
class Wait:
    """One row of the table; ``slowest``: seconds from a film to its answer while the database was held."""

    answers: list[Answer] = field(default_factory=list)
    slowest: float = 0.0
    taken_again: float = 0.0
    wrong: list[str] = field(default_factory=list)


def wait(intake: Intake, account: Account, seconds: float, first: int) -> Wait:
    """Four senders, each a film, while another connection has ``BEGIN EXCLUSIVE`` for that long."""
    row, held, over = Wait(), threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(intake.home / "triage.db", timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            held.set()
            over.wait(seconds)
            connection.execute("ROLLBACK")

    def store(number: int) -> None:
        one = film(number)
        with Sender(intake.dimse_port) as sender:
            begun = time.monotonic()
            answer = account.note(one, sender.store(one))
            row.slowest = max(row.slowest, time.monotonic() - begun)
        row.answers.append(answer)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(30)
    senders = [threading.Thread(target=store, args=(first + place,)) for place in range(SENDERS)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    holder.join()
    _judge(row, intake, account, seconds, first)
    return row


def _judge(row: Wait, intake: Intake, account: Account, seconds: float, first: int) -> None:
    allowed = {SUCCESS} if seconds < BUSY / 2 else {SUCCESS, INDEX_UNAVAILABLE, STORAGE_FULL}
    if seconds > 2 * BUSY:
        allowed.discard(SUCCESS)
    row.wrong += [f"answered {answer}" for answer in row.answers if answer not in allowed]
    if row.slowest > min(seconds, BUSY) + MARGIN:
        row.wrong.append(f"waited {row.slowest:.1f} s")
    begun = time.monotonic()
    for place in range(SENDERS):  # each film again, as a sender would do
        one = film(first + place)

        def taken(one=one) -> bool:
            with Sender(intake.dimse_port) as sender:
                return account.note(one, sender.store(one)) == SUCCESS

        until(taken, 30, "taken again", every=0.1)
    row.taken_again = time.monotonic() - begun
    found = account.check(intake)
    if not found.nothing:
        row.wrong.append(found.counted())


def locked(seconds: list[float]) -> dict[float, Wait]:
    """By seconds."""
    account = Account()
    with TemporaryDirectory() as folder:
        intake = Intake(Path(folder, "home")).start()
        try:
            rows = {each: wait(intake, account, each, 1 + place * 100) for place, each in enumerate(seconds)}
            intake.stop()
        finally:
            intake.kill()
    return rows


def run(arguments: list[str]) -> int:
    """0.1 s to a minute."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults locked")
    parser.add_argument("seconds", nargs="*", type=float, default=[0.1, 1.0, 4.0, 5.0, 20.0, 60.0])
    rows = locked(parser.parse_args(arguments).seconds)
    print("| database held for | answers | slowest answer | all taken again after | not as promised |\n|---|---|---|---|---|")
    for seconds, row in rows.items():
        answers = ", ".join(f"{one:04X}" if isinstance(one, int) else one for one in sorted(row.answers, key=str))
        wrong = "; ".join(row.wrong) or "nothing"
        print(f"| {seconds:g} s | {answers} | {row.slowest:.1f} s | {row.taken_again:.1f} s | {wrong} |")
    return int(any(row.wrong for row in rows.values()))
