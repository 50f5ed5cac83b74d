"""What health and metrics ask beside the database's rows, handed in once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from triage.services.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """``tally``: what this process counts. ``outdated``: why the schema is not this version's, or ``None``.
    ``database_bytes``: what the database takes, and its write-ahead log (``None``: it has none of its own)."""

    tally: Tally = field(default_factory=Tally)
    outdated: Callable[[], str | None] = lambda: None
    database_bytes: Callable[[], tuple[int, int | None]] = lambda: (0, None)
