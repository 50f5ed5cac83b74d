"""What only the archive on a disk can get wrong: short writes, failed syncs, leftovers, who may read."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import films
from triage.archive.files import FileArchive
from triage.domain.errors import ConfigError, StorageFull
from triage.domain.fault import Fault

FILM = films.film()
META, DATA = films.split(FILM)
DIGEST = films.digest(FILM)


@pytest.fixture
def archive(tmp_path: Path) -> FileArchive:
    return FileArchive(tmp_path / "instances", floor_bytes=0)


def keep(archive: FileArchive) -> None:
    incoming = archive.receive(META, len(FILM))
    try:
        incoming.write(DATA)
        incoming.sync()
        incoming.keep()
    finally:
        incoming.discard()


def raising(code: int) -> Callable[..., int]:
    def call(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return call


def files(archive: FileArchive) -> list[Path]:
    return [path for path in archive.root.rglob("*") if path.is_file()]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_an_object_lies_under_its_digest_and_nothing_else(archive: FileArchive) -> None:
    keep(archive)
    assert files(archive) == [archive.root / "objects" / DIGEST[:2] / f"{DIGEST}.dcm"]


def test_only_the_owner_can_read_it(archive: FileArchive) -> None:
    keep(archive)
    for path in archive.root.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_short_write_is_continued(archive: FileArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:700]))
    keep(archive)
    assert archive.path(DIGEST).read_bytes() == FILM


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failing_disk_leaves_neither_file_nor_descriptor(
    archive: FileArchive, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, raising(code))
        with pytest.raises(StorageFull, match=errno.errorcode[code]):
            keep(archive)
    assert files(archive) == []
    assert descriptors() == before


@pytest.mark.parametrize(("code", "closed"), [(errno.ENOSPC, False), (errno.EIO, True)])
def test_an_input_output_error_closes_the_archive_and_a_full_disk_does_not(
    archive: FileArchive, monkeypatch: pytest.MonkeyPatch, code: int, closed: bool
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(code))
        with pytest.raises(StorageFull):
            keep(archive)
    assert (archive.failure() is not None) is closed
    if closed:
        with pytest.raises(StorageFull, match="input/output"):
            archive.receive(META, len(FILM))
    else:
        keep(archive)


def test_every_fsync_comes_before_and_after_the_rename(archive: FileArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def told_fsync(descriptor: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        happened.append(f"fsync {kind}")
        fsync(descriptor)

    def told_rename(path: Path, target: Path) -> Path:
        happened.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", told_fsync)
    monkeypatch.setattr(Path, "rename", told_rename)
    keep(archive)
    assert happened == ["fsync file", "rename", "fsync directory"]
    happened.clear()
    archive.set_aside(DIGEST)
    assert happened == ["rename", "fsync directory", "fsync directory"]


def test_the_floor_is_left_free(tmp_path: Path) -> None:
    room = FileArchive(tmp_path, floor_bytes=0).free_bytes()
    archive = FileArchive(tmp_path, floor_bytes=room // 2)
    assert 0 < archive.free_bytes() < room
    with pytest.raises(StorageFull, match="stay free"):
        archive.receive(META, room)


def test_a_second_intake_on_the_same_folder_is_refused(archive: FileArchive) -> None:
    held = archive.lock()
    with pytest.raises(ConfigError, match="another intake"):
        FileArchive(archive.root, 0).lock()
    os.close(held)
    os.close(archive.lock())


def test_intakes_of_several_nodes_hold_a_lock_each(archive: FileArchive) -> None:
    held = [archive.lock("one"), archive.lock("two.hospital")]
    with pytest.raises(ConfigError, match="another intake"):
        FileArchive(archive.root, 0).lock("one")
    assert archive.strays() == []
    for descriptor in held:
        os.close(descriptor)


def test_the_lock_is_no_leftover(archive: FileArchive) -> None:
    held = archive.lock()
    assert archive.sweep() == []
    os.close(held)


def test_the_same_bytes_by_two_at_once_leave_one_file_and_nothing_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one puts them between our look and our move."""
    archive = FileArchive(tmp_path / "instances", 0)
    first, second = archive.receive(META, len(FILM)), archive.receive(META, len(FILM))
    for incoming in (first, second):
        incoming.write(DATA)
        incoming.sync()
    look, others = archive.fault, [first]

    def fault(digest: str) -> Fault | None:
        found = look(digest)
        if found is Fault.MISSING and others:
            others.pop().keep()
            return Fault.MISSING
        return found

    monkeypatch.setattr(archive, "fault", fault)
    assert second.keep() is None
    assert (len(list(archive.digests())), list(archive.digests_aside()), archive.leftovers()) == (1, [], [])
