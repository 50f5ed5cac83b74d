"""The receivers compared: ours, Orthanc and DCMTK's storescp, each a real process on a free port."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Receiver:
    """A running receiver. ``stored`` counts the films it has on disk."""

    name: str
    ae_title: str
    port: int
    pid: int
    stored: Callable[[], int]

    def cpu_seconds(self) -> float:
        """CPU time of the process and of all its children so far."""
        return sum(_cpu(pid) for pid in tree(self.pid))


@contextmanager
def ours(folder: Path) -> Iterator[Receiver]:
    """``triage serve intake``: file and directory synced, row committed, before each answer."""
    port = free_port()
    command = [sys.executable, "-m", "triage", "serve", "intake", "--home", str(folder), "--dimse-port", str(port)]
    objects = folder / "instances" / "objects"
    with _running(command, port) as process:
        yield Receiver("triage", "TRIAGE", port, process.pid, lambda: sum(1 for _ in objects.glob("*/*.dcm")))


@contextmanager
def orthanc(folder: Path) -> Iterator[Receiver]:
    """Orthanc with its defaults but for names, ports and folders: file and index, no sync of the directory."""
    port = free_port()
    settings = {
        "Name": "bench",
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "DicomCheckCalledAet": False,
        "HttpServerEnabled": False,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowEcho": True,
    }
    (folder / "storage").mkdir(parents=True)
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    with _running([_program("Orthanc"), str(folder / "orthanc.json")], port) as process:
        yield Receiver("Orthanc", "ORTHANC", port, process.pid, lambda: _films_in(folder / "storage"))


@contextmanager
def storescp(folder: Path) -> Iterator[Receiver]:
    """DCMTK's storescp, bit-preserving, a process per association: no sync, no index."""
    port = free_port()
    folder.mkdir(parents=True)
    command = [_program("storescp"), "--fork", "-B", "+xa", "-od", str(folder), str(port)]
    with _running(command, port) as process:
        yield Receiver("storescp", "STORESCP", port, process.pid, lambda: _films_in(folder))


RECEIVERS = {"triage": ours, "Orthanc": orthanc, "storescp": storescp}
PROGRAMS = {"Orthanc": "Orthanc", "storescp": "storescp"}


def free_port() -> int:
    """A port the system says is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed"
    return found


@contextmanager
def _running(command: list[str], port: int) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "TCP_NODELAY": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
        assert time.monotonic() < deadline, f"{command[0]} does not listen"
        time.sleep(0.05)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _films_in(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file() and _is_film(path))


def _is_film(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        below = []
    return [pid, *(one for child in below for one in tree(int(child)))]


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / TICKS  # utime, stime, and those of children that ended
