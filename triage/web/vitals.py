"""How the service stands at one moment; health, banners, events and metrics all read this and nothing else."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from triage.domain.audit import Action, AuditRecord
from triage.domain.delivery import DestinationState
from triage.domain.errors import IndexUnavailable
from triage.domain.jobs import QueueDepth
from triage.domain.role import RoleStatus
from triage.domain.schedule import SILENCE
from triage.web.site import Site
from triage.web.text import plain

EXPECTED_ROLES = ("intake", "worker", "web", "scheduler")
PUBLISHER = "publisher"
"""Expected, too, where the settings name destinations."""
ORDERS = "orders"
"""Expected, too, where the settings name a port for orders: a STAT that cannot come in is missed by nobody here."""
STOPPED = "stopped"
"""The state of a role's last beat when it ended on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One look. ``revision`` is ``None``, and roles and queue are unknown, when the database does not answer.
    ``destinations``: those of the settings; ``publishes``: there are some; ``silent``: modalities that
    have fallen silent, in words; ``hears_orders``: see
    :class:`triage.web.site.Site`.
    """

    now: datetime
    heartbeat_limit: timedelta
    free_bytes: int
    revision: int | None = None
    roles: tuple[RoleStatus, ...] = ()
    depth: QueueDepth = field(default_factory=QueueDepth)
    model_changed_at: datetime | None = None
    destinations: tuple[DestinationState, ...] = ()
    silent: str | None = None
    publishes: bool = False
    hears_orders: bool = False

    @property
    def expected(self) -> tuple[str, ...]:
        """The roles that have to run here."""
        also = ((PUBLISHER, self.publishes), (ORDERS, self.hears_orders))
        return (*EXPECTED_ROLES, *(name for name, wanted in also if wanted))

    @property
    def database_answers(self) -> bool:
        """Whether the rest of this look means anything."""
        return self.revision is not None

    def role(self, name: str) -> RoleStatus | None:
        """The last sign of life of a role, or ``None``: never heard of."""
        return next((status for status in self.roles if status.role == name), None)

    def alive(self, name: str) -> bool:
        """Whether a role has beaten within the limit, and not to say goodbye."""
        status = self.role(name)
        return status is not None and status.state != STOPPED and self.now - status.beat_at <= self.heartbeat_limit

    @property
    def model(self) -> str | None:
        """The label of the network in use, as the worker says it: a bundle's text, no more trusted than a header's."""
        worker = self.role("worker")
        return plain(worker.model, 128) or None if worker else None


def look(site: Site) -> Vitals:
    """Look once: one short read of the database, one question to the archive's disk."""
    now, free_bytes = site.clock(), _room(site)
    try:
        with site.database.read() as tx:
            return Vitals(
                silent=run.error if (run := tx.leases.runs().get(SILENCE)) else None,
                publishes=bool(site.destinations),
                hears_orders=site.hears_orders,
                now=now,
                heartbeat_limit=site.heartbeat_limit,
                free_bytes=free_bytes,
                revision=tx.revision(),
                roles=tuple(tx.roles()),
                depth=tx.jobs.depth(),
                model_changed_at=_at(tx.latest_audit(Action.MODEL)),
                destinations=tuple(one for one in tx.deliveries.destinations() if one.name in site.destinations)
                if site.destinations
                else (),
            )
    except IndexUnavailable:
        return Vitals(now=now, heartbeat_limit=site.heartbeat_limit, free_bytes=free_bytes)


def _at(record: AuditRecord | None) -> datetime | None:
    try:
        return record.entry.at if record else None
    except (ValueError, OverflowError):  # tampered with: the audit's own check says so
        return None


def _room(site: Site) -> int:
    try:
        return site.free_bytes()
    except OSError:  # a disk that cannot be asked takes no film either
        return 0
