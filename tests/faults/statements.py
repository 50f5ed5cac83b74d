"""F46 by statement: an upgrade that is killed after each of its statements in turn. A process that does nothing else: it forks.

``python -m tests.faults.statements FOLDER REVISION EVERY ONLY`` prints a :class:`tests.faults.upgrading.Struck` as JSON.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from tests.faults.upgrading import Struck, state, template
from triage.bootstrap.upgrade import upgrade
from triage.config import load
from triage.database.schema import newest


def apart(work: Callable[[], object]) -> int:
    """Do it in a child; its status as ``waitpid`` tells it."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def upgraded(home: Path, told: Callable[[], object]) -> None:
    """Upgrade it; ``told`` hears of each statement when it has been executed."""
    event.listen(Engine, "after_cursor_execute", lambda *_: told())
    upgrade(load(home=home, environment={}))


def count(home: Path) -> int:
    """How many statements the upgrade executes."""
    reader, writer = os.pipe()
    assert apart(lambda: upgraded(home, lambda: os.write(writer, b"."))) == 0
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        return len(told.read())


def killed_after(home: Path, number: int) -> bool:
    """Upgrade it, and die when so many statements have been executed; whether it died of that."""
    seen = 0

    def one_more() -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    status = apart(lambda: upgraded(home, one_more))
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def sweep(folder: Path, revision: str, every: int, only: int) -> Struck:
    """Kill it after every ``every``-th statement, or after ``only`` of them; then run it again to its end."""
    source, home, result = template(folder, revision), folder / "home", Struck()

    def fresh() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(source, home)

    begins = state(source / "triage.db")
    fresh()
    total = count(home)
    ends = state(home / "triage.db")
    assert (begins[0], ends[0]) == (revision, newest())
    chosen: Any = [1 + (2 * place + 1) * total // (2 * only) for place in range(only)] if only else range(1, total + 1, every)
    for number in chosen:
        fresh()
        result.points += 1
        result.killed += killed_after(home, number)
        told = state(home / "triage.db")
        result.before, result.after = result.before + (told == begins), result.after + (told == ends)
        if told not in (begins, ends):
            result.wrong.append(f"after statement {number}: {told}")
        elif apart(lambda: upgraded(home, lambda: None)) or state(home / "triage.db") != ends:
            result.wrong.append(f"after statement {number}, then again: {state(home / 'triage.db')[0]}")
    return result


if __name__ == "__main__":
    print(json.dumps(asdict(sweep(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
