"""``python -m tests.faults retiring [--every N]``: ``triage retention`` is killed at every system call that changes the disk.

At once after each kill no row lacks its file. After the next start each study that was due is wholly there or wholly gone,
every other is as it was, byte for byte, and the same command, run again, leaves what it leaves undisturbed.
"""

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests import films
from tests.faults.killed import kill, points, python
from tests.faults.reconcile import STATE, closed, difference, opened, settled, state
from tests.unit.database.stores import sql_database
from tests.unit.domain.make import POLICY
from tests.unit.services.planted import bytes_under
from tests.unit.services.world import World
from triage.bootstrap import open_site
from triage.bootstrap.backup import retire_old
from triage.clock import utc_now
from triage.config import load
from triage.domain.audit import Action
from triage.domain.reading import Step
from triage.domain.verdict import Verdict
from triage.services.reading import take

DUE = {"1.1": 1, "1.2": 2, "1.3": 1}
"""Studies that were read long ago, and how many films each has."""
AFTER = timedelta(days=365)


@dataclass
class Retired:
    """One row of the table. ``wrong``: where something was gone that should be there, or the other way round."""

    points: int = 0
    killed: int = 0
    due_left: int = 0
    due_gone: int = 0
    wrong: list[str] = field(default_factory=list)


def received(world: World, uid: str, images: int, *, read: bool) -> None:
    """A study that the network has looked at."""
    for image in range(1, images + 1):
        assert world.store(films.film(uid, f"{uid}.{image}", rows=16, columns=16, bright=image / 10))
    while world.step():
        pass
    if read:
        take(world.database, uid, Step(action=Action.READ, actor="dr", verdict=Verdict.AGREE), POLICY, world.clock)


def template(home: Path) -> None:
    """Studies that are due; one that nobody has read, one read lately, one read long ago that came back by a late film."""
    home.mkdir()
    (home / "triage.toml").write_text(f'[retention]\nstudies_after = "{AFTER.days} d"\n')
    sql_database(home).close()
    world = opened(home)
    world.clock.now = utc_now() - timedelta(days=400)
    for uid, images in DUE.items():
        received(world, uid, images, read=True)
    received(world, "2.1", 2, read=False)
    received(world, "2.2", 1, read=True)
    world.store(films.film("2.2", "2.2.9", rows=16, columns=16, bright=0.9))
    world.clock.forward(days=400)
    received(world, "2.3", 1, read=True)
    closed(world)


def present(told: STATE, uid: str) -> int:
    """How many films of a study have rows."""
    return sum(sop_instance_uid.startswith(f"{uid}.") for sop_instance_uid, _ in told["instances"])


def sweep(folder: Path, every: int = 1, only: int | None = None) -> Retired:
    """Kill at every ``every``-th point, or at ``only`` of them, evenly."""
    source, home, result = folder / "template", folder / "home", Retired()
    template(source)
    command = python("triage", "retention", "--home", str(home))

    def fresh() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(source, home)

    undone = state(source)
    fresh()
    found = list(points(command, folder / "trace", after="upkeep.lock"))
    done = settled(home)
    stays = set(bytes_under(home / "instances"))
    assert {uid: present(done, uid) for uid in DUE} == dict.fromkeys(DUE, 0), done["studies"]
    assert len(done["studies"]) == len(undone["studies"]) - len(DUE)
    chosen = [found[(2 * place + 1) * len(found) // (2 * only)] for place in range(only)] if only else found[::every]
    for point in chosen:
        fresh()
        result.points += 1
        result.killed += kill(command, point)
        result.wrong += [f"{point}: {words}" for words in _looked_at(home, done, stays, result)]
    return result


def _looked_at(home: Path, done: STATE, stays: set[bytes], result: Retired) -> list[str]:
    wrong = [f"a row without its file: {gap}" for gap in state(home)["gaps"] if gap[0] == "indexed_not_on_disk"]
    told = settled(home)
    left = {uid: present(told, uid) for uid in DUE}
    result.due_left += sum(number > 0 for number in left.values())
    result.due_gone += sum(number == 0 for number in left.values())
    wrong += [f"{uid}: {number} of {DUE[uid]} films" for uid, number in left.items() if number not in (0, DUE[uid])]
    if not stays <= set(bytes_under(home / "instances")):
        wrong.append("bytes of a study that is not due are gone")
    if len(told["kept"]) != len(told["instances"]) or told["gaps"]:
        wrong.append(f"{len(told['kept'])} files, {len(told['instances'])} rows, gaps {told['gaps']}")
    site = open_site(load(home=home, environment={}))
    retire_old(site)
    site.database.close()
    if (again := settled(home)) != done:
        wrong.append(f"then again: {difference(again, done)}")
    return wrong


def run(arguments: list[str]) -> int:
    """Every point; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults retiring")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th point")
    with tempfile.TemporaryDirectory(prefix="triage-faults-") as folder:
        row = sweep(Path(folder), parser.parse_args(arguments).every)
    print("| points | kills | due studies still wholly there | wholly gone | wrong |\n|---|---|---|---|---|")
    print(f"| {row.points} | {row.killed} | {row.due_left} | {row.due_gone} | {len(row.wrong)} |", flush=True)
    for words in row.wrong:
        sys.stderr.write(f"{words}\n")
    return int(bool(row.wrong))
