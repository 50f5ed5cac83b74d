"""A role's sign of life, and the name that it is signed with: ``worker``, ``worker-2``, on several machines ``worker@node``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

NODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})")
"""A machine's or pod's name; no ``@``, nothing to be escaped anywhere."""
STOPPED = "stopped"
"""The state of a last beat of a role that ended on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """A role's last sign of life. ``role``: who signs it. ``trouble``: what keeps it from its work, in words for an
    administrator."""

    role: str
    pid: int
    started_at: datetime
    beat_at: datetime
    state: str
    restarts: int = 0
    trouble: str | None = None
    model: str | None = None

    @property
    def kind(self) -> str:
        """``worker`` of ``worker-2@node``."""
        return kind_of(self.role)

    @property
    def node(self) -> str:
        """``node`` of ``worker-2@node``; empty: there is one machine."""
        return self.role.partition("@")[2]


def signed(name: str, node: str) -> str:
    """How a process called ``name`` signs on ``node``; no node: as it is called."""
    return f"{name}@{node}" if node else name


def kind_of(name: str) -> str:
    """Which role a process has, by its name or signature."""
    return name.partition("@")[0].partition("-")[0]


def of_kind(statuses: Iterable[RoleStatus], kind: str) -> list[RoleStatus]:
    """All that have a role."""
    return [one for one in statuses if one.kind == kind]
