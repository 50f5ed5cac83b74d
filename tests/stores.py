"""Object stores for tests: a real server on a free port, and what is done to it behind the service's back."""

import logging
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from tests.integration.service import until
from tests.postgres import free_port
from triage.archive.objects import ObjectArchive
from triage.archive.opening import open_store
from triage.archive.store import S3Store, Store

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDTRIAGETEST",
    "AWS_SECRET_ACCESS_KEY": "not-to-be-seen-anywhere",
    "AWS_DEFAULT_REGION": "us-east-1",
}
WITHIN = 5.0
_NUMBER = count(1)


class Moto:
    """One server with one bucket after another. It runs in this process: what it holds can be changed."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]
        self._first: Store | None = None
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def bucket(self) -> str:
        """The name of a new bucket."""
        name = f"films-{os.getpid()}-{next(_NUMBER)}"
        self._buckets().create_bucket(name, "us-east-1")
        return name

    def store(self, bucket: str, prefix: str = "site", within: float = WITHIN) -> Store:
        """A bucket as the service opens it."""
        return open_store(f"s3://{bucket}/{prefix}", self.endpoint, within)

    def new_store(self) -> Store:
        """A new bucket as the service opens it; all by one client, which takes long to make."""
        bucket = self.bucket()
        if self._first is None:
            self._first = self.store(bucket)
        return S3Store(self._first._fs, f"{bucket}/site", WITHIN)

    def objects(self, bucket: str) -> dict[str, Any]:
        """What a bucket holds, as the server holds it: ``value``, ``last_modified``."""
        return dict(self._buckets().buckets[bucket].keys.items())

    def stop(self) -> None:
        """End."""
        self._server.stop()
        self._server._server.server_close()  # type: ignore[union-attr]

    @staticmethod
    def _buckets() -> Any:
        from moto.backends import get_backend

        return get_backend("s3")["123456789012"]["aws"]


class S3rver:
    """A server of other people's, in a process of its own (npm: s3rver), which knows no conditions and compares no sums."""

    KEYS: ClassVar[dict[str, str]] = {"AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        command = [str(shutil.which("s3rver")), "-d", str(folder), "-p", str(self.port), "-s", "--configure-bucket", "films"]
        self._process = subprocess.Popen(command)

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(answers, 30, "s3rver answers")

    def stop(self) -> None:
        """End."""
        self._process.kill()
        self._process.wait()


def in_memory() -> Store:
    """What fsspec has without a server: stands for a store of which nothing special is known."""
    from fsspec.implementations.memory import MemoryFileSystem

    return Store(MemoryFileSystem(), f"/films-{next(_NUMBER)}/site", WITHIN)


def grow_old(archive: ObjectArchive, by: timedelta) -> None:
    """Everything in it was written so long before."""
    store = archive.store
    if isinstance(store, S3Store):
        for one in Moto._buckets().buckets[store._bucket].keys.values():
            one.last_modified -= by
    else:
        for path, one in store._fs.store.items():
            if path.startswith(store._root):
                one.created -= by
    for part in archive.incoming.glob("*.part"):
        then = part.stat().st_mtime - by.total_seconds()
        os.utime(part, (then, then))


@contextmanager
def moto() -> Iterator[Moto]:
    """A server, and its keys in the environment."""
    before = {name: os.environ.get(name) for name in KEYS}
    os.environ.update(KEYS)
    server = Moto()
    try:
        yield server
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
