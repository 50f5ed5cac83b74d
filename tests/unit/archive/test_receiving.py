"""Who receives beside the intake: many at once, none while it puts the archive right, and nobody's death holds the lock."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from triage.archive.files import FileArchive
from triage.archive.receiving import nobody_receives, receiving
from triage.domain.errors import ArchiveAway

HOLD = """
import sys
from pathlib import Path
from triage.archive.receiving import receiving
with receiving(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return FileArchive(tmp_path / "instances", 0).root


def test_many_receive_at_once_and_the_intake_waits_for_them(root: Path) -> None:
    order: list[str] = []

    def intake() -> None:
        with nobody_receives(root, 10):
            order.append("put right")

    with receiving(root), receiving(root):
        thread = threading.Thread(target=intake)
        thread.start()
        thread.join(0.2)
        order.append("received")
    thread.join(10)
    assert order == ["received", "put right"]


def test_nothing_is_received_while_the_archive_is_put_right(root: Path) -> None:
    with nobody_receives(root), pytest.raises(ArchiveAway, match="try again"), receiving(root):
        pass
    with receiving(root):
        pass


def test_the_intake_does_not_wait_for_ever(root: Path) -> None:
    begun = time.monotonic()
    with receiving(root), pytest.raises(ArchiveAway), nobody_receives(root, 0.1):
        pass
    assert time.monotonic() - begun < 5


def test_those_who_receive_one_after_another_let_the_intake_in(root: Path) -> None:
    """Two who take turns, so that at no moment nobody receives."""
    over, begun = threading.Event(), threading.Barrier(3)

    def store(first: float) -> None:
        begun.wait()
        over.wait(first)
        while not over.is_set():
            try:
                with receiving(root):
                    over.wait(0.2)
            except ArchiveAway:
                over.wait(0.02)

    threads = [threading.Thread(target=store, args=(first,)) for first in (0.0, 0.1)]
    for thread in threads:
        thread.start()
    begun.wait()
    over.wait(0.15)
    try:
        with nobody_receives(root, 3):
            pass
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_process_that_dies_while_it_receives_holds_nothing(root: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ArchiveAway), nobody_receives(root, 0):
        pass
    holder.kill()
    holder.wait()
    with nobody_receives(root, 5):
        pass
    holder.stdin.close()
    holder.stdout.close()


def test_the_lock_is_no_stray(root: Path) -> None:
    with receiving(root):
        archive = FileArchive(root, 0)
        assert archive.strays() == []
        assert archive.leftovers() == []
    assert os.path.exists(root / "incoming" / "receive.lock")
