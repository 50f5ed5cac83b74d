"""Choosing the bundle that serves: by a named person, with the gate's word or a reason, audited with what was proved."""

from collections.abc import Mapping
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
    entry, reason = bundles.card(bundle_id).entry, " ".join(reason.split())[:REASON_MAX]
    if entry.barred:
        raise BundleError("the promotion gate's verdict is fail: nobody can approve it; mend data or recipe, train again")
    if entry.needs_reason and not reason:
        raise ReasonMissing("no record of the promotion gate says pass: say why this bundle shall serve all the same")
    proof = bundles.activate(entry.bundle_id, clock(), who)
    _note(database, clock, who, proof, {"what": "activated", "gate": entry.verdict or "no record", "reason": reason})
    return proof


def rollback(bundles: Bundles, database: Database, clock: Clock, who: str, reason: str = "") -> Proof:
    """Return to the bundle that served before; it served already, so no gate is asked.

    Raises:
        BundleError: there was none before, or it is refused; nothing has changed.
    """
    proof = bundles.rollback(clock(), who)
    _note(database, clock, who, proof, {"what": "rolled back", "reason": " ".join(reason.split())[:REASON_MAX]})
    return proof


def history(database: Database, bundle_id: str, limit: int = 20) -> list[AuditRecord]:
    """When the bundle began to serve, by whom, and what was proved then; newest first."""
    with database.read() as tx:
        return tx.audit_newest(AuditFilter(action=Action.MODEL.value, subject=bundle_id), limit=limit)


def _note(database: Database, clock: Clock, who: str, proof: Proof, details: Mapping[str, str]) -> None:
    told = {name: value for name, value in {**details, "proof": proof.sentence}.items() if value}
    model_changed(database, who, proof.bundle_id, clock, told)
