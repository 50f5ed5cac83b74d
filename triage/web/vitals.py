"""How the service stands at one moment; health, banners, events and metrics all read this and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from triage.domain.audit import Action, AuditRecord
from triage.domain.delivery import DestinationState
from triage.domain.errors import IndexUnavailable
from triage.domain.jobs import QueueDepth
from triage.domain.role import STOPPED, RoleStatus, of_kind
from triage.domain.schedule import DRIFT, FLOOD, SILENCE
from triage.web.site import Site
from triage.web.text import plain

EXPECTED_ROLES = ("intake", "worker", "web", "scheduler")
PUBLISHER = "publisher"
"""Expected, too, where the settings name destinations."""
ORDERS = "orders"
"""Expected, too, where the settings name a port for orders: a STAT that cannot come in is missed by nobody here."""
GONE_AFTER = timedelta(days=1)
"""A machine that was silent for so long was taken away, as long as another one of the role lives."""


class Life(Enum):
    """What the last sign of life says of a process."""

    ALIVE = "alive"
    STOPPED = "stopped"
    SILENT = "silent"
    AHEAD = "ahead"
    """It lies in the future: a clock is wrong, or was; whether the process lives cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One look. ``revision`` is ``None``, and roles and queue are unknown, when the database does not answer.
    ``outdated``: its schema is not this version's. ``destinations``: those of the settings; ``publishes``: there are some;
    ``silent``: modalities that have fallen silent, in words; ``drift``: how the network's answers have changed; ``flood``: that
    nearly all of them are flags;
    ``hears_orders``: see :class:`triage.web.site.Site`.
    """

    now: datetime
    heartbeat_limit: timedelta
    free_bytes: int
    revision: int | None = None
    outdated: str | None = None
    roles: tuple[RoleStatus, ...] = ()
    depth: QueueDepth = field(default_factory=QueueDepth)
    model_changed_at: datetime | None = None
    destinations: tuple[DestinationState, ...] = ()
    silent: str | None = None
    drift: str | None = None
    flood: str | None = None
    publishes: bool = False
    hears_orders: bool = False

    @property
    def expected(self) -> tuple[str, ...]:
        """The roles that have to run."""
        also = ((PUBLISHER, self.publishes), (ORDERS, self.hears_orders))
        return (*EXPECTED_ROLES, *(name for name, wanted in also if wanted))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those, and whatever else has given a sign of life."""
        return tuple(dict.fromkeys((*self.expected, *(one.kind for one in self.roles))))

    @property
    def database_answers(self) -> bool:
        """Whether the rest of this look means anything."""
        return self.revision is not None

    def life(self, status: RoleStatus) -> Life:
        """What a sign of life says now."""
        age = self.now - status.beat_at
        if status.state == STOPPED:
            return Life.STOPPED
        if age > self.heartbeat_limit:
            return Life.SILENT
        return Life.AHEAD if age < -self.heartbeat_limit else Life.ALIVE

    def lives(self, status: RoleStatus) -> bool:
        """Whether a process has beaten within the limit, and not to say goodbye."""
        return self.life(status) is Life.ALIVE

    def instances(self, kind: str) -> Sequence[RoleStatus]:
        """The processes of a role, best first. While one lives, what stopped or was silent for a day is left out; when none
        does, the one that was heard last stands for all."""
        found = sorted(of_kind(self.roles, kind), key=self._standing, reverse=True)
        if not found or self.lives(found[0]):
            return [one for one in found if self._counts(one)]
        return [found[0], *(one for one in found[1:] if self._counts(one))]

    @property
    def present(self) -> tuple[RoleStatus, ...]:
        """The processes of every role, by who signs."""
        return tuple(sorted((one for kind in self.kinds for one in self.instances(kind)), key=lambda one: one.role))

    def role(self, kind: str) -> RoleStatus | None:
        """The process that speaks for a role: one that does its work if any does; ``None``: never heard of."""
        return next(iter(self.instances(kind)), None)

    def alive(self, kind: str) -> bool:
        """Whether at least one process of a role lives."""
        status = self.role(kind)
        return status is not None and self.lives(status)

    @property
    def model(self) -> str | None:
        """The label of the network in use, as the worker says it: a bundle's text, no more trusted than a header's."""
        worker = self.role("worker")
        return plain(worker.model, 128) or None if worker else None

    def _standing(self, status: RoleStatus) -> tuple[bool, bool, datetime]:
        lives = self.lives(status)
        return lives, lives and not status.trouble, status.beat_at

    def _counts(self, status: RoleStatus) -> bool:
        life = self.life(status)
        return life is not Life.STOPPED and (life is not Life.SILENT or self.now - status.beat_at <= GONE_AFTER)


def look(site: Site) -> Vitals:
    """Look once: one short read of the database, one question to the archive's disk."""
    now, free_bytes = site.clock(), _room(site)
    try:
        with site.database.read() as tx:
            noticed = {name: run.noticed for name, run in tx.leases.runs().items()}
            return Vitals(
                silent=noticed.get(SILENCE),
                drift=noticed.get(DRIFT),
                flood=noticed.get(FLOOD),
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


def examine(site: Site) -> Vitals:
    """As :func:`look`, and first whether the database is still this version's: of another one nothing can be said."""
    outdated = site.watched.outdated()
    if outdated is None:
        return look(site)
    return Vitals(now=site.clock(), heartbeat_limit=site.heartbeat_limit, free_bytes=_room(site), outdated=outdated)


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
