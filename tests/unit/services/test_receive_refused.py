"""Films that are refused: nothing of them stays, what was there is untouched, nobody's name is told."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from tests import films
from tests.unit.services.world import MovingDatabase, World
from triage.archive.files import FileArchive
from triage.archive.memory import MemoryArchive, MemoryIncoming
from triage.domain.errors import CannotUnderstand, IndexUnavailable, MissingIdentifier, StorageFull, TriageError

FILM = films.film()
DIGEST = films.digest(FILM)
OTHER_BYTES = films.film(bright=0.75)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_uid_is_refused_and_nothing_stays(keyword: str, value: str | None) -> None:
    world = World()
    with pytest.raises(MissingIdentifier):
        world.store(films.film(**{keyword: value}), sop_class_uid=films.DX, sop_instance_uid="1.2.3.1.1")
    assert world.counts() == (0, 0, 0, 0)


def with_uid(keyword: str, uid: str) -> bytes:
    """A film whose header says so, written past pydicom's own checks, as a hostile sender would."""
    place, text = b"1." + b"7" * 14, uid.encode()
    text += b"\0" * (len(text) % 2)
    film = films.film(**{keyword: place.decode()})
    meta, data = films.split(film)
    assert data.count(b"\x10\0" + place) == 1
    return meta + data.replace(b"\x10\0" + place, len(text).to_bytes(2, "little") + text)


@pytest.mark.parametrize(
    "uid", ["../../etc/passwd", "1.2'; DROP TABLE study", "1.02", "1..2", "1." + "2" * 63, "1.2\\1.3", "1.é"]
)
@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_a_hostile_uid_is_refused_and_nothing_stays(tmp_path: Path, keyword: str, uid: str) -> None:
    world = World(FileArchive(tmp_path / "instances", 0))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CannotUnderstand) as caught:
        world.store(with_uid(keyword, uid), sop_class_uid=films.DX, sop_instance_uid="1.2.3.1.1")
    assert uid not in str(caught.value)
    assert world.counts() == (0, 0, 0, 0)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("data_set", [b"", b"<html><body>no film</body></html>", b"\0" * 300, b"\xff" * 300])
def test_what_is_no_data_set_is_refused_and_nothing_stays(data_set: bytes) -> None:
    world = World()
    with pytest.raises(CannotUnderstand):
        world.store(FILM, sop_class_uid=films.DX, sop_instance_uid="1.2.3.1.1", data_set=data_set)
    assert world.counts() == (0, 0, 0, 0)


def test_an_object_above_the_limit_is_refused_before_it_is_written() -> None:
    world = World()
    with pytest.raises(StorageFull):
        world.store(FILM, max_object_bytes=len(FILM) - 1)
    assert world.counts() == (0, 0, 0, 0)
    world.store(FILM, max_object_bytes=len(FILM))


def test_a_full_disk_refuses_the_film_and_keeps_what_was_there() -> None:
    world = World(MemoryArchive(capacity_bytes=len(FILM) + 10))
    world.store(FILM)
    with pytest.raises(StorageFull):
        world.store(films.film("1.9", "1.9.1.1"))
    assert world.counts() == (1, 0, 0, 1)
    assert world.list() == ["1.2.3"]


def test_a_disk_that_fills_up_while_writing_leaves_nothing_unfinished() -> None:
    class Tight(MemoryArchive):
        def receive(self, file_meta: bytes, expected_bytes: int) -> MemoryIncoming:
            return MemoryIncoming(self, file_meta)

    world = World(Tight(capacity_bytes=len(FILM) // 2))
    with pytest.raises(StorageFull):
        world.store(FILM)
    assert world.counts() == (0, 0, 0, 0)


def test_an_object_that_cannot_be_read_back_is_refused() -> None:
    class Deaf(MemoryIncoming):
        def open(self) -> BinaryIO:
            raise OSError("no")

    class Archive(MemoryArchive):
        def receive(self, file_meta: bytes, expected_bytes: int) -> MemoryIncoming:
            return Deaf(self, file_meta)

    world = World(Archive())
    with pytest.raises(StorageFull):
        world.store(FILM)
    assert world.counts() == (0, 0, 0, 0)


def test_a_film_that_could_not_be_indexed_is_kept_and_adopted_later() -> None:
    world = World(database=MovingDatabase())
    assert isinstance(world.database, MovingDatabase)
    world.database.down = True
    with pytest.raises(IndexUnavailable):
        world.store(FILM)
    assert world.counts() == (1, 0, 0, 0)
    assert world.gaps() == {"on_disk_not_indexed": [DIGEST]}
    world.database.down = False
    assert world.reconcile().adopted == [DIGEST]
    assert world.list() == ["1.2.3"]
    assert world.gaps() == {}


def test_a_film_that_could_not_be_indexed_may_simply_be_sent_again() -> None:
    world = World(database=MovingDatabase())
    assert isinstance(world.database, MovingDatabase)
    world.database.down = True
    with pytest.raises(IndexUnavailable):
        world.store(FILM)
    world.database.down = False
    world.store(FILM)
    assert world.counts() == (1, 0, 0, 1)
    assert world.gaps() == {}


REFUSALS: dict[str, Callable[[World], object]] = {
    "other bytes": lambda world: world.store(OTHER_BYTES),
    "other patient": lambda world: world.store(films.film(sop_uid="1.2.3.1.2", patient_id="SECRET^PATIENT")),
    "no UID": lambda world: world.store(
        films.film(StudyInstanceUID=None), sop_class_uid=films.DX, sop_instance_uid="1.2.3.1.1"
    ),
    "too large": lambda world: world.store(FILM, max_object_bytes=1),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_no_refusal_quotes_the_patient(name: str) -> None:
    world = World()
    world.store(FILM)
    with pytest.raises(TriageError) as caught:
        REFUSALS[name](world)
    told = str(caught.value) + caught.value.comment
    assert not any(secret in told for secret in ("SECRET", "Doe", "Jane", "P-1", "ACC-1"))
