"""The scrub finds every damaged film, says so where it matters, and takes it back when the film is whole again (F25)."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests import films
from tests.unit.database.stores import opened
from tests.unit.domain.make import POLICY
from tests.unit.services.planted import archive_of
from tests.unit.services.world import RETRIES, World
from triage.archive.files import FileArchive
from triage.domain.audit import Action, AuditRecord
from triage.domain.doubt import Doubt
from triage.domain.errors import ArchiveAway, DataSetMismatch
from triage.domain.fault import Fault, Upkeep
from triage.domain.instance import DAMAGED
from triage.domain.level import Level
from triage.domain.reading import LEASE, Step
from triage.domain.reason import Reason
from triage.domain.study import ReadingState
from triage.services import scrub as module
from triage.services.reading import take
from triage.services.scrub import Scrubbed, keeps_up, scrub, share

FILM = films.film(bright=0.1)
DIGEST = films.digest(FILM)
EVERYTHING = 1 << 40


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Files and SQL, empty."""
    with opened("sql", tmp_path, RETRIES) as database:
        yield World(FileArchive(tmp_path / "instances", 0), database)


def store(world: World, *contents: bytes) -> None:
    for content in contents:
        world.store(content)
    assess(world)


def assess(world: World) -> None:
    while world.step():
        pass


def scrubbed(world: World, budget_bytes: int = EVERYTHING) -> Scrubbed:
    world.clock.forward(minutes=10)
    return scrub(world.archive, world.database, POLICY, world.clock, budget_bytes)


def path_of(world: World, content: bytes) -> Path:
    return archive_of(world).path(films.digest(content))


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def records(world: World) -> list[AuditRecord]:
    with world.database.read() as tx:
        return [record for record in tx.audit() if record.action == Action.SCRUB.value]


def faults(world: World) -> dict[str, Fault | None]:
    with world.database.read() as tx:
        return {one.instance.digest: one.fault for one in tx.faulty()}


def test_k_of_k_damaged_films_are_found(world: World) -> None:
    chance, n, each = random.Random(25), 60, 6
    contents = [films.film(f"1.{number}", f"1.{number}.1", rows=16, columns=16) for number in range(n)]
    store(world, *contents)
    drawn = chance.sample(contents, 5 * each)
    flipped, cut, emptied, gone, swapped = (drawn[at : at + each] for at in range(0, 5 * each, each))
    for content in flipped:
        meta = len(content) - len(films.data_set_bytes(content))
        flip(path_of(world, content), chance.randrange(8 * meta, 8 * len(content)))
    for content in cut:
        path_of(world, content).write_bytes(content[: chance.randrange(1, len(content))])
    for content in emptied:
        path_of(world, content).write_bytes(b"")
    for content in gone:
        path_of(world, content).unlink()
    for one, other in zip(swapped[::2], swapped[1::2], strict=True):
        path_of(world, one).write_bytes(other)
        path_of(world, other).write_bytes(one)
    done = scrubbed(world)
    assert done.films == n
    assert {one.digest for one in done.faulty} == set(map(films.digest, drawn))
    assert {digest for digest, fault in faults(world).items() if fault is Fault.MISSING} == set(map(films.digest, gone))
    assert len(records(world)) == len(drawn)
    print(f"scrub: planted {len(drawn)} of {n} (bit, cut, emptied, gone, swapped), found {len(done.faulty)}, others 0")
    for content in drawn:
        world.store(content)
    assert faults(world) == {}
    assert scrubbed(world).faulty == []
    assert world.gaps() == {}


def test_a_study_with_a_damaged_film_cannot_rest(world: World) -> None:
    store(world, FILM)
    assert world.study().network_level is Level.NOT_FLAGGED
    flip(path_of(world, FILM), 8 * (len(FILM) - 3))
    scrubbed(world)
    study = world.study()
    assert (study.network_level, study.reason, study.probability) == (Level.NOT_ASSESSED, Reason.FILM_DAMAGED, None)
    assert study.doubt is Doubt.FILM_DAMAGED
    assert world.gaps() == {"digest_differs": ["1.2.3.1.1"]}
    assert [one.entry.details for one in records(world)] == [{"found": "damaged", "digest": DIGEST}]
    scrubbed(world)
    assert len(records(world)) == 1, "the same is no news"


def test_a_flag_stays_beside_the_mark(world: World) -> None:
    film = films.film(bright=0.9)
    store(world, film)
    flip(path_of(world, film), 8 * (len(film) - 3))
    scrubbed(world)
    assert (world.study().network_level, world.study().doubt) == (Level.FLAGGED, Doubt.FILM_DAMAGED)


def test_a_study_that_was_read_stays_read(world: World) -> None:
    store(world, FILM)
    take(world.database, "1.2.3", Step(action=Action.READ, actor="dr"), POLICY, world.clock, LEASE)
    path_of(world, FILM).unlink()
    scrubbed(world)
    assert (world.study().reading.state, world.study().doubt) == (ReadingState.READ, Doubt.FILM_DAMAGED)
    assert world.list() == [], "whoever read it saw the film"


def test_a_film_that_is_sent_again_heals_and_its_damaged_bytes_are_kept(world: World) -> None:
    store(world, FILM)
    before = world.study()
    flip(path_of(world, FILM), 8 * (len(FILM) - 3))
    damaged = path_of(world, FILM).read_bytes()
    scrubbed(world)
    store(world, FILM)
    assert world.archive.is_intact(DIGEST)
    assert world.study() == before, "what the network said of these very bytes counts again"
    assert faults(world) == {}
    assert [one.entry.details["found"] for one in records(world)] == ["damaged", "damaged bytes set aside", "mended"]
    with world.database.read() as tx:
        (aside,) = tx.quarantined()
    assert aside.cause == DAMAGED
    with world.archive.open_aside(aside.digest) as stream:
        assert stream.read() == damaged
    assert world.gaps() == {}


def test_damage_that_nobody_had_found_heals_and_is_recorded_all_the_same(world: World) -> None:
    store(world, FILM)
    flip(path_of(world, FILM), 8 * (len(FILM) - 3))
    store(world, FILM)
    assert [one.entry.details["found"] for one in records(world)] == ["damaged bytes set aside"]
    assert world.study().doubt is None
    assert world.gaps() == {}


def test_a_film_that_somebody_put_back_is_noticed(world: World) -> None:
    store(world, FILM)
    content = path_of(world, FILM).read_bytes()
    path_of(world, FILM).unlink()
    scrubbed(world)
    path_of(world, FILM).write_bytes(content)
    assert [one.digest for one in scrubbed(world, 1).mended] == [DIGEST]
    assert (world.study().network_level, world.study().doubt) == (Level.NOT_FLAGGED, None)


def test_a_graver_mark_outlasts_the_healing(world: World) -> None:
    store(world, FILM)
    with pytest.raises(DataSetMismatch):
        world.store(films.film(sop_uid="1.2.3.1.2", patient_id="P-2", patient_name="Roe^Ann"))
    path_of(world, FILM).unlink()
    scrubbed(world)
    assert world.study().doubt is Doubt.IDENTITY_CONFLICT
    store(world, FILM)
    assert (world.study().doubt, world.study().reason) == (Doubt.IDENTITY_CONFLICT, Reason.IDENTITY_CONFLICT)


def test_a_lesser_mark_stands_again_after_the_healing(world: World) -> None:
    store(world, FILM)
    with pytest.raises(DataSetMismatch):
        world.store(films.film(bright=0.5))
    path_of(world, FILM).unlink()
    scrubbed(world)
    assert world.study().doubt is Doubt.FILM_DAMAGED
    store(world, FILM)
    assert (world.study().doubt, world.study().reason) == (Doubt.FILM_SET_ASIDE, Reason.FILM_SET_ASIDE)


def test_slices_go_round_oldest_check_first(world: World) -> None:
    contents = [films.film(f"1.{number}", f"1.{number}.1", rows=16, columns=16) for number in range(6)]
    for content in contents:
        world.store(content)
        world.clock.forward(seconds=1)
    size = len(contents[0])
    for content in contents:
        path_of(world, content).unlink()
    found = [[one.study_instance_uid for one in scrubbed(world, 2 * size).faulty] for _ in range(3)]
    assert found == [["1.0", "1.1"], ["1.0", "1.1", "1.2", "1.3"], [f"1.{number}" for number in range(6)]], "known ones first"


def test_every_film_comes_round_within_the_period(world: World) -> None:
    contents = [films.film(f"1.{number}", f"1.{number}.1", rows=16, columns=16) for number in range(30)]
    store(world, *contents)
    interval, every = timedelta(minutes=10), timedelta(hours=2)
    begun, most = world.clock(), 0
    for _ in range(every // interval):
        with world.database.read() as tx:
            budget = share(tx.upkeep(), every, interval, EVERYTHING)
        most = max(most, scrubbed(world, budget).size_bytes)
    with world.database.read() as tx:
        upkeep = tx.upkeep()
    assert (upkeep.unchecked, upkeep.oldest_check is not None and upkeep.oldest_check > begun) == (0, True)
    assert most <= budget + len(contents[0])


def test_a_share_is_capped_and_the_cap_is_told() -> None:
    upkeep = Upkeep(objects=10, size_bytes=1000)
    hour, day = timedelta(hours=1), timedelta(hours=10)
    assert share(upkeep, day, hour, 10**9) == 101
    assert share(upkeep, day, hour, 50) == 50
    assert keeps_up(upkeep, day, hour, 101)
    assert not keeps_up(upkeep, day, hour, 50)
    assert share(Upkeep(), day, hour, 50) == 1


def test_a_disk_that_is_not_there_marks_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MASS", 3)
    contents = [films.film(f"1.{number}", f"1.{number}.1", rows=16, columns=16) for number in range(4)]
    store(world, *contents)
    for content in contents:
        path_of(world, content).unlink()
    with pytest.raises(ArchiveAway, match="mounted"):
        scrubbed(world)
    assert faults(world) == {}
    path_of(world, FILM).parent.rmdir()
    with pytest.raises(ArchiveAway, match="mounted"):
        world.archive.fault(DIGEST)


def test_a_stop_keeps_what_was_found_until_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    contents = [films.film(f"1.{number}", f"1.{number}.1", rows=16, columns=16) for number in range(6)]
    store(world, *contents)
    left = iter(range(3))

    def go_on() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    world.clock.forward(minutes=1)
    with pytest.raises(KeyboardInterrupt):
        scrub(world.archive, world.database, POLICY, world.clock, EVERYTHING, go_on)
    with world.database.read() as tx:
        assert tx.upkeep().unchecked == 4


class Heals(FileArchive):
    """An archive in which the film is sent again between the look and the note."""

    content = b""

    def fault(self, digest: str) -> Fault | None:
        found = super().fault(digest)
        self.path(digest).write_bytes(self.content)
        return found


def test_a_film_that_is_sent_again_at_this_moment_is_not_marked(world: World) -> None:
    store(world, FILM)
    path_of(world, FILM).write_bytes(b"x")
    archive_of(world).__class__ = Heals
    world.archive.content = FILM  # type: ignore[attr-defined]
    assert scrubbed(world).faulty == []
    assert (world.study().doubt, records(world)) == (None, [])
