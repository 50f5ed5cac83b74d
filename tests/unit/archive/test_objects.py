"""An archive in an object store says *kept* only of what the store was proved to hold, whatever wire and store do."""

import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import films, stores
from tests.unit.services.world import World
from tests.wire import Wire, wire
from triage.archive import ranged as module
from triage.archive.objects import ObjectArchive, aside_of, key_of
from triage.archive.store import Store
from triage.bootstrap.archive import begin
from triage.config import load
from triage.domain.errors import ArchiveAway, ConfigError
from triage.domain.fault import Fault
from triage.domain.identifiers import digest_of

FILM = films.film()
META, DATA = films.split(FILM)
DIGEST = digest_of(DATA)
LARGE = DATA + bytes(300_000)


@pytest.fixture(scope="module")
def server() -> Iterator[stores.Moto]:
    with stores.moto() as one:
        yield one


@pytest.fixture(scope="module")
def bad(server: stores.Moto) -> Iterator[tuple[Wire, Store, str]]:
    """A wire, and a store behind it; the bucket."""
    bucket = server.bucket()
    with wire(server.port) as one:
        yield one, stores.open_store(f"s3://{bucket}/site", one.endpoint, 20.0), bucket


@pytest.fixture
def archive(bad: tuple[Wire, Store, str], tmp_path: Path) -> ObjectArchive:
    made = ObjectArchive(bad[1], tmp_path / "instances", floor_bytes=0)
    made.begin()
    return made


def received(archive: ObjectArchive, data: bytes) -> str | None:
    incoming = archive.receive(META, len(data))
    try:
        incoming.write(data)
        incoming.sync()
        return incoming.keep()
    finally:
        incoming.discard()


@pytest.mark.parametrize("fault", ["flip", "cut", "silence"])
def test_what_does_not_arrive_whole_is_not_kept(
    archive: ObjectArchive, bad: tuple[Wire, Store, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "silence":
        monkeypatch.setattr(archive.store, "_asking", {"timeout": 2.0})
    data = LARGE + fault.encode()
    bad[0].fault, before, begun = fault, bad[0].faults, time.monotonic()
    if fault == "cut":  # the library tries once more by itself
        received(archive, data)
    else:
        with pytest.raises(ArchiveAway):
            received(archive, data)
        assert "object store" in str(archive.trouble())
    assert bad[0].faults == before + 1
    assert time.monotonic() - begun < 30, "an answer has its time"
    assert archive.leftovers() == []
    displaced = received(archive, data)
    assert (displaced is not None) == (fault == "flip"), "what is wrong is set aside"
    assert archive.is_intact(digest_of(data))
    assert archive.trouble() is None


def test_an_answer_that_was_lost_costs_nothing(archive: ObjectArchive, bad: tuple[Wire, Store, str]) -> None:
    data = LARGE + b"lost"
    incoming = archive.receive(META, len(data))
    incoming.write(data)
    incoming.sync()
    archive.holds(DIGEST)
    bad[0].fault = "lost answer"
    try:
        incoming.keep()
    except ArchiveAway:  # not acknowledged: sent again
        received(archive, data)
    assert archive.is_intact(digest_of(data))


def test_a_store_that_is_down_loses_nothing_and_nothing_is_taken_for_lost(tmp_path: Path) -> None:
    away = stores.open_store("s3://films/site", "http://127.0.0.1:9", 1.0)
    archive = ObjectArchive(away, tmp_path / "instances", floor_bytes=0)
    for ask in (archive.open, archive.holds, archive.fault, archive.set_aside, archive.drop_aside, lambda _: archive.strays()):
        with pytest.raises(ArchiveAway, match="no proper answer"):
            ask(DIGEST)
    with pytest.raises(ArchiveAway):
        list(archive.digests())
    assert not archive.is_intact(DIGEST)
    with pytest.raises(ArchiveAway):
        received(archive, DATA)
    assert archive.leftovers() == []
    assert archive.failure() is None, "it is asked again with the next film"


@pytest.mark.parametrize("place", ["s3://no-such-bucket/site", "s3://{bucket}/other"])
def test_in_the_wrong_place_nothing_is_taken_for_missing(server: stores.Moto, tmp_path: Path, place: str) -> None:
    store = stores.open_store(place.format(bucket=server.bucket()), server.endpoint, 5.0)
    archive = ObjectArchive(store, tmp_path / "instances", floor_bytes=0)
    with pytest.raises(ArchiveAway):
        archive.fault(DIGEST)
    with pytest.raises(ArchiveAway):
        archive.holds(DIGEST)


def test_a_site_with_films_does_not_begin_an_empty_store(tmp_path: Path) -> None:
    from triage.database.engine import SqlDatabase, open_engine
    from triage.database.schema import migrate
    from triage.database.sqlite import sqlite_url

    database = SqlDatabase(open_engine(sqlite_url(tmp_path / "triage.db")))
    migrate(database.engine)
    first = ObjectArchive(stores.in_memory(), tmp_path / "one", floor_bytes=0)
    begin(first, database)
    assert first.is_begun()
    World(first, database).store(FILM)
    second = ObjectArchive(stores.in_memory(), tmp_path / "two", floor_bytes=0)
    with pytest.raises(ConfigError, match="right one"):
        begin(second, database)
    assert not second.is_begun()
    begin(first, database)
    database.close()


def test_a_store_without_sums_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = ObjectArchive(stores.in_memory(), tmp_path / "instances", floor_bytes=0)
    archive.begin()
    with monkeypatch.context() as patch:
        patch.setattr(archive.store._fs, "put_file", lambda source, path: archive.store._fs.pipe_file(path, FILM[:-1] + b"?"))
        with pytest.raises(ArchiveAway, match="otherwise"):
            received(archive, DATA)
    assert archive.fault(DIGEST) is Fault.DAMAGED
    received(archive, DATA)
    assert archive.is_intact(DIGEST)


def test_two_nodes_that_put_one_film_at_once_keep_one(server: stores.Moto, tmp_path: Path) -> None:
    store = server.new_store()
    nodes = [ObjectArchive(store, tmp_path / name, floor_bytes=0) for name in ("one", "two")]
    nodes[0].begin()
    parts = [node.receive(META, 1) for node in nodes]
    for part in parts:
        part.write(DATA)
        part.sync()
    threads = [threading.Thread(target=part.keep) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(nodes[0].digests()) == [DIGEST]
    assert nodes[1].is_intact(DIGEST)
    assert nodes[0].leftovers() == nodes[1].leftovers() == []


def test_a_move_that_was_broken_off_can_be_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = ObjectArchive(stores.in_memory(), tmp_path / "instances", floor_bytes=0)
    archive.begin()
    received(archive, DATA)
    with monkeypatch.context() as patch:
        patch.setattr(archive.store, "remove", lambda key: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            archive.set_aside(DIGEST)
    assert archive.is_intact(DIGEST)
    assert archive.is_intact_aside(DIGEST)
    archive.set_aside(DIGEST)
    assert not archive.holds(DIGEST)
    assert archive.is_intact_aside(DIGEST)


def test_what_lies_where_it_does_not_belong_is_settled(tmp_path: Path) -> None:
    archive = ObjectArchive(stores.in_memory(), tmp_path / "instances", floor_bytes=0)
    archive.begin()
    wrong = "00" if DIGEST[:2] != "00" else "11"
    archive.store.note(f"objects/{wrong}/{DIGEST}.dcm", FILM)
    archive.store.note("objects/notes.txt", b"notes")
    archive.store.note("quarantine/x.dcm", b"x")
    strays = archive.strays()
    assert len(strays) == 3
    settled = {archive.settle(stray) for stray in strays}
    assert settled == {DIGEST, digest_of(b"notes"), digest_of(b"x")}
    assert archive.strays() == []
    assert archive.is_intact(DIGEST)
    assert sorted(archive.digests_aside()) == sorted({digest_of(b"notes"), digest_of(b"x")})


def test_a_local_copy_is_there_as_long_as_it_is_needed(tmp_path: Path) -> None:
    archive = ObjectArchive(stores.in_memory(), tmp_path / "instances", floor_bytes=0)
    archive.begin()
    received(archive, DATA)
    with archive.local(DIGEST) as path:
        assert path.read_bytes() == FILM
    assert not path.exists()
    assert key_of(DIGEST) != aside_of(DIGEST)


@given(st.binary(max_size=600), st.lists(st.tuples(st.integers(0, 700), st.integers(0, 300)), max_size=8))
def test_an_object_in_pieces_reads_as_a_file_does(content: bytes, steps: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "HEAD", 50)
        patch.setattr(module, "PIECE", 130)
        stream, file = module.ranged(len(content), lambda start, end: content[start:end]), BytesIO(content)
        for place, count in steps:
            assert stream.seek(place) == file.seek(place)
            assert stream.read(count) == file.read(count)
        stream.seek(0)
        assert stream.read() == content


def test_a_header_is_one_small_piece() -> None:
    asked: list[tuple[int, int]] = []

    def read(start: int, end: int) -> bytes:
        asked.append((start, end))
        return bytes(end - start)

    stream = module.ranged(100 << 20, read)
    stream.read(1000)
    stream.seek(0)
    stream.read(20_000)
    assert asked == [(0, module.HEAD)]


@pytest.mark.parametrize(
    "archive",
    [
        "s3://",
        "s3:///x",
        "sftp://host/x",
        "/mnt/nfs",
        "file://x",
        "file:///",
        "s3://KEY:SECRET@films/x",
        "memory://x",
        "s3://f?x",
    ],
)
def test_a_place_that_cannot_be_is_refused_and_not_repeated(archive: str) -> None:
    with pytest.raises(ConfigError, match=r"storage\.archive") as refused:
        load(home=Path("/nowhere"), overrides={"storage": {"archive": archive}}, environment={})
    assert "SECRET" not in str(refused.value)


def test_a_folder_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    from triage.bootstrap.archive import archive_of

    settings = load(home=tmp_path, overrides={"storage": {"archive": f"file://{tmp_path}/mnt/films"}}, environment={})
    with pytest.raises(ConfigError, match="mounted"):
        archive_of(settings)
    (tmp_path / "mnt" / "films").mkdir(parents=True)
    assert archive_of(settings).root == tmp_path / "mnt" / "films"
