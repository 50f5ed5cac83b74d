"""A region: PostgreSQL and a TCP balancer here, intakes, workers, web and schedulers on hosts of their own."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from tests import postgres
from tests.faults.account import Account
from tests.faults.sender import SUCCESS, Sender, film
from tests.integration.objects import study_uid
from tests.integration.service import until
from tests.region.hosts import Host, Network, network
from tests.region.nodes import DICOM_PORT, WEB_PORT, Node

SENT_WITHIN = 120.0
BALANCER = """
global
    maxconn 2000
defaults
    mode tcp
    timeout connect 2s
    timeout client 1m
    timeout server 1m
    option redispatch
    retries 3
frontend dicom
    bind {here}:{port}
    default_backend intakes
backend intakes
    balance leastconn
    default-server check inter 500ms fall 2 rise 1
"""


@dataclass
class Region:
    """What runs. ``shared``: the folder that all hosts see, as by NFS."""

    network: Network
    server: postgres.Server
    folder: Path
    nodes: list[Node] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    balancer: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.name = "region"
        self.server.say(f"CREATE DATABASE {self.name} TEMPLATE template0")
        self.shared = self.folder / "shared"
        self.shared.mkdir(exist_ok=True)

    def add(self, role: str, host: Host | None = None, *, stubbed: float | None = None) -> Node:
        """One more of a role, on a host of its own."""
        number = sum(node.role == role for node in self.nodes)
        host = host or self.network.add(f"{role}{number}")
        settings = {
            "node": host.name,
            "database_url": self.server.url(self.name),
            "storage__floor_bytes": "1048576",
            "dimse__host": host.address,
            "dimse__port": str(DICOM_PORT),
            "dimse__allow_plain_dicom": "true",
            "dimse__allowed_peers": f"ROOM@{self.network.here}",
            "web__host": "127.0.0.1",
            "web__port": str(WEB_PORT),
        }
        node = Node(host, role, self.folder / host.name, settings, stubbed=stubbed)
        node.home.mkdir(parents=True)
        (self.shared / "instances").mkdir(exist_ok=True)
        (node.home / "instances").symlink_to(self.shared / "instances")
        self.nodes.append(node)
        return node

    def of(self, role: str) -> list[Node]:
        """Its instances."""
        return [node for node in self.nodes if node.role == role]

    def balance(self) -> tuple[str, int]:
        """Start the balancer in front of the intakes; returns where to send."""
        path = self.folder / "haproxy.cfg"
        port = postgres.free_port()
        servers = "".join(f"    server {one.host.name} {one.host.address}:{DICOM_PORT}\n" for one in self.of("intake"))
        path.write_text(BALANCER.format(here=self.network.here, port=port) + servers)
        self.balancer = subprocess.Popen(["haproxy", "-f", str(path), "-db", "-q"])
        until(lambda: reachable(self.network.here, port), 10, "the balancer listens")
        return self.network.here, port

    def asked(self, query: str) -> list[Any]:
        """What the database says."""
        with psycopg.connect(self.server.url(self.name)) as connection:
            return connection.execute(query.encode()).fetchall()

    def assessed(self) -> int:
        """Studies that wait no longer."""
        return int(self.asked("SELECT count(*) FROM study WHERE level <> 'pending'")[0][0])

    def send(self, to: tuple[str, int], first: int, count: int, senders: int = 4, rate: float = 0.0) -> float:
        """Send studies number ``first`` and on, again until acknowledged; returns the seconds. ``rate``: studies a second."""
        numbers = iter(range(first, first + count))
        lock, began = threading.Lock(), time.monotonic()
        unsent: list[int] = []

        def modality() -> None:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                if rate:
                    time.sleep(max(0.0, began + (number - first) / rate - time.monotonic()))
                if not self._store(to, number):
                    unsent.append(number)

        threads = [threading.Thread(target=modality) for _ in range(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not unsent, f"never acknowledged: {unsent[:5]} and {len(unsent)} in all"
        return time.monotonic() - began

    def _store(self, to: tuple[str, int], number: int) -> bool:
        one, deadline = film(number), time.monotonic() + SENT_WITHIN
        while time.monotonic() < deadline:
            with suppress(OSError), Sender(to[1], "ROOM", seconds=20, host=to[0]) as sender:
                if self.account.note(one, sender.store(one)) == SUCCESS:
                    return True
            time.sleep(0.1)
        return False

    def wait_assessed(self, count: int, seconds: float) -> None:
        """Until so many studies wait no longer."""
        until(lambda: self.assessed() >= count, seconds, f"{count} assessed", every=0.1)

    def books(self, first: int, count: int) -> dict[str, int]:
        """N studies, N results: what is lost, doubled, or not as acknowledged."""
        wanted = {study_uid(number) for number in range(first, first + count)}
        rows = dict(self.asked("SELECT study_instance_uid, level FROM study"))
        films = dict(self.asked("SELECT sop_instance_uid, digest FROM instance"))
        results = dict(self.asked("SELECT study_instance_uid, count(*) FROM result GROUP BY 1"))
        outcomes = dict(self.asked("SELECT study_instance_uid, count(*) FROM outcome GROUP BY 1"))
        return {
            "studies": len(wanted & set(rows)),
            "results": sum(results.get(uid, 0) for uid in wanted),
            "lost": sum(films.get(uid) != digest for uid, digest in self.account.acknowledged.items()),
            "not assessed": sum(rows.get(uid) in (None, "pending", "not_assessed") for uid in wanted),
            "doubled": sum(results.get(uid, 0) > 1 or outcomes.get(uid, 0) > 1 for uid in wanted),
        }

    def close(self) -> None:
        """End everything that still runs."""
        for node in self.nodes:
            node.kill()
        if self.balancer is not None:
            self.balancer.kill()
            self.balancer.wait()


def reachable(address: str, port: int) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


@contextmanager
def region() -> Iterator[Region]:
    """An empty one; its folder, hosts and server go at the end."""
    with (
        TemporaryDirectory(prefix="triage-region-") as folder,
        network() as net,
        postgres.server(net.here, net.subnet) as server,
    ):
        one = Region(net, server, Path(folder))
        try:
            yield one
        finally:
            one.close()
