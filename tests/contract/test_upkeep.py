"""What the archive and the rows promise to upkeep, asked of both twins: strays, faults, checks, decisions."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests import films
from tests.contract.test_archive import DIGEST, FILM, META, keep
from tests.contract.test_archive import replace as write_over
from tests.unit.database.stores import KINDS, opened
from tests.unit.domain import make
from tests.unit.domain.make import NOW
from triage.archive.files import FileArchive
from triage.archive.memory import MemoryArchive
from triage.domain.assessment import image_set
from triage.domain.fault import Checked, Fault, Upkeep
from triage.domain.identifiers import digest_of
from triage.domain.instance import Decision, QuarantinedObject
from triage.domain.jobs import JobState
from triage.domain.stray import Kind, Stray
from triage.services.ports import Archive, Database

LATER = NOW + timedelta(hours=1)


@pytest.fixture(params=["memory", "files"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    return MemoryArchive() if request.param == "memory" else FileArchive(tmp_path / "instances", floor_bytes=0)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def put(archive: Archive, place: str, content: bytes, kind: Kind = Kind.FILE) -> None:
    """Somebody puts something there behind the archive's back."""
    if isinstance(archive, MemoryArchive):
        archive.unknown[place] = (kind, content)
        return
    assert isinstance(archive, FileArchive)
    path = archive.root / place
    if kind is Kind.DIRECTORY:
        path.mkdir()
    elif kind is Kind.LINK:
        path.symlink_to("/dev/null")
    else:
        path.write_bytes(content)


def remove(archive: Archive, digest: str) -> None:
    if isinstance(archive, FileArchive):
        archive.path(digest).unlink()
    elif isinstance(archive, MemoryArchive):
        del archive.objects[digest]


def aside(archive: Archive, digest: str) -> bytes:
    with archive.open_aside(digest) as stream:
        return stream.read()


def test_an_object_is_whole_damaged_or_missing(archive: Archive) -> None:
    keep(archive)
    assert archive.fault(DIGEST) is None
    write_over(archive, DIGEST, FILM[:-1])
    assert archive.fault(DIGEST) is Fault.DAMAGED
    remove(archive, DIGEST)
    assert archive.fault(DIGEST) is Fault.MISSING


def test_objects_are_named_by_the_beginning_of_their_digest(archive: Archive) -> None:
    digests = sorted(keep(archive, films.film(sop_uid=f"1.{number}")) for number in range(8))
    for prefix in {digest[:2] for digest in digests}:
        assert list(archive.digests(prefix)) == [digest for digest in digests if digest.startswith(prefix)]


def test_damaged_bytes_make_room_and_are_kept(archive: Archive) -> None:
    keep(archive)
    write_over(archive, DIGEST, FILM[:-1])
    incoming = archive.receive(META, len(FILM))
    incoming.write(films.data_set_bytes(FILM))
    incoming.sync()
    name = incoming.keep()
    assert archive.is_intact(DIGEST)
    assert name is not None
    assert (list(archive.digests_aside()), aside(archive, name)) == ([name], FILM[:-1])


def test_nothing_makes_room_where_nothing_is_amiss(archive: Archive) -> None:
    for _ in range(2):
        incoming = archive.receive(META, len(FILM))
        incoming.write(films.data_set_bytes(FILM))
        incoming.sync()
        assert incoming.keep() is None


def test_a_displaced_object_is_named_by_what_it_holds(archive: Archive) -> None:
    other = films.film(sop_uid="1.9")
    keep(archive)
    write_over(archive, DIGEST, other)
    assert archive.displace(DIGEST) == films.digest(other)
    assert not archive.holds(DIGEST)
    assert archive.is_intact_aside(films.digest(other))


def test_what_was_set_aside_can_be_taken_back(archive: Archive) -> None:
    keep(archive)
    archive.set_aside(DIGEST)
    assert archive.is_intact_aside(DIGEST)
    archive.take_back(DIGEST)
    archive.take_back(DIGEST)
    assert archive.is_intact(DIGEST)
    assert list(archive.digests_aside()) == []
    assert not archive.is_intact_aside(DIGEST)
    with pytest.raises(FileNotFoundError):
        archive.open_aside(DIGEST)


@pytest.mark.parametrize("name", ["", "../x", "/etc/passwd", DIGEST.upper()])
def test_only_a_digest_names_what_was_set_aside(archive: Archive, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        archive.open_aside(name)
    archive.take_back(name)
    assert not archive.is_intact_aside(name)


def test_strays_are_told_apart_and_settled_by_their_content(archive: Archive) -> None:
    other = films.film(sop_uid="1.9")
    put(archive, f"objects/{DIGEST}.dcm", FILM, Kind.MISPLACED)
    put(archive, "objects/notes", b"x")
    put(archive, "quarantine/film", other)
    put(archive, "incoming/folder", b"", Kind.DIRECTORY)
    put(archive, "incoming/link", b"", Kind.LINK)
    found = archive.strays()
    assert found == sorted(found, key=lambda stray: stray.place)
    assert {stray.place: (stray.kind, stray.digest) for stray in found} == {
        f"objects/{DIGEST}.dcm": (Kind.MISPLACED, DIGEST),
        "objects/notes": (Kind.FILE, None),
        "quarantine/film": (Kind.FILE, None),
        "incoming/folder": (Kind.DIRECTORY, None),
        "incoming/link": (Kind.LINK, None),
    }
    assert {stray.place: archive.settle(stray) for stray in found} == {
        f"objects/{DIGEST}.dcm": DIGEST,
        "objects/notes": digest_of(b"x"),
        "quarantine/film": films.digest(other),
        "incoming/folder": None,
        "incoming/link": None,
    }
    assert archive.is_intact(DIGEST)
    assert {aside(archive, digest) for digest in archive.digests_aside()} == {b"x", other}
    assert [stray.kind for stray in archive.strays()] == [Kind.DIRECTORY, Kind.LINK]


def test_a_stray_that_is_gone_is_left_alone(archive: Archive) -> None:
    assert archive.settle(Stray(place="objects/none", kind=Kind.FILE)) is None


def test_a_second_copy_does_not_replace_the_first(archive: Archive) -> None:
    keep(archive)
    put(archive, f"objects/{DIGEST}.dcm", FILM, Kind.MISPLACED)
    (stray,) = archive.strays()
    assert archive.settle(stray) == DIGEST
    assert (list(archive.digests()), list(archive.digests_aside())) == ([DIGEST], [DIGEST])


def test_one_settles_at_a_time(archive: Archive) -> None:
    with archive.settling():
        pass
    with archive.settling():
        keep(archive)
    assert archive.is_intact(DIGEST)


# rows


def index(database: Database, count: int) -> list[str]:
    digests = []
    with database.write() as tx:
        for number in range(count):
            tx.put_study(make.study(f"1.{number}"))
            one = make.instance(f"1.{number}", at=NOW + timedelta(seconds=number))
            tx.add_instance(one)
            digests.append(one.digest)
    return digests


def test_what_was_not_compared_for_longest_comes_first(database: Database) -> None:
    digests = index(database, 4)
    with database.write() as tx:
        assert tx.note_check(digests[0], LATER, None)
        assert tx.note_check(digests[2], LATER, Fault.MISSING)
        assert not tx.note_check(make.digest("none"), LATER, Fault.MISSING)
    with database.read() as tx:
        found = tx.longest_unchecked(10)
        assert [one.instance.digest for one in found] == [digests[1], digests[3], digests[0], digests[2]]
        assert tx.longest_unchecked(2) == found[:2]
        assert found[3] == Checked(instance=replace(found[3].instance), checked_at=LATER, fault=Fault.MISSING)
        assert tx.faulty() == tx.faulty("1.2") == [found[3]]
        assert tx.faulty("1.1") == []
        assert tx.upkeep() == Upkeep(objects=4, size_bytes=4004, faulty=1, unchecked=2, oldest_check=NOW + timedelta(seconds=1))
    with database.write() as tx:
        tx.note_check(digests[2], LATER, None)
        assert tx.faulty() == []


def test_nothing_kept_has_nothing_to_check(database: Database) -> None:
    with database.read() as tx:
        assert (tx.upkeep(), tx.longest_unchecked(5), tx.faulty()) == (Upkeep(), [], [])


def test_digests_come_in_parts(database: Database) -> None:
    digests = index(database, 6)
    with database.read() as tx:
        for prefix in {digest[:2] for digest in digests}:
            assert tx.digests(prefix) == {digest for digest in digests if digest.startswith(prefix)}
        assert tx.digests(digests[0]) == {digests[0]}


def test_an_instance_that_left_makes_room_for_another(database: Database) -> None:
    (digest,) = index(database, 1)
    with database.write() as tx:
        one = tx.instance("1.0.1.1")
        assert one is not None
        tx.note_check(digest, LATER, Fault.DAMAGED)
        tx.remove_instance("1.0.1.1")
        assert (tx.instance("1.0.1.1"), tx.faulty()) == (None, [])
        other = replace(one, digest=make.digest("other"))
        tx.add_instance(other)
        assert (tx.instances("1.0"), tx.faulty()) == ([other], [])


ONE = QuarantinedObject(
    digest=make.digest("aside"),
    sop_instance_uid="1.2",
    study_instance_uid="1.1",
    cause="x",
    calling_ae_title="A",
    received_at=NOW,
)


def test_a_decision_stands_until_the_object_comes_again(database: Database) -> None:
    with database.write() as tx:
        assert tx.quarantined_object(ONE.digest) is None
        assert not tx.decide(ONE.digest, Decision.DISCARDED, LATER, "dr", "y")
        assert tx.add_quarantined(ONE)
        assert tx.decide(ONE.digest, Decision.DISCARDED, LATER, "dr", "y")
        assert not tx.decide(ONE.digest, Decision.RELEASED, LATER, "dr", "y")
    decided = replace(ONE, decision=Decision.DISCARDED, decided_at=LATER, decided_by="dr", because="y")
    with database.write() as tx:
        assert (tx.quarantined(), tx.set_aside_of("1.1"), tx.quarantined(decided=True)) == ([], [], [decided])
        assert tx.quarantined_object(ONE.digest) == decided
        again = replace(ONE, cause="again")
        assert tx.add_quarantined(again)
        assert not tx.add_quarantined(ONE)
        assert tx.quarantined() == tx.set_aside_of("1.1") == [again]


def test_what_was_considered_and_where_jobs_stand_is_told_of_all_at_once(database: Database) -> None:
    index(database, 2)
    outcome = make.scored("1.0", 0.4)
    with database.write() as tx:
        tx.jobs.enqueue("1.0", NOW)
        tx.add_outcome(outcome)
    with database.read() as tx:
        assert tx.image_sets() == {("1.0", image_set(outcome.considered))}
        assert tx.jobs.states() == {"1.0": JobState.WAITING}
