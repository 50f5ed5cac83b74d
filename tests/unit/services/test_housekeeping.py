"""Reconciliation puts right what a crash left half-way; verification finds every kind of gap."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests import films
from tests.unit.database.stores import opened
from tests.unit.domain import make
from tests.unit.services.world import RETRIES, MovingDatabase, World
from triage.archive.files import FileArchive
from triage.domain.errors import IndexUnavailable
from triage.domain.instance import QuarantinedObject
from triage.domain.jobs import JobState
from triage.services.housekeeping import ADOPTED, verify

FILMS = [films.film(f"1.{number}", f"1.{number}.1.1") for number in range(1, 5)]


@pytest.fixture
def world(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Files and SQL, with one film received."""
    with opened("sql", tmp_path, RETRIES) as database:
        world = World(FileArchive(tmp_path / "instances", 0), database)
        world.store(FILMS[0])
        yield world


def archive_of(world: World) -> FileArchive:
    assert isinstance(world.archive, FileArchive)
    return world.archive


def plant_orphan(world: World, film: bytes) -> str:
    """A kept object whose row was never committed."""
    meta, data = films.split(film)
    incoming = world.archive.receive(meta, len(film))
    incoming.write(data)
    digest = incoming.sync()
    incoming.keep()
    return digest


def plant_part(world: World, film: bytes) -> str:
    """A receipt that a crash ended."""
    before = set(world.archive.leftovers())
    world.archive.receive(b"", len(film)).write(film[:500])
    (name,) = set(world.archive.leftovers()) - before
    return name


def plant_aside(world: World, film: bytes) -> str:
    """An object that was set aside just before a crash, its row not written."""
    digest = plant_orphan(world, film)
    world.archive.set_aside(digest)
    return digest


def plant_ghost(world: World, film: bytes) -> str:
    """A row whose file somebody removed."""
    digest = world.store(film).digest
    archive_of(world).path(digest).unlink()
    return digest


def plant_wrong_name(world: World, film: bytes) -> str:
    """An object under a name that is not its digest, without a row."""
    right, wrong = plant_orphan(world, film), make.digest(film)
    target = archive_of(world).path(wrong)
    target.parent.mkdir(exist_ok=True)
    archive_of(world).path(right).rename(target)
    return wrong


FAMILIES: dict[str, tuple[Callable[[World, bytes], str], str]] = {
    "part": (plant_part, "leftovers_removed"),
    "orphan": (plant_orphan, "adopted"),
    "wrong name": (plant_wrong_name, "quarantined"),
    "aside": (plant_aside, "quarantined"),
    "ghost": (plant_ghost, "missing"),
}
NOTHING: dict[str, list[str]] = {"leftovers_removed": [], "adopted": [], "quarantined": [], "missing": []}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_goes_into_its_own_list(world: World, family: str) -> None:
    plant, where = FAMILIES[family]
    planted = sorted(plant(world, film) for film in FILMS[1:])
    assert world.reconcile().as_dict() == NOTHING | {where: planted}


def test_all_families_at_once_are_told_apart(world: World) -> None:
    planted: dict[str, list[str]] = {name: [] for name in NOTHING}
    for number, (plant, where) in enumerate(FAMILIES.values()):
        for more in (0, 1):
            planted[where].append(plant(world, films.film(f"2.{number}", f"2.{number}.1.{more}")))
    report = world.reconcile().as_dict()
    assert {name: sorted(found) for name, found in report.items()} == {name: sorted(found) for name, found in planted.items()}


def test_reconciling_again_finds_only_what_a_person_must_mend(world: World) -> None:
    for number, (plant, _) in enumerate(FAMILIES.values()):
        planted = plant(world, films.film(f"2.{number}", f"2.{number}.1.1"))
    ghost = planted
    world.reconcile()
    assert world.reconcile().as_dict() == NOTHING | {"missing": [ghost]}


def test_an_adopted_film_is_on_the_list_and_due(world: World) -> None:
    plant_orphan(world, FILMS[1])
    world.reconcile()
    with world.database.read() as tx:
        adopted = tx.instance("1.2.1.1")
        assert adopted is not None
        assert (adopted.calling_ae_title, adopted.size_bytes) == (ADOPTED, len(FILMS[1]))
        assert tx.jobs.state_of("1.2") is JobState.WAITING
    assert world.list() == ["1.1", "1.2"]
    assert world.gaps() == {}


def test_an_orphan_that_contradicts_an_indexed_film_is_set_aside(world: World) -> None:
    other = films.film("1.1", "1.1.1.1", bright=0.9)
    digest = plant_orphan(world, other)
    assert world.reconcile().quarantined == [digest]
    assert world.archive.is_intact(films.digest(FILMS[0]))
    assert world.gaps() == {}


def test_an_orphan_that_cannot_be_read_is_set_aside(world: World) -> None:
    digest = plant_orphan(world, films.film(StudyInstanceUID=None))
    assert world.reconcile().quarantined == [digest]
    assert list(world.archive.digests_aside()) == [digest]
    assert world.gaps() == {}


def test_reconciliation_stops_rather_than_sets_aside_when_the_database_is_away() -> None:
    world = World(database=MovingDatabase(RETRIES))
    assert isinstance(world.database, MovingDatabase)
    digest = plant_orphan(world, FILMS[1])
    world.database.down = True
    with pytest.raises(IndexUnavailable):
        world.reconcile()
    assert list(world.archive.digests()) == [digest]
    world.database.down = False
    assert world.reconcile().adopted == [digest]


def test_a_healthy_site_has_no_gaps(world: World) -> None:
    world.store(FILMS[1])
    assert world.step()
    account = verify(world.archive, world.database)
    assert account.ok
    assert (account.acknowledged, account.on_disk, account.indexed) == (2, 2, 2)
    assert (account.assessed, account.excused, account.waiting) == (1, 0, 1)


def test_every_image_is_reported_as_it_is_read(world: World) -> None:
    world.store(FILMS[1])
    heard: list[tuple[int, int]] = []
    verify(world.archive, world.database, lambda done, total: heard.append((done, total)))
    assert heard == [(1, 2), (2, 2)]


def lose_job(world: World) -> str:
    """A study that is pending, and no job that would change it."""
    with world.database.write() as tx:
        job = tx.jobs.claim("w", world.clock())
        assert job
        tx.jobs.finish(job, world.clock())
    return "1.1"


def miscount(world: World) -> str:
    """A study that claims an image more than there is."""
    with world.database.write() as tx:
        tx.put_study(replace(world.study("1.1"), images=2))
    return "1.1"


def flip_bit(world: World) -> str:
    path = archive_of(world).path(films.digest(FILMS[0]))
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    return "1.1.1.1"


def remove_file(world: World) -> str:
    archive_of(world).path(films.digest(FILMS[0])).unlink()
    return "1.1.1.1"


def lose_quarantined(world: World) -> str:
    row = QuarantinedObject(
        digest=make.digest("x"),
        sop_instance_uid=None,
        study_instance_uid=None,
        cause="x",
        calling_ae_title="A",
        received_at=make.NOW,
    )
    with world.database.write() as tx:
        tx.add_quarantined(row)
    return row.digest


@pytest.mark.parametrize(
    ("gap", "make_it"),
    [
        ("indexed_not_on_disk", remove_file),
        ("digest_differs", flip_bit),
        ("on_disk_not_indexed", lambda world: plant_orphan(world, FILMS[1])),
        ("set_aside_not_accounted", lambda world: plant_aside(world, FILMS[1])),
        ("quarantined_not_on_disk", lose_quarantined),
        ("neither_assessed_nor_waiting", lose_job),
        ("image_count_differs", miscount),
    ],
)
def test_verification_finds_each_kind_of_gap(world: World, gap: str, make_it: Callable[[World], str]) -> None:
    assert world.gaps() == {}
    subject = make_it(world)
    assert world.gaps() == {gap: [subject]}


def test_an_outcome_that_does_not_cover_the_present_images_is_a_gap(world: World) -> None:
    world.step()
    assert world.gaps() == {}
    digest = world.store(films.film("1.1", "1.1.1.2")).digest
    with world.database.write() as tx:  # as if the queue had forgotten the second image
        job = tx.jobs.claim("w", world.clock())
        assert job is not None
        assert tx.jobs.finish(job, world.clock())
    assert world.archive.holds(digest)
    assert world.gaps()["outcome_not_of_present_images"] == ["1.1"]
