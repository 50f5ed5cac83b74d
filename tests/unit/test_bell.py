"""Whoever waits wakes at once, across processes; a dead one's socket goes."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from triage.bell import Bell

LONG = 30.0


def waited(bell: Bell, seconds: float = LONG) -> float:
    begun = time.monotonic()
    bell.wait(threading.Event(), seconds)
    return time.monotonic() - begun


def test_a_waiter_wakes_at_once(tmp_path: Path) -> None:
    ringer, waiter = Bell(tmp_path / "bell"), Bell(tmp_path / "bell")
    waiter.listen()
    thread = threading.Thread(target=ringer.ring)
    thread.start()
    assert waited(waiter) < LONG / 2
    thread.join()
    ringer.ring()  # what was rung before the wait is heard, too
    assert waited(waiter) < LONG / 2
    assert waited(waiter, 0.05) >= 0.05, "each ring wakes once"
    ringer.close()
    waiter.close()
    assert os.listdir(tmp_path / "bell") == []


def test_from_another_process_and_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    waiter = Bell(folder)
    waiter.listen()
    code = "import sys; from pathlib import Path; from triage.bell import Bell; Bell(Path(sys.argv[1])).ring()"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, timeout=60)
    assert waited(waiter) < LONG / 2
    waiter.close()


def test_the_socket_of_one_that_died_goes_and_a_flood_blocks_nobody(tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path; from triage.bell import Bell; Bell(Path(sys.argv[1])).listen(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    assert len(os.listdir(tmp_path)) == 1
    ringer, waiter = Bell(tmp_path), Bell(tmp_path)
    waiter.listen()
    for _ in range(2000):
        ringer.ring()
    assert len(os.listdir(tmp_path)) == 1
    ringer.close()
    waiter.close()


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(b"x")
    bell = Bell(tmp_path)
    bell.ring()
    bell.close()
    bell.ring()
    assert os.listdir(tmp_path) == ["film.dcm"]


def test_stop_ends_the_wait(tmp_path: Path) -> None:
    bell, stop = Bell(tmp_path), threading.Event()
    stop.set()
    begun = time.monotonic()
    bell.wait(stop, LONG)
    assert time.monotonic() - begun < LONG / 2
    bell.close()
