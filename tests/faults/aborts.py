"""F26, F48, F49: transfers that break off, SIGTERM among them, a clock that jumps. ``python -m tests.faults aborts``."""

import argparse
import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.account import Account, Found
from tests.faults.intake import Intake
from tests.faults.power import Senders
from tests.faults.sender import SUCCESS, Sender, film
from tests.integration.service import until

ENDS: dict[str, Callable[[Sender], None]] = {"A-ABORT": Sender.abort, "RST": Sender.reset, "close": Sender.close}
SIDE = 300
JUMPS = {"+1 h": 3600.0, "-1 h": -3600.0, "+1 s": 1.0, "-1 s": -1.0, "+12 years": 12 * 365.25 * 86400}
SETTLE = 0.15
"""Seconds for a timer that looks at the wall clock to go off."""

CLOCK = """
import datetime, signal, time
import triage.clock as clock
real, shift = time.time, [0.0]
def jump(number, frame):
    with open({path!r}) as stream:
        shift[0] = float(stream.read())
class Shifted(datetime.datetime):
    @classmethod
    def now(cls, zone=None):
        return datetime.datetime.now(zone) + datetime.timedelta(seconds=shift[0])
time.time = lambda: real() + shift[0]
clock.datetime = Shifted
signal.signal(signal.SIGUSR1, jump)
"""
"""Both wall clocks that Python code asks are shifted on a signal: the kernel has one such clock for all processes."""


WALL = "time.monotonic = time.time\n"
"""An intake that measures its deadlines by the wall clock."""


def broken_off(intake: Intake, count: int, seed: int = 7) -> list[str]:
    """That many transfers end before their last byte, at the end of a PDU or within one; returns what is not as promised."""
    chance, wrong = random.Random(seed), list[str]()
    threads, descriptors = _held(intake)
    for number in range(count):
        end = list(ENDS)[number % len(ENDS)]
        sender = Sender(intake.dimse_port)
        pdus = sender.message(film(number + 1, side=SIDE))
        whole = pdus[: chance.randrange(1, len(pdus))]
        cut_off = pdus[len(whole)][: chance.randrange(1, len(pdus[len(whole)]))] if number // len(ENDS) % 2 else b""
        sender.socket.sendall(b"".join(whole) + cut_off)
        ENDS[end](sender)
    try:
        until(lambda: all(now <= before + 2 for now, before in zip(_held(intake), (threads, descriptors), strict=True)), 10)
    except AssertionError:
        wrong.append(f"threads and descriptors {_held(intake)}, before {threads, descriptors}")
    if not intake.wait_until_empty():
        wrong.append(f"left over {len(intake.leftovers())}")
    if rows := len(intake.rows("SELECT 1 FROM instance")):
        wrong.append(f"rows {rows}")
    if files := len(list(intake.home.glob("instances/objects/*/*.dcm"))):
        wrong.append(f"files {files}")
    return wrong


def _held(intake: Intake) -> tuple[int, int]:
    process = Path(f"/proc/{intake.number}")
    return len(os.listdir(process / "task")), len(os.listdir(process / "fd"))


def told_to_stop(intake: Intake, account: Account, rounds: int, seed: int = 7) -> tuple[Found, list[str]]:
    """SIGTERM while four senders send, again and again; the intake runs before and after."""
    chance, numbers, found, wrong = random.Random(seed), itertools.count(10_000), Found(), list[str]()
    for _ in range(rounds):
        before = set(account.acknowledged)
        senders = Senders(intake, account, numbers)
        enough = len(before) + chance.randrange(2, 20)
        until(lambda enough=enough: len(account.acknowledged) >= enough, 60, "films on their way", every=0.002)
        intake.signal(signal.SIGTERM)
        code = intake.wait()
        senders.stop()
        wrong += [f"exit {code}"] * (code != 0) + [f"answered {one}" for one in senders.unexpected]
        wrong += ["left over before the restart"] * bool(intake.leftovers())
        intake.kill()
        intake.start()
        new = set(account.acknowledged) - before
        found.add(account.check(intake, new))
        found.add(account.adopted(intake, new))
    return found, wrong


def jumps(folder: Path, each: int, more: str = "") -> tuple[int, list[str]]:
    """The clock jumps in the middle of transfers: before the first byte of a film, within it, and before the answer.

    ``more``: what else is done to the intake before it starts.
    """
    folder.mkdir(exist_ok=True)
    told, account, wrong, tried = folder / "shift", Account(), list[str](), 0
    told.write_text("0")
    intake = Intake(folder / "clock", patch=CLOCK.format(path=str(told)) + more).start()

    def jump(seconds: float) -> None:
        following = told.with_suffix(".next")
        following.write_text(str(seconds))
        following.rename(told)
        intake.signal(signal.SIGUSR1)

    try:
        for name, seconds in list(JUMPS.items()) * each:
            tried += 1
            one = film(tried, side=SIDE)
            with Sender(intake.dimse_port) as sender:
                pdus = sender.message(one)
                for part in (pdus[:1], pdus[1:4]):
                    sender.socket.sendall(b"".join(part))
                    jump(seconds)
                    time.sleep(SETTLE)
                    jump(0.0)
                jump(seconds)
                answer = account.note(one, sender.send(b"".join(pdus[4:])))
            if answer != SUCCESS:
                wrong.append(f"{name}: {answer}")
        jump(0.0)
        latest = max((row["received_at"] for row in intake.rows("SELECT received_at FROM instance")), default=0)
        if latest < (time.time() + 3600) * 1e6:
            wrong.append("no film was received at a time that has not come: the clock did not jump")
        found = account.check(intake)
        if not found.nothing:
            wrong.append(found.counted())
        intake.stop()
    finally:
        intake.kill()
    return tried, wrong


def run(arguments: list[str]) -> int:
    """300 aborts, 50 times SIGTERM, 5 kinds of jumps."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults aborts")
    parser.add_argument("--aborts", type=int, default=300)
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--jumps", type=int, default=10)
    options = parser.parse_args(arguments)
    print("| what | tried | acknowledged | not as promised | seconds |\n|---|---|---|---|---|")
    good = True

    def row(name: str, tried: int, acknowledged: int | str, wrong: list[str], begun: float) -> None:
        nonlocal good
        good &= not wrong
        said = f"{len(wrong)}: {wrong[0]}" if wrong else "nothing"
        print(f"| {name} | {tried} | {acknowledged} | {said} | {time.monotonic() - begun:.0f} |", flush=True)

    with TemporaryDirectory() as folder:
        intake, account, begun = Intake(Path(folder, "home")).start(), Account(), time.monotonic()
        try:
            row("broken off by A-ABORT, RST, close", options.aborts, "–", broken_off(intake, options.aborts), begun)
            begun = time.monotonic()
            found, wrong = told_to_stop(intake, account, options.stops)
            wrong += [found.counted()] * (not found.nothing)
            row("SIGTERM under four senders", options.stops, len(account.acknowledged), wrong, begun)
        finally:
            intake.kill()
        begun = time.monotonic()
        tried, wrong = jumps(Path(folder), options.jumps)
        row(f"the wall clock jumps ({', '.join(JUMPS)}) three times in a transfer", tried, tried - len(wrong), wrong, begun)
        begun = time.monotonic()
        tried, wrong = jumps(Path(folder, "wall"), 1, WALL)
        row(
            "the same, deadlines on the wall clock: it has to break off",
            tried,
            tried - len(wrong),
            [] if wrong else ["none"],
            begun,
        )
    return int(not good)
