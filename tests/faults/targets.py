"""What is attacked: ours and two peers, each a real process on a free port; and what a process holds."""

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmark import receivers
from tests.certificates import Hospital
from tests.faults.watch import once
from tests.faults.wire import sender_tls
from tests.integration.service import Service

NAMES = ("ours", "storescp", "Orthanc")
BY_TLS = "ours by TLS"
TRACEBACK = re.compile(r"Traceback \(most recent call last\)")


@dataclass(frozen=True, slots=True)
class Held:
    """What a target's processes hold. ``rss_mb``: of all of them together; pages that they share count for each."""

    rss_mb: float
    threads: int
    descriptors: int


@dataclass(frozen=True)
class Target:
    """A receiver under attack. ``folder``: where it keeps objects; ``service``: ours, for what only ours tells.

    ``files``: authority, certificate and key of a sender that is let in, where it speaks TLS.
    """

    name: str
    ae_title: str
    port: int
    pid: int
    folder: Path
    stored: Callable[[], int]
    service: Service | None = None
    files: tuple[str, ...] = ()

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What a sender that is let in secures its connections with."""
        return sender_tls(*self.files) if self.files else None

    def held(self) -> Held:
        """Summed over its processes."""
        pids = receivers.tree(self.pid)
        status = [_status(pid) for pid in pids]
        rss, threads = (sum(one.get(name, 0) for one in status) for name in ("VmRSS", "Threads"))
        return Held(rss / 1024, threads, sum(_descriptors(pid) for pid in pids))

    def peak_mb(self) -> float:
        """The most that its first process ever held since :meth:`forget_peak`."""
        return _status(self.pid).get("VmHWM", 0) / 1024

    def forget_peak(self) -> None:
        """Count the peak from here (Linux: clear_refs 5)."""
        with suppress(OSError):
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def kept_bytes(self) -> int:
        """Bytes in its folder, of whatever kind."""
        return sum(_size(path) for path in self.folder.rglob("*"))

    def leftovers(self) -> int:
        """Unfinished objects (ours only: where they are is known)."""
        return len(list((self.folder / "incoming").glob("*.part")))

    def is_alive(self) -> bool:
        """Whether it answers a C-ECHO."""
        return once(self.port, self.ae_title, "127.0.0.1", self.tls) == "status 0000"

    def tracebacks(self) -> int:
        """In its log, which is one JSON object a line (ours only); lines that are not count as well."""
        return len(self.stray_lines()) if self.service else 0

    def stray_lines(self) -> list[str]:
        """Lines of the log that are not JSON objects."""
        assert self.service is not None
        return [line for line in self.service.log.read_text(errors="replace").splitlines() if not _is_object(line)]


@contextmanager
def ours(folder: Path, settings: dict[str, str] | None = None, **options: object) -> Iterator[Target]:
    """``triage serve intake``; it must stop cleanly."""
    service = Service(folder / "home", ("intake",), settings=settings, **options)  # type: ignore[arg-type]
    try:
        service.start()
        objects = service.home / "instances" / "objects"
        yield Target(
            name="ours",
            ae_title="TRIAGE",
            port=service.dimse_port,
            pid=service.pid("intake"),
            folder=service.home / "instances",
            stored=lambda: sum(1 for _ in objects.glob("*/*.dcm")),
            service=service,
        )
        service.stop()
    finally:
        service.kill()


@contextmanager
def ours_by_tls(folder: Path) -> Iterator[Target]:
    """Ours with TLS. Its sender's certificate is that of ``WATCH``."""
    hospital = Hospital(folder / "hospital")
    hospital.issue("server", "TRIAGE", hosts=["127.0.0.1"])
    hospital.issue("WATCH")
    files = {"certificate": "server.pem", "key": "server.key", "ca": "ca.pem"}
    settings = {f"dimse__tls__{name}": str(hospital.folder / file) for name, file in files.items()}
    with ours(folder, settings) as found:
        sender = [hospital.ca, hospital.folder / "WATCH.pem", hospital.folder / "WATCH.key"]
        yield replace(found, name=BY_TLS, files=tuple(map(str, sender)))


@contextmanager
def peer(name: str, folder: Path) -> Iterator[Target]:
    """Orthanc or DCMTK's ``storescp --fork``, as the benchmark runs them."""
    with receivers.RECEIVERS[name](folder) as found:
        yield Target(found.name, found.ae_title, found.port, found.pid, folder, found.stored)


@contextmanager
def target(name: str, folder: Path, settings: dict[str, str] | None = None) -> Iterator[Target]:
    """One of :data:`NAMES`, or :data:`BY_TLS`."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == BY_TLS:
        made = ours_by_tls(folder)
    elif name == "ours":
        made = ours(folder, settings)
    else:
        made = peer(name, folder / name)
    with made as found:
        yield found


def settled(one: Target, before: Held, seconds: float) -> tuple[Held, float]:
    """What it holds once threads and descriptors are back where they were, and after how long; at most ``seconds``."""
    begun = time.monotonic()
    while True:
        held, spent = one.held(), time.monotonic() - begun
        if (held.threads <= before.threads and held.descriptors <= before.descriptors) or spent > seconds:
            return held, spent
        time.sleep(0.1)


def _status(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = ((name, value.split()) for name, _, value in (line.partition(":") for line in lines))
    return {name: int(words[0]) for name, words in pairs if words and words[0].isdecimal()}


def _descriptors(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
