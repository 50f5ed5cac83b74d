"""The receivers compared: ours, Orthanc, DCMTK's storescp and pynetdicom's, each a real process on a free port."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import Hospital

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Receiver:
    """A running receiver. ``films``: what it has on disk; ``sender``: what ``storescu`` needs to reach it."""

    name: str
    ae_title: str
    port: int
    pid: int
    films: Callable[[], list[Path]]
    sender: tuple[str, ...] = ()

    def stored(self) -> int:
        """How many films it has on disk."""
        return len(self.films())

    def cpu_seconds(self) -> float:
        """CPU time of the process and of all its children so far."""
        return sum(_cpu(pid) for pid in tree(self.pid))


@contextmanager
def ours(folder: Path, tls: dict[str, str] | None = None, sender: tuple[str, ...] = ()) -> Iterator[Receiver]:
    """``triage serve intake``: file and directory synced, row committed, before each answer."""
    port = free_port()
    command = [sys.executable, "-m", "triage", "serve", "intake", "--home", str(folder), "--dimse-port", str(port)]
    objects = folder / "instances" / "objects"
    with _running(command, port, tls) as process:
        yield Receiver("triage", "TRIAGE", port, process.pid, lambda: list(objects.glob("*/*.dcm")), sender)


@contextmanager
def ours_by_tls(folder: Path) -> Iterator[Receiver]:
    """The same, with TLS and a certificate of the sender's."""
    with tempfile.TemporaryDirectory() as kept:
        hospital = Hospital(Path(kept))
        hospital.issue("server", "TRIAGE", hosts=["127.0.0.1"])
        hospital.issue("CT1")
        files = {"certificate": "server.pem", "key": "server.key", "ca": "ca.pem"}
        settings = {f"TRIAGE_DIMSE__TLS__{name.upper()}": f"{kept}/{file}" for name, file in files.items()}
        sender = ("-aet", "CT1", "+tls", f"{kept}/CT1.key", f"{kept}/CT1.pem", "+cf", str(hospital.ca))
        with ours(folder, settings, sender) as receiver:
            yield receiver


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
def storescp(folder: Path, *more: str) -> Iterator[Receiver]:
    """DCMTK's storescp, bit-preserving, one association after another: no sync, no index."""
    port = free_port()
    folder.mkdir(parents=True)
    command = [_program("storescp"), *more, "-B", "+xa", "-od", str(folder), str(port)]
    with _running(command, port) as process:
        yield Receiver("storescp", "STORESCP", port, process.pid, lambda: _films_in(folder))


@contextmanager
def forking_storescp(folder: Path) -> Iterator[Receiver]:
    """The same, a process per association."""
    with storescp(folder, "--fork") as receiver:
        yield receiver


@contextmanager
def pynetdicom_app(folder: Path) -> Iterator[Receiver]:
    """pynetdicom's own ``storescp``, in this Python: a thread per association, no sync, no index."""
    port = free_port()
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-q", "-od", str(folder)]
    with _running(command, port) as process:
        yield Receiver("pynetdicom", "STORESCP", port, process.pid, lambda: _films_in(folder))


RECEIVERS = {
    "triage": ours,
    "triage, TLS": ours_by_tls,
    "Orthanc": orthanc,
    "storescp": forking_storescp,
    "storescp, one process": storescp,
    "pynetdicom's storescp": pynetdicom_app,
}
PROGRAMS = {"Orthanc": "Orthanc", "storescp": "storescp", "storescp, one process": "storescp"}
LACKS = {
    "triage": "",
    "triage, TLS": "",
    "Orthanc": "sync of the directory",
    "storescp": "sync, index",
    "storescp, one process": "sync, index; one association at a time",
    "pynetdicom's storescp": "sync, index",
}
"""What a receiver does not do that ours does before it answers."""


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
def _running(command: list[str], port: int, more: dict[str, str] | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "TCP_NODELAY": "1", **(more or {})}
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


def _films_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and _is_film(path)]


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
