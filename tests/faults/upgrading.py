"""F46: ``triage migrate`` killed after every statement, and with ``--back`` at every system call that changes the disk.

After each kill the database is whole and of one of the two versions, and the same command, run again, comes to its end.
``python -m tests.faults upgrading [--every N] [--from REVISION …]``
"""

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.killed import environment, kill, points, python
from tests.unit.database.test_reading_migration import first_release, upgrade
from triage.database.engine import open_engine
from triage.database.schema import newest
from triage.database.sqlite import sqlite_url

FORMER = ("0001", "0014_orders")


@dataclass
class Struck:
    """One row of the table. ``wrong``: where a database was neither the one nor the other, or did not come to its end."""

    points: int = 0
    killed: int = 0
    before: int = 0
    after: int = 0
    wrong: list[str] = field(default_factory=list)


def state(database: Path) -> tuple[str, str, list[tuple[object, ...]]]:
    """Its schema, whether it is whole, and its studies."""
    with closing(sqlite3.connect(database)) as connection:
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return revision, whole, connection.execute("SELECT study_instance_uid, reading_state FROM study ORDER BY 1").fetchall()


def template(folder: Path, revision: str) -> Path:
    """A home of a former version."""
    home = folder / "template"
    home.mkdir()
    engine = open_engine(sqlite_url(home / "triage.db"))
    first_release(engine)
    upgrade(engine, revision)
    engine.dispose()
    return home


def sweep(folder: Path, revision: str, *, back: bool = False, every: int = 1, only: int | None = None) -> Struck:
    """Kill the upgrade from that revision, or the way back to it, at every ``every``-th point, or at ``only`` so many."""
    source, home, result = template(folder, revision), folder / "home", Struck()
    command = python("triage", "migrate", *(["--back", "--accept-loss"] if back else []), "--home", str(home))
    if back:
        subprocess.run(python("triage", "migrate", "--home", str(source)), check=True, env=environment(), capture_output=True)

    def fresh() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(source, home)  # in no order of its own: copies are told apart by their time
        for kept, copied in ((path, home / path.relative_to(source)) for path in source.rglob("*")):
            shutil.copystat(kept, copied)

    begins = state(source / "triage.db")
    fresh()
    found = list(points(command, folder / "trace", after="triage.db"))
    ends = state(home / "triage.db")
    assert begins[0] != ends[0]
    assert {begins[0], ends[0]} == {revision, newest()}
    chosen = [found[(2 * place + 1) * len(found) // (2 * only)] for place in range(only)] if only else found[::every]
    for point in chosen:
        fresh()
        result.points += 1
        result.killed += kill(command, point)
        told = state(home / "triage.db")
        result.before += told == begins
        result.after += told == ends
        if told not in (begins, ends):
            result.wrong.append(f"{point}: {told}")
        elif told == begins:
            again = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
            if again.returncode or state(home / "triage.db") != ends:
                result.wrong.append(f"{point}, then again: {again.stderr.strip()[-200:]}")
    return result


def by_statement(folder: Path, revision: str, every: int = 1, only: int = 0) -> Struck:
    """The same by statement, without a trace: see :mod:`tests.faults.statements`."""
    command = python("tests.faults.statements", str(folder), revision, str(every), str(only))
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return Struck(**json.loads(done.stdout))


def run(arguments: Sequence[str]) -> int:
    """By statement and both ways by system call, from each of the former versions."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults upgrading")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th point")
    parser.add_argument("--from", dest="former", nargs="*", default=FORMER)
    given = parser.parse_args(arguments)
    print("| way | points | kills | as before | as after | half |\n|---|---|---|---|---|---|", flush=True)
    wrong = []
    for revision in given.former:
        with tempfile.TemporaryDirectory(prefix="triage-faults-") as folder:
            one = by_statement(Path(folder), revision, every=given.every)
        wrong += _told(f"{revision} → {newest()}, by statement", one)
        for back in (False, True):
            with tempfile.TemporaryDirectory(prefix="triage-faults-") as folder:
                one = sweep(Path(folder), revision, back=back, every=given.every)
            way = f"{newest()} → {revision}" if back else f"{revision} → {newest()}"
            wrong += _told(f"{way}, by system call", one)
    for words in wrong:
        sys.stderr.write(f"{words}\n")
    return int(bool(wrong))


def _told(way: str, one: Struck) -> list[str]:
    print(f"| {way} | {one.points} | {one.killed} | {one.before} | {one.after} | {len(one.wrong)} |", flush=True)
    return one.wrong
