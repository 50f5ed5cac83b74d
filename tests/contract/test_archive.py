"""What an Archive promises, asked of all: memory, files, any object store of fsspec, and S3 by a real server."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests import films, stores
from triage.archive.files import FileArchive
from triage.archive.memory import MemoryArchive
from triage.archive.objects import ObjectArchive, key_of
from triage.domain.errors import StorageFull
from triage.domain.identifiers import digest_of
from triage.services.ports import Archive

FILM = films.film()
META, DATA = films.split(FILM)
DIGEST = digest_of(DATA)
HOSTILE = ("", "../../etc/passwd", "..", "/etc/passwd", f"../{DIGEST}", DIGEST.upper(), DIGEST[:-1], f"{DIGEST}\n", "\0" * 64)

Damage = Callable[[bytes], None]


@pytest.fixture(scope="module")
def server() -> Iterator[stores.Moto]:
    with stores.moto() as one:
        yield one


@pytest.fixture(params=["memory", "files", "objects", "s3"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    if request.param == "memory":
        return MemoryArchive()
    if request.param == "files":
        return FileArchive(tmp_path / "instances", floor_bytes=0)
    store = stores.in_memory() if request.param == "objects" else request.getfixturevalue("server").new_store()
    made = ObjectArchive(store, tmp_path / "instances", floor_bytes=0)
    made.begin()
    return made


@pytest.fixture
def full(archive: Archive) -> Archive:
    """The same archive with no room for an object more."""
    if isinstance(archive, FileArchive | ObjectArchive):
        archive.floor_bytes = 1 << 60
    elif isinstance(archive, MemoryArchive):
        archive.capacity_bytes = sum(map(len, archive.objects.values()))
    return archive


def keep(archive: Archive, film: bytes = FILM) -> str:
    meta, data = films.split(film)
    incoming = archive.receive(meta, len(film))
    incoming.write(data)
    digest = incoming.sync()
    incoming.keep()
    incoming.discard()
    return digest


def replace(archive: Archive, digest: str, content: bytes) -> None:
    """Somebody writes to a kept object behind the archive's back."""
    if isinstance(archive, FileArchive):
        archive.path(digest).write_bytes(content)
    elif isinstance(archive, ObjectArchive):
        archive.store.note(key_of(digest), content)
    elif isinstance(archive, MemoryArchive):
        archive.objects[digest] = content


def grow_old(archive: Archive, hours: float) -> None:
    """Everything in it was written so long before."""
    if isinstance(archive, FileArchive):
        for path in archive.root.rglob("*.*"):
            now = path.stat().st_mtime
            os.utime(path, (now, now - hours * 3600))
    elif isinstance(archive, ObjectArchive):
        stores.grow_old(archive, timedelta(hours=hours))
    elif isinstance(archive, MemoryArchive):
        archive.written = {name: at - timedelta(hours=hours) for name, at in archive.written.items()}


def test_what_was_written_lately_is_not_quiet(archive: Archive) -> None:
    hour = timedelta(hours=1)
    keep(archive)
    assert archive.is_quiet(DIGEST, timedelta(0))
    assert not archive.is_quiet(DIGEST, hour)
    grow_old(archive, 0.9)
    assert not archive.is_quiet(DIGEST, hour)
    grow_old(archive, 0.2)
    assert archive.is_quiet(DIGEST, hour)
    archive.set_aside(DIGEST)
    assert archive.is_quiet(DIGEST, hour) or isinstance(archive, ObjectArchive)  # there it is a copy, and written now
    assert not archive.is_quiet("0" * 64, hour)
    assert not archive.is_quiet("../../etc/passwd", hour)


def test_a_sweep_leaves_what_is_still_written(archive: Archive) -> None:
    archive.receive(META, 10)
    grow_old(archive, 2)
    fresh = archive.receive(META, 10)
    assert len(archive.sweep(timedelta(hours=1))) == 1
    fresh.write(DATA)
    assert fresh.sync() == DIGEST
    fresh.keep()
    assert archive.is_intact(DIGEST)
    assert archive.sweep(timedelta(hours=1)) == archive.leftovers() == []


def test_a_kept_object_is_the_bytes_as_received_under_their_digest(archive: Archive) -> None:
    assert keep(archive) == DIGEST
    with archive.open(DIGEST) as stream:
        assert stream.read() == FILM
    assert archive.holds(DIGEST)
    assert archive.is_intact(DIGEST)
    assert list(archive.digests()) == [DIGEST]
    assert archive.leftovers() == []


def test_bytes_may_come_in_pieces(archive: Archive) -> None:
    incoming = archive.receive(META, len(FILM))
    for start in range(0, len(DATA), 1000):
        incoming.write(memoryview(DATA)[start : start + 1000])
    assert incoming.sync() == DIGEST
    with incoming.open() as stream:
        assert stream.read() == FILM
    incoming.keep()
    assert archive.is_intact(DIGEST)


def test_nothing_counts_before_it_is_kept(archive: Archive) -> None:
    incoming = archive.receive(META, len(FILM))
    incoming.write(DATA)
    incoming.sync()
    assert list(archive.digests()) == []
    assert not archive.holds(DIGEST)
    assert len(archive.leftovers()) == 1


def test_what_is_discarded_leaves_nothing(archive: Archive) -> None:
    incoming = archive.receive(META, len(FILM))
    incoming.write(DATA)
    incoming.discard()
    incoming.discard()
    assert archive.leftovers() == []
    assert list(archive.digests()) == []


def test_discarding_a_kept_object_does_nothing(archive: Archive) -> None:
    incoming = archive.receive(META, len(FILM))
    incoming.write(DATA)
    incoming.sync()
    incoming.keep()
    incoming.discard()
    assert archive.is_intact(DIGEST)


def test_the_same_object_twice_is_kept_once(archive: Archive) -> None:
    keep(archive)
    keep(archive)
    assert list(archive.digests()) == [DIGEST]
    assert archive.is_intact(DIGEST)
    assert archive.leftovers() == []


def test_a_quarantined_object_is_not_among_the_kept(archive: Archive) -> None:
    incoming = archive.receive(META, len(FILM))
    incoming.write(DATA)
    incoming.sync()
    incoming.quarantine()
    incoming.discard()
    assert list(archive.digests()) == []
    assert list(archive.digests_aside()) == [DIGEST]
    assert archive.leftovers() == []


def test_what_was_set_aside_can_be_dropped_and_nothing_else(archive: Archive) -> None:
    keep(archive)
    archive.drop_aside(DIGEST)
    assert archive.holds(DIGEST)
    archive.set_aside(DIGEST)
    archive.drop_aside(DIGEST)
    archive.drop_aside(DIGEST)
    assert list(archive.digests_aside()) == []


def test_a_kept_object_can_be_set_aside(archive: Archive) -> None:
    keep(archive)
    archive.set_aside(DIGEST)
    archive.set_aside(DIGEST)
    assert not archive.holds(DIGEST)
    assert list(archive.digests_aside()) == [DIGEST]
    with pytest.raises(FileNotFoundError):
        archive.open(DIGEST)


def test_a_sweep_removes_unfinished_receipts_only(archive: Archive) -> None:
    keep(archive)
    archive.receive(META, len(FILM)).write(DATA[:100])
    left = archive.leftovers()
    assert len(left) == 1
    assert archive.sweep() == left
    assert archive.sweep() == archive.leftovers() == []
    assert archive.is_intact(DIGEST)


@pytest.mark.parametrize(
    "damage",
    [
        lambda film: film[:-1],
        lambda film: film + b"\0",
        lambda film: film[:-1] + b"\1",
        lambda film: b"",
        lambda film: film[:140],
    ],
    ids=["truncated", "longer", "bit flipped", "emptied", "cut in the header"],
)
def test_changed_bytes_are_noticed(archive: Archive, damage: Callable[[bytes], bytes]) -> None:
    keep(archive)
    replace(archive, DIGEST, damage(FILM))
    assert archive.holds(DIGEST)
    assert not archive.is_intact(DIGEST)


def test_an_object_that_is_not_kept_is_not_intact(archive: Archive) -> None:
    assert not archive.is_intact(DIGEST)
    assert not archive.holds(DIGEST)


def test_a_full_disk_refuses_the_object_before_it_is_written(full: Archive) -> None:
    with pytest.raises(StorageFull):
        full.receive(META, len(FILM))
    assert full.leftovers() == []
    assert full.free_bytes() < len(FILM)


def test_a_full_disk_does_not_touch_what_is_kept(archive: Archive, request: pytest.FixtureRequest) -> None:
    keep(archive)
    request.getfixturevalue("full")
    with pytest.raises(StorageFull):
        archive.receive(META, len(FILM))
    assert archive.is_intact(DIGEST)


@pytest.mark.parametrize("name", HOSTILE)
def test_only_a_digest_names_an_object(archive: Archive, name: str, tmp_path: Path) -> None:
    keep(archive)
    with pytest.raises(FileNotFoundError):
        archive.open(name)
    assert not archive.is_intact(name)
    archive.set_aside(name)
    assert list(archive.digests()) == [DIGEST]
    assert list(archive.digests_aside()) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_digest_is_not_held(archive: Archive, name: str) -> None:
    assert archive.holds(name) is False


def test_the_same_bytes_under_another_transfer_syntax_leave_the_first_as_it_is(archive: Archive) -> None:
    keep(archive)
    incoming = archive.receive(META.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"), len(FILM))
    incoming.write(DATA)
    incoming.sync()
    incoming.keep()
    with archive.open(DIGEST) as stream:
        assert stream.read() == FILM
    assert archive.leftovers() == []


def test_a_damaged_object_is_mended_when_it_is_sent_again(archive: Archive) -> None:
    keep(archive)
    replace(archive, DIGEST, FILM[:-1])
    keep(archive)
    assert archive.is_intact(DIGEST)
