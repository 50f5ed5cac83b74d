"""Reconciliation puts right what a crash left half-way and accounts for whatever else lies there (F13)."""

import os
from pathlib import Path

import pytest

from tests import films
from tests.unit.database.stores import opened
from tests.unit.services import planted
from tests.unit.services.planted import FAMILIES, FOR_A_PERSON, archive_of, bytes_under
from tests.unit.services.world import RETRIES, MovingDatabase, World
from triage.archive.files import FileArchive
from triage.domain.audit import Action
from triage.domain.doubt import Doubt
from triage.domain.errors import ArchiveAway, IndexUnavailable
from triage.domain.fault import Fault
from triage.domain.jobs import JobState
from triage.domain.level import Level
from triage.services import reconcile as module
from triage.services.reconcile import ADOPTED, QUIET
from triage.services.verify import REMEDIES, verify

FILMS = [films.film(f"1.{number}", f"1.{number}.1.1") for number in range(1, 5)]
NOTHING: dict[str, list[str]] = {
    name: []
    for name in ("leftovers_removed", "settled", "strays", "adopted", "quarantined", "discarded", "taken_back", "missing")
}


@pytest.fixture
def world(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Files and SQL, with one film received."""
    with opened("sql", tmp_path, RETRIES) as database:
        world = World(FileArchive(tmp_path / "instances", 0), database)
        world.store(FILMS[0])
        yield world


@pytest.mark.parametrize("family", {**FAMILIES, **FOR_A_PERSON})
def test_each_family_goes_into_its_own_list(world: World, family: str) -> None:
    plant, where = {**FAMILIES, **FOR_A_PERSON}[family]
    expected = sorted(plant(world, film) for film in FILMS[1:])
    report = world.reconcile().as_dict()
    settled = report.pop("settled")
    assert {name: sorted(found) for name, found in report.items()} == {
        name: found for name, found in (NOTHING | {where: expected}).items() if name != "settled"
    }
    assert len(settled) == (3 if family in ("wrong folder", "no digest") else 0)


def test_two_hundred_planted_are_two_hundred_resolved(world: World) -> None:
    each = 25
    expected: dict[str, list[str]] = {name: [] for name in NOTHING}
    for number, (plant, where) in enumerate({**FAMILIES, **FOR_A_PERSON}.values()):
        for more in range(each):
            film = films.film(f"2.{number}.{more}", f"2.{number}.{more}.1", rows=8, columns=8)
            expected[where].append(plant(world, film))
    before = bytes_under(archive_of(world).root)
    report = world.reconcile().as_dict()
    report.pop("settled")
    assert {name: sorted(found) for name, found in report.items()} == {
        name: sorted(found) for name, found in expected.items() if name != "settled"
    }
    assert set(bytes_under(archive_of(world).root)) == set(before), "nothing is deleted but unfinished receipts"
    gaps = verify(world.archive, world.database).gaps
    for_a_person = expected["missing"] + expected["strays"]
    assert len(gaps) == len(for_a_person), "what is left has been reported"
    assert all(REMEDIES[gap.what] for gap in gaps)
    again = world.reconcile().as_dict()
    assert again == NOTHING | {name: sorted(expected[name]) for name in ("missing", "strays")}
    print(
        f"planted {each * len(FAMILIES)} / resolved {each * len(FAMILIES)}; for a person {each * len(FOR_A_PERSON)}, all told"
    )


@pytest.mark.parametrize("plant", [planted.orphan, planted.part, planted.aside])
def test_what_another_node_may_be_receiving_is_left_for_later(world: World, plant: planted.Plant) -> None:
    name = plant(world, FILMS[1])
    assert world.reconcile(QUIET).as_dict() == NOTHING
    for path in archive_of(world).root.rglob(f"{name}*"):
        os.utime(path, (0, path.stat().st_mtime - QUIET.total_seconds() - 1))
    found = world.reconcile(QUIET)
    assert found.adopted + found.leftovers_removed + found.quarantined == [name]
    assert world.gaps() == {}


def test_an_adopted_film_is_on_the_list_and_due(world: World) -> None:
    planted.orphan(world, FILMS[1])
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
    digest = planted.orphan(world, other)
    assert world.reconcile().quarantined == [digest]
    assert world.archive.is_intact(films.digest(FILMS[0]))
    assert world.gaps() == {}


def test_an_orphan_that_cannot_be_read_is_set_aside(world: World) -> None:
    digest = planted.orphan(world, films.film(StudyInstanceUID=None))
    assert world.reconcile().quarantined == [digest]
    assert list(world.archive.digests_aside()) == [digest]
    assert world.gaps() == {}


def test_a_film_that_lies_aside_without_a_row_is_seen_on_its_study(world: World) -> None:
    planted.aside(world, films.film("1.1", "1.1.1.2"))
    while world.step():
        pass
    assert world.reconcile().quarantined
    assert (world.study("1.1").doubt, world.study("1.1").network_level) == (Doubt.FILM_SET_ASIDE, Level.NOT_ASSESSED)
    assert world.gaps() == {}


def test_reconciliation_stops_rather_than_sets_aside_when_the_database_is_away() -> None:
    world = World(database=MovingDatabase(RETRIES))
    assert isinstance(world.database, MovingDatabase)
    digest = planted.orphan(world, FILMS[1])
    world.database.down = True
    with pytest.raises(IndexUnavailable):
        world.reconcile()
    assert list(world.archive.digests()) == [digest]
    world.database.down = False
    assert world.reconcile().adopted == [digest]


def test_a_missing_film_is_seen_on_its_study_until_it_is_back(world: World) -> None:
    digest = films.digest(FILMS[0])
    while world.step():
        pass
    assert world.study("1.1").network_level is Level.NOT_FLAGGED
    archive_of(world).path(digest).rename(archive_of(world).root.parent / "away")
    assert world.reconcile().missing == [digest]
    with world.database.read() as tx:
        assert [one.fault for one in tx.faulty("1.1")] == [Fault.MISSING]
    assert (world.study("1.1").network_level, world.study("1.1").doubt) == (Level.NOT_ASSESSED, Doubt.FILM_DAMAGED)
    assert world.store(FILMS[0]).digest == digest
    assert (world.study("1.1").network_level, world.study("1.1").doubt) == (Level.NOT_FLAGGED, None)
    assert world.gaps() == {}


def test_a_disk_that_is_not_there_marks_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARKED", 2)
    digests = [planted.ghost(world, film) for film in FILMS[1:]]
    assert world.reconcile().missing == sorted(digests)
    assert [world.study(uid).doubt for uid in ("1.2", "1.3", "1.4")] == [None] * 3


def test_an_indexed_film_that_lies_in_the_quarantine_is_taken_back(world: World) -> None:
    digest = films.digest(FILMS[0])
    world.archive.set_aside(digest)
    report = world.reconcile()
    assert (report.taken_back, report.missing) == ([digest], [])
    assert world.archive.is_intact(digest)
    assert world.gaps() == {}


def test_a_misplaced_copy_mends_the_film_whose_file_is_gone(world: World) -> None:
    digest = films.digest(FILMS[0])
    archive_of(world).path(digest).rename(archive_of(world).objects / f"{digest}.dcm")
    report = world.reconcile()
    assert (report.settled, report.missing) == ([f"objects/{digest}.dcm"], [])
    assert world.gaps() == {}


def test_a_second_copy_is_set_aside_and_the_first_is_untouched(world: World) -> None:
    digest = films.digest(FILMS[0])
    (archive_of(world).objects / f"{digest}.dcm").write_bytes(FILMS[0])
    assert world.reconcile().quarantined == [digest]
    assert world.archive.is_intact(digest)
    assert world.study("1.1").doubt is None, "the film itself is seen"
    assert world.gaps() == {}
    assert world.reconcile().as_dict() == NOTHING


def test_other_bytes_of_one_name_do_not_push_each_other_out(world: World) -> None:
    """Two films of the same data set and another transfer syntax, and what is cut off within its header."""
    film = FILMS[1]
    contents = [film, film.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"), film[:200], film[:201], b"", b"x"]
    for number, content in enumerate(contents):
        (archive_of(world).objects / f"stray {number}").write_bytes(content)
    world.reconcile()
    assert set(bytes_under(archive_of(world).aside)) == set(contents)
    assert world.gaps() == {}


def test_what_is_set_aside_at_start_is_audited(world: World) -> None:
    digest = planted.wrong_name(world, FILMS[1])
    world.reconcile()
    with world.database.read() as tx:
        (record,) = [one for one in tx.audit() if one.action == Action.CONFLICT.value]
    assert record.entry.details == {"cause": module.FOUND, "digest": digest, "sender": ADOPTED}


def test_what_a_file_system_brings_along_is_no_stray(world: World) -> None:
    for folder in ("objects", "quarantine", "incoming"):
        (archive_of(world).root / folder / "lost+found").mkdir()
    assert world.reconcile().as_dict() == NOTHING
    assert world.gaps() == {}


class Unreadable(FileArchive):
    """An archive with a file that belongs to somebody else."""

    whose = ""

    def fault(self, digest: str) -> Fault | None:
        if digest == self.whose:
            raise ArchiveAway("a film cannot be read (EACCES)")
        return super().fault(digest)


def test_a_file_that_cannot_be_read_keeps_nobody_else_out(world: World) -> None:
    unreadable, other = (planted.orphan(world, film) for film in FILMS[1:3])
    archive_of(world).__class__ = Unreadable
    world.archive.whose = unreadable  # type: ignore[attr-defined]
    report = world.reconcile()
    assert (report.strays, report.adopted, report.missing) == ([unreadable], [other], [])
