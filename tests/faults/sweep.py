"""F01–F03: the intake is struck at every system call of one store: killed, no room, an input/output error, a short write.

``python -m tests.faults sweep [--how kill|ENOSPC|EIO|short …] [--store new|again|other …] [--call NAME …] [--every N]``
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.account import HEADINGS, Account, Found, torn
from tests.faults.intake import Intake
from tests.faults.sender import ANOTHER_OBJECT, SUCCESS, Answer, Film, Sender, film
from tests.faults.strace import CALLS, attached, calls_of, inject, points, struck
from tests.integration.objects import chest
from tests.integration.service import until

STORAGE_FULL, INDEX_UNAVAILABLE = 0xA700, 0xA701
NO_ANSWER = ("closed", "abort", "silence")
HOW = {"kill": "signal=KILL", "ENOSPC": "error=ENOSPC", "EIO": "error=EIO", "short": "retval=0"}
"""What befalls a call → the words of ``strace`` for it. ``short``: nothing was written, and no error."""

WRITES = ("write", "pwrite64", "writev", "pwritev", "sendto", "sendmsg")
NEVER_FAIL = ("fcntl", "flock", "ioctl", "poll", "ppoll", "select", "pselect6")
"""Locks of a local file system have no way to fail (one that is not given back would be the test's fault), nor has waiting."""

ON_SOCKETS = ("sendto", "sendmsg", "recvfrom", "recvmsg", "poll", "ppoll", "select", "pselect6", "accept4", "shutdown")
TRIES, MISSED = 3, 0.1
"""How often to try to hit a point; which part of them may not come up again (the pages that a row touches differ)."""

Pair = tuple[Film, Film | None]


def _new(number: int) -> Pair:
    return film(number), None


def _again(number: int) -> Pair:
    return film(number), film(number)


def _other(number: int) -> Pair:
    return film(number, PixelData=chest(f"other {number}")), film(number)


STORES: dict[str, tuple[Callable[[int], Pair], Answer]] = {
    "new": (_new, SUCCESS),
    "again": (_again, SUCCESS),
    "other": (_other, ANOTHER_OBJECT),
}
"""What is stored → (the film, the one that is there already under its UID), the answer when nothing befalls it."""


@dataclass(kw_only=True)
class Swept:
    """One row of the table. ``closed``: after how many points the archive refused everything until the restart."""

    tried: int = 0
    missed: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    found: Found = field(default_factory=Found)
    closed: int = 0

    @property
    def good(self) -> bool:
        return self.found.nothing and not self.wrong and self.missed <= MISSED * self.tried


class Sweep:
    """One home that is struck again and again. ``sabotage``: see :class:`tests.faults.intake.Intake`."""

    def __init__(self, folder: Path, sabotage: str = "") -> None:
        self.folder, self.account, self.number = folder, Account(), 0
        self.intake = Intake(folder / "home", sabotage=sabotage)

    @contextmanager
    def ready(self, store: str) -> Iterator[tuple[Sender, Film]]:
        """A sender whose association has stored films before, and what it is to store next."""
        self.number += 2
        wanted, before = STORES[store][0](self.number)
        with Sender(self.intake.dimse_port) as sender:
            for one in (film(self.number + 1), before):
                assert one is None or self.account.note(one, sender.store(one)) == SUCCESS, self.intake.tail()
            yield sender, wanted

    def traced(self, store: str) -> list[tuple[str, int]]:
        """The points of a store at which it can be struck."""
        trace = self.folder / "whole.trace"
        with self.ready(store) as (sender, wanted), attached(self.intake.number, trace, "-e", f"trace={CALLS}"):
            answer = self.account.note(wanted, sender.store(wanted))
            sender.release()  # so that the call that answered has ended
        assert answer == STORES[store][1], f"{answer} to a store that nothing befell"
        return points(calls_of(trace))

    def strike(self, store: str, how: str, name: str, when: int, swept: Swept) -> None:
        """One point: the store, the answer, what is there then, and after a restart."""
        trace = self.folder / "struck.trace"
        for _ in range(TRIES):
            with self.ready(store) as (sender, wanted):
                with attached(self.intake.number, trace, *inject(name, HOW[how], when)):
                    answer = self.account.note(wanted, sender.store(wanted))
                    sender.release()
                    if how == "kill":
                        self.intake.wait(1)
                hit = struck(trace) if how != "kill" else not self.intake.alive()
            self._compare(how, name, when, answer, STORES[store][1], wanted, swept)
            if hit:
                break
        swept.tried += 1
        swept.missed += not hit
        swept.answers[f"{answer:04X}" if isinstance(answer, int) else answer] += 1

    def _compare(self, how: str, name: str, when: int, answer: Answer, usual: Answer, wanted: Film, swept: Swept) -> None:
        place = f"{how} at {name} {when}: {answer:04X}" if isinstance(answer, int) else f"{how} at {name} {when}: {answer}"
        lives = self.intake.alive()
        if how != "kill":
            right = answer in (usual, STORAGE_FULL, INDEX_UNAVAILABLE) or (answer in NO_ANSWER and name in ON_SOCKETS)
            if not right or not lives:
                swept.wrong.append(place)
            if name != "unlink" and lives and not self.intake.wait_until_empty(2):
                swept.found.add(Found(leaked=[place]))
            swept.closed += lives and not self._goes_on(swept, place, how)
        swept.found.add(Found(torn=torn(self.intake.home)))
        if how in ("kill", "EIO") or name == "unlink" or not lives:
            self.intake.restart()
            if answer == SUCCESS:
                swept.found.add(self.account.adopted(self.intake, {wanted.uid}))
        with Sender(self.intake.dimse_port) as sender:
            again = self.account.note(wanted, sender.store(wanted))
        if again != usual:
            swept.wrong.append(f"{place}, then sent again: {again}")
        uids = {wanted.uid, film(self.number + 1).uid}
        swept.found.add(self.account.check(self.intake, uids))

    def _goes_on(self, swept: Swept, place: str, how: str) -> bool:
        """Whether the next film is taken; after an input/output error the archive may be closed, and says so."""
        self.number += 1
        another = film(self.number + 1)
        with Sender(self.intake.dimse_port) as sender:
            answer = self.account.note(another, sender.store(another))
        if answer not in ((SUCCESS, STORAGE_FULL) if how == "EIO" else (SUCCESS,)):
            swept.wrong.append(f"{place}, the next film: {answer}")
        if answer == STORAGE_FULL and not self._says_so():
            swept.wrong.append(f"{place}: closed, and /readyz would not know")
        return answer == SUCCESS

    def _says_so(self) -> bool:
        """Whether the intake's sign of life tells of its trouble."""
        try:
            return bool(until(lambda: (row := self.intake.role("intake")) and row["trouble"], 6, "trouble told"))
        except AssertionError:
            return False

    def finish(self, verified: bool) -> Found:
        """Everything once more, and ``triage verify`` if it is to be ``verified``."""
        found = self.account.check(self.intake)
        self.intake.stop()
        if not verified:
            return found
        gaps = self.intake.triage("verify", "--json")
        if gaps.returncode:
            found.lost.append(f"triage verify: {gaps.stdout[-300:]}")
        return found


def applies(how: str, name: str) -> bool:
    """Whether that can befall a call of that name."""
    return name in WRITES if how == "short" else how == "kill" or name not in NEVER_FAIL


def sweep(
    folder: Path,
    how: Sequence[str],
    stores: Sequence[str],
    every: int = 1,
    *,
    names: Sequence[str] = (),
    sabotage: str = "",
    verified: bool = False,
    told: Callable[[str, Swept], None] = lambda name, row: None,
) -> dict[str, Swept]:
    """Strike; by row of the table. ``every``: only each n-th point; ``names``: only these calls; ``told`` hears each row."""
    rows: dict[str, Swept] = {}
    work = Sweep(folder, sabotage)
    work.intake.start()
    try:
        for store in stores:
            where = work.traced(store)
            for one in how:
                swept = rows[f"{one}, {store}"] = Swept()
                chosen = [point for point in where if applies(one, point[0]) and (not names or point[0] in names)]
                for name, when in chosen[::every]:
                    work.strike(store, one, name, when, swept)
                told(f"{one}, {store}", swept)
        rows["all, at the end"] = Swept(tried=sum(row.tried for row in rows.values()), found=work.finish(verified))
    finally:
        work.intake.kill()
    return rows


def run(arguments: list[str]) -> int:
    """Every call of three kinds of store, four ways."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults sweep")
    parser.add_argument("--how", nargs="+", default=list(HOW), choices=HOW)
    parser.add_argument("--store", nargs="+", default=list(STORES), choices=STORES)
    parser.add_argument("--call", nargs="+", default=[], metavar="NAME", help="only system calls of these names")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    print(f"| struck how, storing what | points | {HEADINGS} | wrong status | not hit | closed | answers |")
    print(f"|{'---|' * 12}")
    with TemporaryDirectory() as folder:
        chosen = (Path(folder), options.how, options.store, options.every)
        rows = sweep(*chosen, names=options.call, verified=True, told=_print)
    _print("all, at the end", rows["all, at the end"])
    print(f"\n{time.monotonic() - begun:.0f} s")
    return int(not all(row.good for row in rows.values()))


def _print(name: str, row: Swept) -> None:
    answers = ", ".join(f"{answer} × {count}" for answer, count in row.answers.most_common())
    cells = (name, row.tried, *row.found.counts(), len(row.wrong), row.missed, row.closed, answers)
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
    for place in row.wrong:
        print(f"wrong: {place}")
    if not row.found.nothing:
        print(vars(row.found))
