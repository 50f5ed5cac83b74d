"""What the administrator's pages need to know of this installation, handed in once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from triage.database.anchor import MemoryAnchor
from triage.inference.memory import MemoryBundles
from triage.services.models import Bundles
from triage.services.ports import AuditAnchor


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The settings that pages show, the bundles, and where heads of the audit are noted.

    ``allowed_peers``: ``AET`` or ``AET@ADDRESS``; empty: any. ``database_revision``: asked each time.
    """

    bundles: Bundles = field(default_factory=MemoryBundles)
    anchor: AuditAnchor = field(default_factory=MemoryAnchor)
    ae_title: str = "TRIAGE"
    allowed_peers: tuple[str, ...] = ()
    min_age_years: int = 16
    database_revision: Callable[[], str] = lambda: "in memory"
