"""Hosts on one machine: network namespaces on a bridge, each with an address of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

AVAILABLE = os.getuid() == 0 and shutil.which("ip") is not None


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@dataclass
class Network:
    """A bridge of ours and the hosts on it. Everything is named after this process, so that two runs do not meet."""

    number: int = field(default_factory=lambda: os.getpid() % 200 + 20)
    names: list[str] = field(default_factory=list)

    @property
    def bridge(self) -> str:
        """The bridge's device."""
        return f"trb{self.number}"

    @property
    def subnet(self) -> str:
        """All addresses."""
        return f"10.77.{self.number}.0/24"

    @property
    def here(self) -> str:
        """This machine's own address on the bridge."""
        return f"10.77.{self.number}.1"

    def add(self, name: str) -> "Host":
        """A new host."""
        host = Host(self, name, f"10.77.{self.number}.{len(self.names) + 10}")
        outer, inner = f"tro{self.number}x{len(self.names)}", f"tri{self.number}x{len(self.names)}"
        self.names.append(host.namespace)
        _ip("netns", "add", host.namespace)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        _ip("link", "set", inner, "netns", host.namespace)
        _ip("link", "set", outer, "master", self.bridge, "up")
        within = ("-n", host.namespace)
        _ip(*within, "link", "set", inner, "name", "eth0")
        _ip(*within, "addr", "add", f"{host.address}/24", "dev", "eth0")
        _ip(*within, "link", "set", "eth0", "up")
        _ip(*within, "link", "set", "lo", "up")
        return host


@dataclass(frozen=True)
class Host:
    """One of them. ``run``: what stands before a command that is to run there."""

    network: Network
    name: str
    address: str

    @property
    def namespace(self) -> str:
        """The name of its namespace."""
        return f"tr{self.network.number}{self.name}"

    @property
    def run(self) -> tuple[str, ...]:
        """What stands before a command that is to run there."""
        return ("ip", "netns", "exec", self.namespace)

    def unplug(self) -> None:
        """Take its cable out."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")

    def plug(self) -> None:
        """And in again."""
        _ip("-n", self.namespace, "link", "set", "eth0", "up")


@contextmanager
def network() -> Iterator[Network]:
    """A bridge, and hosts as they are added; gone at the end."""
    one = Network()
    _ip("link", "add", one.bridge, "type", "bridge")
    try:
        _ip("addr", "add", f"{one.here}/24", "dev", one.bridge)
        _ip("link", "set", one.bridge, "up")
        yield one
    finally:
        for name in one.names:
            with suppress(OSError):
                _ip("netns", "del", name)
        with suppress(OSError):
            _ip("link", "del", one.bridge)
