"""``python -m tests.benchmark storage``: what an archive takes and gives back, on this disk and in an object store.

The store is moto's server in a process of its own: Python on the same machine, so that the figures show what the way to a store
costs this side, and are the least that a real one has to give.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests import films, stores
from tests.integration.service import until
from tests.postgres import free_port
from triage.archive.files import FileArchive
from triage.archive.objects import ObjectArchive
from triage.archive.opening import open_store
from triage.bootstrap.archive import SiteArchive

SIZES = {"1 MB": 1 << 20, "15 MB": 15 << 20}
Made = Callable[[Path], SiteArchive]


def main(count: int) -> None:
    """Print the table of docs/storage.md."""
    os.environ.update(stores.KEYS)
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        store = open_store("s3://films/site", f"http://127.0.0.1:{port}", 20.0)
        until(lambda: _there(store._fs), 60, "the server answers", every=0.2)
        kinds: dict[str, Made] = {
            "files": lambda root: FileArchive(root, 0),
            "s3 (moto)": lambda root: ObjectArchive(store, root, 0),
        }
        print("| film | archive | received/s | p95 ms | header ms | read again MB/s | CPU ms a film |\n" + "|---" * 7 + "|")
        for size, length in SIZES.items():
            for kind, made in kinds.items():
                print(f"| {size} | {kind} | {_measure(made, length, max(10, count // (length >> 20)))} |", flush=True)
        print(f"\nload average after: {os.getloadavg()[0]:.2f}")
    finally:
        server.kill()
        server.wait()


def _there(filesystem: object) -> bool:
    try:
        filesystem.call_s3("create_bucket", Bucket="films")  # type: ignore[attr-defined]
    except Exception:
        return False
    return True


def _measure(made: Made, length: int, count: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        archive = made(Path(folder) / "instances")
        if isinstance(archive, ObjectArchive):
            archive.begin()
        meta, data = films.split(films.film())
        digests, took, cpu = [], [], time.process_time()
        for _ in range(count):
            content = data + os.urandom(length - len(data))
            begun = time.perf_counter()
            incoming = archive.receive(meta, length)
            for start in range(0, length, 1 << 16):
                incoming.write(memoryview(content)[start : start + (1 << 16)])
            digests.append(incoming.sync())
            incoming.keep()
            incoming.discard()
            took.append(time.perf_counter() - begun)
        cpu = (time.process_time() - cpu) / count * 1e3
        begun = time.perf_counter()
        for digest in digests:
            with archive.open(digest) as stream:
                stream.read(20_000)
        header = (time.perf_counter() - begun) / count * 1e3
        begun = time.perf_counter()
        assert all(archive.is_intact(digest) for digest in digests)
        again = count * length / 1e6 / (time.perf_counter() - begun)
        p95 = statistics.quantiles(took, n=20)[-1] * 1e3
        return f"{count / sum(took):.1f} | {p95:.0f} | {header:.1f} | {again:.0f} | {cpu:.0f}"
