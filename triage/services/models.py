"""Choosing the bundle that serves: by a named person, with the gate's word or a reason, audited with what was proved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from triage.domain.audit import Action, AuditFilter, AuditRecord
from triage.domain.bundle import Card, Entry, Proof
from triage.domain.errors import BundleError, TriageError
from triage.services.audit import model_changed
from triage.services.ports import Clock, Database

REASON_MAX = 1000


class ReasonMissing(TriageError):
    """A bundle without a *pass* of the promotion gate is activated only with a reason."""


class Bundles(Protocol):
    """The bundles of an installation. Real adapter: :mod:`triage.inference.apart`; twin: :mod:`triage.inference.memory`."""

    def entries(self) -> list[Entry]:
        """Every bundle that can be read, packaged ones first."""

    def fault(self) -> str | None:
        """Why nobody can tell which one serves, or ``None``."""

    def card(self, bundle_id: str) -> Card:
        """A bundle, by its id or at least eight leading digits of it.

        Raises:
            BundleError: none, several, or it is damaged.
        """

    def activate(self, bundle_id: str, now: datetime, who: str) -> Proof:
        """Prove a bundle and make it the one that serves. Takes seconds.

        Raises:
            BundleError: unknown or refused; nothing has changed.
        """

    def rollback(self, now: datetime, who: str) -> Proof:
        """Return to the bundle that served before, proved anew. Twice: back again.

        Raises:
            BundleError: there was none before, or it is refused; nothing has changed.
        """


def activate(bundles: Bundles, database: Database, clock: Clock, bundle_id: str, who: str, reason: str = "") -> Proof:
    """Make a bundle the one that serves; running workers follow by themselves.

    Raises:
        BundleError: unknown, refused, or the promotion gate said *fail*; nothing has changed.
        ReasonMissing: no record of the gate says *pass*, and no reason was given.
    """
    told = Told(database, clock, who, "activated", reason)
    return _change(bundles.card(bundle_id).entry, lambda whole: bundles.activate(whole, clock(), who), told)


def rollback(bundles: Bundles, database: Database, clock: Clock, who: str, reason: str = "") -> Proof:
    """Return to the bundle that served before, by the same rules: the gate may have failed it since.

    Raises:
        BundleError: there was none before, it is refused, or the promotion gate said *fail*; nothing has changed.
        ReasonMissing: no record of the gate says *pass*, and no reason was given.
    """
    before = next((entry for entry in bundles.entries() if entry.previous), None)
    if before is None:
        raise BundleError("no bundle was active before that can be read; see: triage models list")
    return _change(before, lambda _: bundles.rollback(clock(), who), Told(database, clock, who, "rolled back", reason))


def history(database: Database, bundle_id: str, limit: int = 20) -> list[AuditRecord]:
    """When the bundle began to serve, by whom, and what was proved then; newest first."""
    with database.read() as tx:
        return tx.audit_newest(AuditFilter(action=Action.MODEL.value, subject=bundle_id), limit=limit)


@dataclass(frozen=True, slots=True)
class Told:
    """What the audit is told of a change, before it and after it."""

    database: Database
    clock: Clock
    who: str
    what: str
    reason: str

    def note(self, bundle_id: str, details: Mapping[str, str]) -> None:
        """One record; what is empty is left out."""
        told = {name: value for name, value in details.items() if value}
        model_changed(self.database, self.who, bundle_id, self.clock, told)


def _change(entry: Entry, step: Callable[[str], Proof], told: Told) -> Proof:
    reason = " ".join(told.reason.split())[:REASON_MAX]
    if entry.barred:
        raise BundleError("the promotion gate's verdict is fail: nobody can approve it; mend data or recipe, train again")
    if entry.needs_reason and not reason:
        raise ReasonMissing("no record of the promotion gate says pass: say why this bundle shall serve all the same")
    why = {"gate": entry.verdict or "no record", "reason": reason}
    # first: what cannot be audited does not serve, and what died on the way can be seen
    told.note(entry.bundle_id, {"what": f"to be {told.what}", **why})
    try:
        proof = step(entry.bundle_id)
    except BundleError as error:
        told.note(entry.bundle_id, {"what": f"not {told.what}", "why": str(error)[:REASON_MAX]})
        raise
    told.note(proof.bundle_id, {"what": told.what, **why, "proof": proof.sentence})
    return proof
