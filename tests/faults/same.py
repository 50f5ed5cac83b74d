"""F21–F23: the same film at the same instant, and two films of one UID.

``python -m tests.faults same [--times N] [--races N]``
"""

import argparse
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.account import Account
from tests.faults.intake import Intake
from tests.faults.sender import ANOTHER_OBJECT, SUCCESS, Answer, Film, Sender, film
from tests.integration.objects import chest

ASSOCIATIONS = 8


@dataclass(kw_only=True)
class Races:
    """One row of the table."""

    tried: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    rows: int = 0
    files: int = 0
    aside: int = 0


def at_once(senders: list[Sender], films: list[Film], account: Account) -> list[Answer]:
    """A film by each, all from one barrier."""
    barrier, answers = threading.Barrier(len(senders)), list[Answer]()

    def store(sender: Sender, one: Film) -> None:
        pdus = b"".join(sender.message(one))
        barrier.wait()
        answers.append(account.note(one, sender.send(pdus)))

    threads = [threading.Thread(target=store, args=pair) for pair in zip(senders, films, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def twins(senders: list[Sender], account: Account, times: int) -> Races:
    """One film by all of them, again and again."""
    race = Races(tried=times * len(senders))
    for _ in range(times):
        race.answers.update(map(str, at_once(senders, [film(1)] * len(senders), account)))
    if set(race.answers) != {str(SUCCESS)}:
        race.wrong.append(f"answers {dict(race.answers)}")
    return race


def rivals(senders: list[Sender], account: Account, races: int) -> Races:
    """Two films of one UID: one is taken, the other set aside."""
    race = Races(tried=races)
    for number in range(2, 2 + races):
        answers = at_once(senders[:2], [film(number), film(number, PixelData=chest(f"rival {number}"))], account)
        race.answers.update(map(str, answers))
        if sorted(map(str, answers)) != sorted(map(str, (SUCCESS, ANOTHER_OBJECT))):
            race.wrong.append(f"film {number}: {answers}")
    return race


def _counted(race: Races, intake: Intake, account: Account, rows: int, aside: int) -> Races:
    race.rows, race.files = len(intake.rows("SELECT 1 FROM instance")), len(list(intake.home.glob("instances/objects/*/*.dcm")))
    race.aside = len(list(intake.home.glob("instances/quarantine/*.dcm")))
    if (race.rows, race.files, race.aside) != (rows, rows, aside):
        race.wrong.append(f"expected {rows} rows and files and {aside} set aside")
    found = account.check(intake)
    if not found.nothing:
        race.wrong.append(found.counted())
    return race


def same(times: int, races: int) -> dict[str, Races]:
    """Both kinds on one home."""
    account = Account()
    with TemporaryDirectory() as folder:
        intake = Intake(Path(folder, "home")).start()
        try:
            senders = [Sender(intake.dimse_port, f"RIG{place}") for place in range(ASSOCIATIONS)]
            first = _counted(twins(senders, account, times), intake, account, 1, 0)
            second = _counted(rivals(senders, account, races), intake, account, 1 + races, races)
            for sender in senders:
                sender.release()
            intake.stop()
        finally:
            intake.kill()
    return {f"one film on {ASSOCIATIONS} associations at once": first, "two films of one UID at the same instant": second}


def run(arguments: list[str]) -> int:
    """100 times the one, 500 times the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults same")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--races", type=int, default=500)
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    found = same(options.times, options.races)
    print(
        "| what | tried | answers | rows then | files then | set aside then | not as promised |\n|---|---|---|---|---|---|---|"
    )
    for name, race in found.items():
        answers = ", ".join(
            f"{int(one):04X} × {count}" if one.isdigit() else f"{one} × {count}" for one, count in race.answers.items()
        )
        wrong = f"{len(race.wrong)}: {race.wrong[0]}" if race.wrong else "nothing"
        print(f"| {name} | {race.tried} | {answers} | {race.rows} | {race.files} | {race.aside} | {wrong} |")
    print(f"\n{time.monotonic() - begun:.0f} s")
    return int(any(race.wrong for race in found.values()))
