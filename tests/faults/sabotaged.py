"""F07–F12: intakes that are broken on purpose. What lets all of them pass proves nothing; what catches the honest one lies.

``python -m tests.faults sabotaged [NAME …]``
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.account import Account
from tests.faults.disk import missing
from tests.faults.intake import Intake
from tests.faults.power import power
from tests.faults.sender import SUCCESS, Sender, film
from tests.faults.strace import attached
from tests.faults.sweep import sweep
from tests.integration.sabotage import SABOTAGES
from tests.integration.syscalls import TRACED, OutOfOrder, check_durable_order, read

HONEST = ""


def order(sabotage: str) -> str:
    """The system calls of one store come in the durable order."""
    with TemporaryDirectory() as folder:
        intake, trace = Intake(Path(folder, "home"), sabotage=sabotage).start(), Path(folder, "trace")
        try:
            with Sender(intake.dimse_port) as sender:
                sender.store(film(1))
                with attached(intake.number, trace, "-e", f"trace={TRACED}"):
                    if (answer := sender.store(film(2))) != SUCCESS:
                        return f"answered {answer}"
                    sender.release()  # so that the call that answered has ended
            check_durable_order(read(trace))
        except OutOfOrder as error:
            return str(error)
        finally:
            intake.kill()
    return ""


def _struck(how: str, every: int = 1, names: tuple[str, ...] = ()) -> Callable[[str], str]:
    def check(sabotage: str) -> str:
        with TemporaryDirectory() as folder:
            rows = sweep(Path(folder), [how], ["new"], every, names=names, sabotage=sabotage)
        return "; ".join(_seen(row.found.counted(), row.wrong) for row in rows.values() if not row.good)

    return check


def _cut(kind: str) -> Callable[[str], str]:
    def check(sabotage: str) -> str:
        if missing(kind):
            return ""
        row = power(kind, 2, sabotage)
        return "" if row.good else _seen(row.found.counted(), row.unexpected)

    return check


def _seen(counted: str, wrong: list[str]) -> str:
    answers = f"wrong answers {len(wrong)} ({wrong[0]})" if wrong else ""
    return ", ".join(filter(None, (counted, answers)))


def again(sabotage: str) -> str:
    """The same film twice, then what is there."""
    account = Account()
    with TemporaryDirectory() as folder:
        intake = Intake(Path(folder, "home"), sabotage=sabotage).start()
        try:
            for _ in range(2):
                with Sender(intake.dimse_port) as sender:
                    account.note(film(1), sender.store(film(1)))
            return account.check(intake).counted()
        finally:
            intake.kill()


CHECKS: dict[str, Callable[[str], str]] = {
    "order of the calls": order,
    "killed at each fifth call": _struck("kill", 5),
    "no room for the film": _struck("ENOSPC", names=("write", "rename")),
    "error at each fifth call": _struck("EIO", 5),
    "short writes": _struck("short", names=("write",)),
    "power cut, ext4": _cut("ext4"),
    "power cut, XFS": _cut("xfs"),
    "the same film again": again,
}
QUICKEST = {
    "object_not_synced": "order of the calls",
    "directory_not_synced": "order of the calls",
    "commit_not_synced": "order of the calls",
    "nothing_of_the_row_synced": "order of the calls",
    "answered_before_commit": "order of the calls",
    "row_before_file": "order of the calls",
    "written_to_its_final_name": "order of the calls",
    "short_writes_believed": "short writes",
    "removed_when_it_comes_again": "the same film again",
    "errors_swallowed": "no room for the film",
}
"""What is enough to catch each, with every ``make test``."""


def seen(check: str, sabotage: str) -> str:
    """What a check has against a build; empty: nothing."""
    try:
        return CHECKS[check](sabotage)
    except AssertionError as error:  # it does not even store a film that nothing befalls
        return f"does not work: {str(error).splitlines()[0][:80]}"


def run(arguments: list[str]) -> int:
    """Every build by every check."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults sabotaged")
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args(arguments).names or list(SABOTAGES)
    begun, caught = time.monotonic(), 0
    print(f"| build | {' | '.join(CHECKS)} |\n|{'---|' * (len(CHECKS) + 1)}")
    for name in (HONEST, *names):
        cells = [seen(check, name) for check in CHECKS]
        print(f"| {name or '(as it is)'} | {' | '.join(cell or '–' for cell in cells)} |", flush=True)
        caught += any(cells) if name else -len(names) * any(cells)
    print(f"\ncaught {caught} of {len(names)}; {time.monotonic() - begun:.0f} s")
    return int(caught != len(names))
