"""What lies on the medium counts, not what memory remembers of it: a bit is flipped beneath the file system."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import films
from triage.archive.files import FileArchive

needs = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "losetup", "filefrag"))), reason="needs root and loop devices"
)
BLOCK = 4096


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def medium(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """(the image of a file system, where it is mounted)."""
    image, mounted = tmp_path / "image", tmp_path / "mounted"
    with image.open("wb") as file:
        file.truncate(32 << 20)
    mounted.mkdir()
    run("mkfs.ext4", "-q", "-b", str(BLOCK), str(image))
    try:
        run("mount", "-o", "loop", str(image), str(mounted))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop mount here: {error.stderr.strip()}")
    try:
        yield image, mounted
    finally:
        run("umount", "-l", str(mounted))


@needs
def test_a_bit_that_flips_on_the_medium_is_seen(medium: tuple[Path, Path]) -> None:
    image, mounted = medium
    archive = FileArchive(mounted / "instances", 0)
    film = films.film()
    meta, data_set = films.split(film)
    incoming = archive.receive(meta, len(film))
    incoming.write(data_set)
    digest = incoming.sync()
    incoming.keep()
    assert archive.is_intact(digest)
    path = archive.path(digest)
    extent = re.search(r"^\s*0:\s+0\.\.\s*\d+:\s+(\d+)\.\.", run("filefrag", "-v", str(path)), re.MULTILINE)
    assert extent is not None
    assert path.read_bytes() == film  # memory has it now
    with image.open("r+b") as below:
        below.seek(int(extent[1]) * BLOCK + len(meta) + 100)
        byte = below.read(1)[0]
        below.seek(-1, os.SEEK_CUR)
        below.write(bytes([byte ^ 1]))
        below.flush()
        os.fsync(below.fileno())
    assert path.read_bytes() == film  # and says that all is well
    assert not archive.is_intact(digest)
