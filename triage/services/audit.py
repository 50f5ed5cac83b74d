"""What is audited beside reading, and whether the audit still holds.

What the chain can and cannot do: whoever can write to the database can drop its triggers, and can compute digests: there is
no key in them. An edit, a removal, a gap or a swap breaks the chain; a chain cut off or written anew shows against the heads
noted apart from it (:class:`triage.services.ports.AuditAnchor`), from the newest head backwards. Whoever can change both, or
cuts off what came after the newest head and sets the note of the end back, is found only with a copy of the heads kept on
another machine. Nobody is kept from adding false entries at the end.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, timedelta

from triage.domain.account import Identity
from triage.domain.audit import GENESIS, Action, AuditEntry, AuditHead, Break, canonical, first_break
from triage.domain.errors import AuditBroken
from triage.services.ports import AuditAnchor, Clock, Database, Transaction

SYSTEM = "system"
"""The actor where no person acted."""
NOBODY = "(nobody)"
"""The actor where somebody acted whom nobody knows."""
A_LOOK = timedelta(minutes=15)
"""For how long what a person sees of a study counts as one look."""
EXPORT_PAGE = 1000
BY_TOKEN: Mapping[str, str] = {"via": "token"}
"""What the audit adds where a program acted, whoever's account it has."""
way: ContextVar[Mapping[str, str]] = ContextVar("way", default={})  # noqa: B039 - nobody changes it
"""How the one who acts came in, as the audit says it. Set by :mod:`triage.web.identity`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How far the chain reaches by its own note, and its first broken place."""

    head: AuditHead
    broken: Break | None

    @property
    def trouble(self) -> str | None:
        """The broken place in a sentence, or ``None``."""
        if self.broken is None:
            return None
        return f"the audit is broken at record {self.broken.sequence}: {self.broken.what}; run: triage audit verify"


def verify_audit(database: Database, anchor: AuditAnchor, clock: Clock, elsewhere: Sequence[AuditHead] = ()) -> Verification:
    """Walk the whole chain, compare it with the heads noted apart from it, and note its head when it holds.

    ``elsewhere``: more such heads, of a copy that was kept out of reach.

    Raises:
        AuditBroken: the notes cannot be read.
    """
    anchors = anchor.heads()  # first: a head noted after the snapshot below would seem cut off
    with database.read() as tx:
        head = tx.audit_head()
        broken = first_break(tx.audit(), head, [*anchors, *elsewhere])
    head = head or AuditHead()
    if broken is None and head.sequence and head not in anchors[-1:]:
        anchor.add(head, clock())
    return Verification(head=head, broken=broken)


def exported_lines(database: Database, page: int = EXPORT_PAGE, allowed: Callable[[], bool] = lambda: True) -> Iterator[str]:
    """Every record as a JSON line: what its digest covers (:func:`triage.domain.audit.canonical`), and the digest.

    ``allowed``: asked before each page; where it says no, a line that says so is the last one.
    Read in pages, each in a transaction of its own: whoever fetches slowly must not hold a snapshot of the database open.
    """
    last, previous = 0, GENESIS
    while True:
        if not allowed():
            yield json.dumps({"incomplete": "whoever asked may not read the audit any more"})
            return
        with database.read() as tx:
            records = list(tx.audit(after=last, limit=page))
        for record in records:
            yield json.dumps({**json.loads(canonical(record, previous)), "digest": record.digest}, sort_keys=True)
            last, previous = record.sequence, record.digest
        if len(records) < page:
            return


def viewed(database: Database, actor: str, study_instance_uid: str, clock: Clock) -> None:
    """Somebody looked at a study."""
    _append(database, actor, Action.VIEW, study_instance_uid, {}, clock)


def shown(database: Database, actor: str, study_instance_uid: str, what: str, clock: Clock) -> None:
    """An image of a study goes to somebody: a view, unless the same one was noted within the last :data:`A_LOOK`.

    One person's looks at one study, then, leave at least one record in any quarter of an hour in which there were some,
    however many requests they took; a script that fetches previews only leaves the same. ``what``: something that is a view
    of its own, noted apart (``full frame``, ``heat map``); empty: a preview, for which the view of the study's page counts.
    A record from the future (the clock was set back) counts for nothing.
    """
    _note_once(database, actor, Action.VIEW, study_instance_uid, {"shown": what} if what else {}, clock)


def listed(database: Database, actor: str, clock: Clock) -> None:
    """The list of patients goes to a program: an export, noted as :func:`shown` notes a view."""
    _note_once(database, actor, Action.EXPORT, "worklist", {}, clock)


def asked_for_list(database: Database, actor: str, clock: Clock) -> None:
    """Another system asked for studies by C-FIND: an export, noted as :func:`shown` notes a view."""
    _note_once(database, actor, Action.EXPORT, "worklist", {"via": "C-FIND"}, clock)


def fetched(database: Database, actor: str, study_instance_uid: str, via: str, to: str, clock: Clock) -> None:
    """Films of a study go to another system: an export, noted as :func:`shown` notes a view. ``to``: where, if elsewhere."""
    details = {"via": via, **({"to": to} if to else {})}
    _note_once(database, actor, Action.EXPORT, study_instance_uid, details, clock)


def _note_once(database: Database, actor: str, action: Action, subject: str, details: Mapping[str, str], clock: Clock) -> None:
    details = with_way(details)
    written = json.dumps(dict(details), sort_keys=True)

    def is_noted(tx: Transaction) -> bool:
        last = tx.latest_audit_about(subject, action, actor, written)
        return last is not None and timedelta(0) <= clock() - last.entry.at < A_LOOK

    with database.read() as tx:
        if is_noted(tx):
            return
    with database.write() as tx:
        if not is_noted(tx):  # by a request that came at the same moment
            tx.append_audit(AuditEntry(at=clock(), actor=actor, action=action, subject=subject, details=details))


def exported_verdicts(database: Database, actor: str, studies: int, since: date | None, clock: Clock) -> None:
    """Verdicts and films left for training."""
    details = {"studies": str(studies), "since": since.isoformat() if since else ""}
    _append(database, actor, Action.EXPORT, "verdicts", details, clock)


def exported_audit(database: Database, actor: str, records: int, clock: Clock) -> None:
    """The audit itself was exported."""
    _append(database, actor, Action.EXPORT, "audit", {"records": str(records)}, clock)


def model_changed(
    database: Database, actor: str, bundle_id: str, clock: Clock, details: Mapping[str, str] | None = None
) -> None:
    """Another bundle serves."""
    _append(database, actor, Action.MODEL, bundle_id, details or {}, clock)


def certificate_changed(
    database: Database, actor: str, subject: str, what: str, clock: Clock, details: Mapping[str, str] | None = None
) -> None:
    """A certificate for DICOM TLS was made or revoked. ``subject``: the AE title or authority that it names."""
    _append(database, actor, Action.CERTIFICATE, subject, {"what": what, **(details or {})}, clock)


def turned_away(database: Database, address: str, cause: str, clock: Clock) -> None:
    """The intake refused a caller, who is known by the address only; noted as :func:`shown` notes a view."""
    _note_once(database, NOBODY, Action.REFUSED, address, {"what": "DICOM TLS", "cause": cause}, clock)


def verified(database: Database, actor: str, found: Verification, clock: Clock) -> None:
    """Somebody had the chain walked; a chain so broken that it takes no further record is reported all the same."""
    outcome = f"broken at record {found.broken.sequence}" if found.broken else "holds"
    try:
        _append(database, actor, Action.VERIFY, "audit", {"outcome": outcome, "records": str(found.head.sequence)}, clock)
    except AuditBroken:
        if found.broken is None:
            raise


def note_policy(database: Database, policy: Mapping[str, str], clock: Clock) -> bool:
    """Audit the policy in force when it differs from the one audited last; returns whether it did."""
    with database.write() as tx:
        last = tx.latest_audit(Action.POLICY)
        if last is not None and last.details == json.dumps(dict(policy), sort_keys=True):
            return False
        tx.append_audit(AuditEntry(at=clock(), actor=SYSTEM, action=Action.POLICY, subject="policy", details=policy))
        return True


def _append(database: Database, actor: str, action: Action, subject: str, details: Mapping[str, str], clock: Clock) -> None:
    with database.write() as tx:
        tx.append_audit(AuditEntry(at=clock(), actor=actor, action=action, subject=subject, details=with_way(details)))


def via_of(who: Identity) -> Mapping[str, str]:
    """How somebody came in, as the audit says it; nothing where a person did."""
    return BY_TOKEN if who.by_token else {}


def with_way(details: Mapping[str, str]) -> dict[str, str]:
    """Details of a record, and that it was done by a token, if it was."""
    return {**details, **way.get()}
