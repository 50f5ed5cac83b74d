"""A role's sign of life."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """A role's last sign of life. ``trouble``: what keeps it from its work, in words for an administrator."""

    role: str
    pid: int
    started_at: datetime
    beat_at: datetime
    state: str
    restarts: int = 0
    trouble: str | None = None
    model: str | None = None
