"""The pulse of processes: what is told to systemd, and what our own supervisor makes of it."""

import os
import signal
import socket
import sys
import textwrap
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from triage.notify import ALIVE, READY, STOPPING, Pulse, notify
from triage.supervisor import Supervisor

SILENT_AFTER = 1.5
ROLE = """
import os, signal, sys
from datetime import timedelta
from triage.notify import READY, Pulse, notify
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with Pulse(timedelta(milliseconds=100)):
    notify(READY)
    os.write(1, b"")
    {work}
"""


def listener(address: str) -> socket.socket:
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(address)
    ear.settimeout(20)
    return ear


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_a_datagram_reaches_whoever_listens(tmp_path: Path, kind: str) -> None:
    address = str(tmp_path / "notify") if kind == "path" else "@triage-test-" + tmp_path.name + str(os.getpid())
    with listener(address.replace("@", "\0")) as ear:
        assert notify(READY, {"NOTIFY_SOCKET": address})
        assert ear.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "@nobody-listens-here", "/nobody/listens/here"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    assert not notify(READY, {"NOTIFY_SOCKET": address} if address else {})


def test_a_listener_that_takes_nothing_holds_nobody_up(tmp_path: Path) -> None:
    with listener(str(tmp_path / "notify")) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        told = [notify(ALIVE, {"NOTIFY_SOCKET": str(tmp_path / "notify")}) for _ in range(2000)]
    assert told[0]
    assert not told[-1]


def test_a_pulse_beats_until_it_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listener(str(tmp_path / "notify")) as ear:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with Pulse(timedelta(milliseconds=10)):
            assert [ear.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3


def test_a_role_that_is_stopped_is_killed_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others are left alone, and systemd hears that all is ready, that we live, and that we end."""
    pids, deaths, stop = tmp_path / "pids", [], threading.Event()
    work = f"""
    with open({str(pids)!r}, "a") as told: told.write(sys.argv[1] + " " + str(os.getpid()) + "\\n")
    if sys.argv[1:] == ["wedged", "0"]: os.kill(os.getpid(), signal.SIGSTOP)
    while True: signal.pause()
    """
    code = ROLE.format(work="pass") + textwrap.indent(textwrap.dedent(work), "    ")

    def died(role: str, exit_code: int, restarts: int) -> None:
        deaths.append((role, exit_code, restarts))

    def command(role: str, restarts: int) -> list[str]:
        return [sys.executable, "-c", code, role, str(restarts)]

    with listener(str(tmp_path / "systemd")) as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "systemd"))
        watched = Supervisor(["wedged", "well"], command, died, SILENT_AFTER)
        thread = threading.Thread(target=watched.run, args=(stop,))
        begun = time.monotonic()
        thread.start()
        said: set[bytes] = set()
        while (b"READY=1" not in said or not deaths) and time.monotonic() - begun < 60:
            said.add(systemd.recv(100))
        print(f"stopped role killed and started again {time.monotonic() - begun:.1f} s after its start, limit {SILENT_AFTER} s")
        stop.set()
        thread.join()
        while STOPPING.encode() not in said:
            said.add(systemd.recv(100))
    assert deaths == [("wedged", -signal.SIGKILL, 1)]
    assert {ALIVE.encode(), READY.encode(), STOPPING.encode()} <= said


def test_a_supervisor_that_was_paused_itself_kills_nobody() -> None:
    watched = Supervisor(["role"], lambda *_: [], lambda *_: None, SILENT_AFTER)
    (role,) = watched._roles
    role.heard = watched._looked = time.monotonic() - 60  # the machine slept
    watched._look()
    assert time.monotonic() - role.heard < SILENT_AFTER
