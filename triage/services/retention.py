"""Let studies go that nobody waits for any more: their rows and their films; the audit keeps that it was done.

Rows first, in one transaction with a note of each film that is to go; then the films. A crash between the two leaves files, and
the note says what is to be done (:mod:`triage.services.reconcile`). A film that comes again later begins a new study.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from triage.domain.audit import Action, AuditEntry
from triage.domain.delivery import DestinationState
from triage.domain.instance import RETIRED, Decision, Instance, QuarantinedObject
from triage.domain.retention import End, kept
from triage.domain.study import Study
from triage.services.audit import SYSTEM
from triage.services.ports import Archive, Clock, Database, Transaction

SLICE = 200
"""Studies looked at in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``after``: the time since a study was read and arrived; ``destinations`` have to have its last result, ``committing``
    those of them that must have said that they keep it."""

    after: timedelta
    destinations: Collection[str] = ()
    committing: Collection[str] = ()


@dataclass(slots=True, kw_only=True)
class Retired:
    """What went, by Study Instance UID, and why others that were old enough stay."""

    studies: list[str] = field(default_factory=list)
    films: int = 0
    size_bytes: int = 0
    stayed: dict[str, str] = field(default_factory=dict)
    more: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def retire(
    archive: Archive,
    database: Database,
    policy: Policy,
    clock: Clock,
    limit: int,
    *,
    dry_run: bool = False,
    go_on: Callable[[], object] = lambda: None,
) -> Retired:
    """Let at most ``limit`` go; with ``dry_run`` only tell which. ``go_on``, called before each, may end it by raising."""
    done = Retired()
    for uid in _old_enough(database, policy, clock()):
        if len(done.studies) >= limit:
            done.more = True
            break
        go_on()
        if dry_run:
            with database.read() as transaction:
                films = _look(transaction, policy, uid, clock(), done)
            continue
        with archive.settling():
            with database.write() as transaction:
                films = _look(transaction, policy, uid, now := clock(), done)
                if films is not None:
                    _drop(transaction, uid, films, now)
            for film in films or ():
                archive.set_aside(film.digest)
                archive.drop_aside(film.digest)
    return done


def _old_enough(database: Database, policy: Policy, now: datetime) -> Iterator[str]:
    after = ""
    while True:
        with database.read() as transaction:
            found = transaction.retention.read_before(now - policy.after, after, SLICE)
        yield from (study.study_instance_uid for study in found)
        if len(found) < SLICE:
            return
        after = found[-1].study_instance_uid


def _look(transaction: Transaction, policy: Policy, uid: str, now: datetime, done: Retired) -> list[Instance] | None:
    """The films of a study that may go, noted in ``done``; ``None``: it stays."""
    study = transaction.study(uid)
    if study is None:
        return None
    films = transaction.instances(uid)
    if (why := kept(_end(transaction, policy, study, films), policy.after, now)) is not None:
        done.stayed[uid] = why.value
        return None
    done.studies.append(uid)
    done.films += len(films)
    done.size_bytes += sum(film.size_bytes for film in films)
    return films


def _end(transaction: Transaction, policy: Policy, study: Study, films: list[Instance]) -> End:
    uid = study.study_instance_uid
    standing: dict[str, DestinationState] = {one.name: one for one in transaction.deliveries.destinations()}
    owed = transaction.retention.owed_objects()
    return End(
        study=study,
        last_result=transaction.deliveries.last_result(uid),
        deliveries=tuple(transaction.deliveries.deliveries(study_instance_uid=uid)),
        set_aside=len(transaction.set_aside_of(uid)),
        faulty=len(transaction.faulty(uid)),
        last_word=transaction.retention.has_last_result(uid),
        owed=any(film.sop_instance_uid in owed for film in films),
        heard_by=tuple((name, standing[name].since) for name in policy.destinations if name in standing),
        committing=policy.committing,
    )


def _drop(transaction: Transaction, uid: str, films: list[Instance], now: datetime) -> None:
    transaction.retention.drop(uid)
    for film in films:
        transaction.add_quarantined(_note(film))
        transaction.decide(film.digest, Decision.DISCARDED, now, SYSTEM, RETIRED)
    details = {"films": str(len(films))}
    transaction.append_audit(AuditEntry(at=now, actor=SYSTEM, action=Action.RETENTION, subject=uid, details=details))


def _note(film: Instance) -> QuarantinedObject:
    return QuarantinedObject(
        digest=film.digest,
        sop_instance_uid=film.sop_instance_uid,
        study_instance_uid=film.study_instance_uid,
        cause=RETIRED,
        calling_ae_title=film.calling_ae_title,
        received_at=film.received_at,
    )
