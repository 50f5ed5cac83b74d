"""Object stores for tests: a real server on a free port, and what is done to it behind the service's back."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

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

    @staticmethod
    def _buckets() -> Any:
        from moto.backends import get_backend

        return get_backend("s3")["123456789012"]["aws"]


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
