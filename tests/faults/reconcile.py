"""``python -m tests.faults reconcile [--every N] [--seed N]``: kill what moves objects at every system call, then start again.

Reconciliation is killed at each point, killed again at another one, then left to its end: the home must be the one that an
undisturbed reconciliation leaves (F14). A release, a replacement or a discard that was killed must, after reconciliation, have
been made wholly or not at all. Either way nothing is lost and ``verify`` finds what it finds without kills.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import films
from tests.faults.killed import kill, points, python
from tests.unit.database.stores import sql_database
from tests.unit.services import planted
from tests.unit.services.planted import bytes_under
from tests.unit.services.world import World
from triage.archive.files import FileArchive
from triage.database.engine import SqlDatabase, open_engine
from triage.database.sqlite import sqlite_url
from triage.domain.errors import DataSetMismatch
from triage.domain.instance import Decision
from triage.services.verify import verify

STATE = dict[str, Any]


@dataclass
class Sweep:
    """What a sweep of one step did and found."""

    step: str
    points: int = 0
    killed: int = 0
    diverged: list[str] = field(default_factory=list)
    lost: int = 0


def opened(home: Path) -> World:
    return World(FileArchive(home / "instances", 0), SqlDatabase(open_engine(sqlite_url(home / "triage.db"))))


def closed(world: World) -> None:
    assert isinstance(world.database, SqlDatabase)
    world.database.close()


def begun(home: Path) -> World:
    """A home with two films received and assessed."""
    home.mkdir()
    sql_database(home).close()
    world = opened(home)
    for number in (1, 2):
        world.store(films.film(f"1.{number}", f"1.{number}.1", rows=16, columns=16))
    while world.step():
        pass
    return world


def refused(world: World, content: bytes, **claims: str) -> str:
    try:
        world.store(content, **claims)
    except DataSetMismatch:
        return films.digest(content)
    raise AssertionError("it was not refused")


def littered(home: Path) -> list[str]:
    """One of each family, and every half-way state of a decision."""
    world = begun(home)
    archive = planted.archive_of(world)
    for number, (plant, _) in enumerate(planted.FAMILIES.values()):
        plant(world, films.film(f"3.{number}", f"3.{number}.1", rows=16, columns=16))
    halfway = refused(world, films.film("1.1", "1.1.1", rows=16, columns=16, bright=0.9))
    archive.take_back(halfway)  # the row is there, the move is not
    gone = refused(world, films.film("1.2", "1.2.1", rows=16, columns=16, bright=0.9))
    with world.database.write() as tx:  # discarded, and the bytes are still there
        tx.decide(gone, Decision.DISCARDED, world.clock(), "dr", "x")
    archive.set_aside(films.digest(films.film("1.2", "1.2.1", rows=16, columns=16)))  # indexed, and lies aside
    first = films.digest(films.film("1.1", "1.1.1", rows=16, columns=16))
    shutil.copy(archive.path(first), archive.objects / f"{first}.dcm")  # a second copy
    closed(world)
    return []


def joining(home: Path) -> list[str]:
    world = begun(home)
    digest = refused(world, films.film("1.1", "1.1.2", rows=16, columns=16), sop_instance_uid="9.9")
    closed(world)
    return [digest]


def replacing(home: Path) -> list[str]:
    world = begun(home)
    digest = refused(world, films.film("1.1", "1.1.1", rows=16, columns=16, bright=0.9))
    closed(world)
    return [digest]


STEPS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "reconcile": ("reconcile", littered),
    "release of a film that joins": ("release", joining),
    "release of a film that replaces": ("release", replacing),
    "discard": ("discard", replacing),
}
"""What is killed: (command, home)."""


def state(home: Path) -> STATE:
    """Everything that must not depend on kills, that is, all but times."""
    world = opened(home)
    archive = planted.archive_of(world)
    with world.database.read() as tx:
        told = {
            "kept": sorted(archive.digests()),
            "aside": sorted(archive.digests_aside()),
            "leftovers": archive.leftovers(),
            "strays": [stray.place for stray in archive.strays()],
            "instances": sorted((one.sop_instance_uid, one.digest) for one in tx.all_instances()),
            "faulty": sorted((one.instance.digest, str(one.fault)) for one in tx.faulty()),
            "rows": sorted((one.digest, one.cause, str(one.decision)) for one in tx.quarantined(decided=True)),
            "studies": sorted(
                (one.study_instance_uid, one.images, str(one.doubt), one.network_level.value)
                for one in tx.worklist(include_read=True)
            ),
            "gaps": sorted((gap.what, gap.subject) for gap in verify(world.archive, world.database).gaps),
        }
    closed(world)
    return told


def settled(home: Path) -> STATE:
    """The state after a start that nobody disturbs; a second start must change nothing."""
    world = opened(home)
    world.reconcile()
    again = world.reconcile()
    closed(world)
    assert not any(
        (again.adopted, again.quarantined, again.discarded, again.taken_back, again.settled, again.leftovers_removed)
    )
    return state(home)


def sweep(name: str, folder: Path, chance: random.Random, every: int = 1, only: int | None = None) -> Sweep:
    """Kill the step at every ``every``-th point, or at ``only`` so many of them, evenly; compare what becomes of it."""
    step, make = STEPS[name]
    digest = make(folder / "template")
    home, result = folder / "home", Sweep(name)
    command = python("tests.faults.one_step", str(home), step, *digest)

    def fresh() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(folder / "template", home, symlinks=True)

    fresh()
    content = set(bytes_under(home / "instances"))
    undone = settled(home)
    fresh()
    found = list(points(command, folder / "trace"))
    done = settled(home)
    stays = content & set(bytes_under(home / "instances"))
    allowed = [done] if step == "reconcile" else [done, undone]
    middles = [(2 * place + 1) * len(found) // (2 * only) for place in range(only)] if only else range(0, len(found), every)
    for point in (found[place] for place in middles):
        fresh()
        result.points += 1
        result.killed += kill(command, point)
        if step == "reconcile":
            result.killed += kill(command, chance.choice(found))
        told = settled(home)
        if told not in allowed:
            result.diverged.append(f"{point}: {difference(told, done)}")
        result.lost += len(stays - set(bytes_under(home / "instances")))
    return result


def difference(one: STATE, other: STATE) -> str:
    """Where two states differ, and by what."""
    names = [name for name in one if one[name] != other[name]]
    return ", ".join(f"{name}: {set(map(str, one[name])) ^ set(map(str, other[name]))}" for name in names)


def run(arguments: list[str]) -> int:
    """Every step, every point; 1 if anything diverged or was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults reconcile")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th point")
    parser.add_argument("--seed", type=int, default=14)
    given = parser.parse_args(arguments)
    print("| step | points | kills | diverged | objects lost |\n|---|---|---|---|---|", flush=True)
    wrong = 0
    for name in STEPS:
        with tempfile.TemporaryDirectory(prefix="triage-faults-") as folder:
            result = sweep(name, Path(folder), random.Random(given.seed), given.every)
        print(f"| {name} | {result.points} | {result.killed} | {len(result.diverged)} | {result.lost} |", flush=True)
        for told in result.diverged:
            sys.stderr.write(f"{told}\n")
        wrong += len(result.diverged) + result.lost
    return int(bool(wrong))
