"""Where a body waits: an object that is being read stays what it is."""

from pathlib import Path

import pytest

from triage.web.dicomweb.spool import Spool, Spooled

SIZE = 300_000


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_object_is_read_to_its_end_though_the_body_was_let_go_and_another_file_opened(tmp_path: Path) -> None:
    """A server that stops lets go of the body while a thread still receives from it."""
    before = open_descriptors()
    with Spool(tmp_path, SIZE, lambda size: None) as spool:
        spool.write(b"A" * SIZE)
        stream = spool.open(Spooled(0, SIZE))
        first = stream.read(10)
    with (tmp_path / "another").open("wb+") as another, stream:
        another.write(b"B" * SIZE)
        another.flush()
        assert first + stream.read() == b"A" * SIZE
    assert open_descriptors() == before
    with pytest.raises(ValueError, match="closed"):
        stream.read(1)
