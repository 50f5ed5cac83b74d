"""Verification finds every kind of gap, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests import films
from tests.unit.database.stores import opened
from tests.unit.domain import make
from tests.unit.services import planted
from tests.unit.services.planted import archive_of
from tests.unit.services.world import RETRIES, World
from triage.archive.files import FileArchive
from triage.domain.doubt import Doubt
from triage.domain.fault import Fault
from triage.domain.instance import QuarantinedObject
from triage.services.verify import REMEDIES, verify

FILMS = [films.film(f"1.{number}", f"1.{number}.1.1") for number in range(1, 5)]


@pytest.fixture
def world(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Files and SQL, with one film received."""
    with opened("sql", tmp_path, RETRIES) as database:
        world = World(FileArchive(tmp_path / "instances", 0), database)
        world.store(FILMS[0])
        yield world


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


def forget_a_fault(world: World) -> str:
    """A film known to be damaged, whose study says nothing."""
    flip_bit(world)
    with world.database.write() as tx:
        tx.note_check(films.digest(FILMS[0]), world.clock(), Fault.DAMAGED)
    return "1.1"


def put_a_file(world: World) -> str:
    (archive_of(world).objects / "notes.txt").write_text("x")
    return "objects/notes.txt"


def put_a_link(world: World) -> str:
    (archive_of(world).aside / "link.dcm").symlink_to("/dev/null")
    return "quarantine/link.dcm"


@pytest.mark.parametrize(
    ("gap", "make_it"),
    [
        ("indexed_not_on_disk", remove_file),
        ("digest_differs", flip_bit),
        ("on_disk_not_indexed", lambda world: planted.orphan(world, FILMS[1])),
        ("set_aside_not_accounted", lambda world: planted.aside(world, FILMS[1])),
        ("quarantined_not_on_disk", lose_quarantined),
        ("neither_assessed_nor_waiting", lose_job),
        ("image_count_differs", miscount),
        ("fault_not_on_its_study", forget_a_fault),
        ("stray_file", put_a_file),
        ("stray_misplaced", lambda world: f"objects/{planted.wrong_folder(world, FILMS[1])}"),
        ("stray_directory", lambda world: planted.folder(world, FILMS[1])),
        ("stray_link", put_a_link),
        ("stray_special", lambda world: planted.pipe(world, FILMS[1])),
    ],
)
def test_verification_finds_each_kind_of_gap(world: World, gap: str, make_it: Callable[[World], str]) -> None:
    assert world.gaps() == {}
    subject = make_it(world)
    found = world.gaps()
    assert gap in found
    assert set(found) <= {gap, "digest_differs"}
    assert found[gap][0].split("/")[0] == subject.split("/")[0]
    assert REMEDIES[gap]


def test_without_reading_names_and_the_scrubs_findings_are_compared(world: World) -> None:
    read: list[str] = []
    flip_bit(world)
    found = {gap.what for gap in verify(world.archive, world.database, reading=False).gaps}
    assert found == set(), "nobody has read it yet"
    account = verify(world.archive, world.database, found=lambda instance, fault: read.append(fault.code))
    assert ([gap.what for gap in account.gaps], read) == (["digest_differs"], ["damaged"])
    with world.database.write() as tx:
        tx.note_check(films.digest(FILMS[0]), world.clock(), Fault.DAMAGED)
        tx.put_study(replace(world.study("1.1"), doubt=Doubt.FILM_DAMAGED))
    assert [gap.what for gap in verify(world.archive, world.database, reading=False).gaps] == ["digest_differs"]
    remove_file(world)
    assert [gap.what for gap in verify(world.archive, world.database, reading=False).gaps] == ["indexed_not_on_disk"]


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
