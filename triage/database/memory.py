"""The in-memory twin of the database: the same promises of all-or-nothing and order, nothing durable."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime

from triage.database.accounts import MemoryAccounts
from triage.database.analytics import MemoryAnalytics
from triage.database.figures import FigureState, MemoryFigures
from triage.database.leases import MemoryLeases
from triage.database.memory_commitments import MemoryCommitments
from triage.database.memory_deliveries import MemoryDeliveries
from triage.database.memory_orders import MemoryOrders, OrderState
from triage.database.memory_query import MemoryQueries
from triage.database.memory_queue import JobRow, MemoryQueue
from triage.database.memory_retention import MemoryRetention
from triage.domain.assessment import Outcome, image_set
from triage.domain.audit import Action, AuditEntry, AuditFilter, AuditHead, AuditRecord, chained
from triage.domain.fault import Checked, Fault, Upkeep
from triage.domain.instance import Decision, Instance, QuarantinedObject, Sender
from triage.domain.jobs import RetryPolicy
from triage.domain.level import Level
from triage.domain.query import Attributes
from triage.domain.reading import FinishedReading
from triage.domain.role import RoleStatus
from triage.domain.selection import RowFacts, Selection, arranged, shows
from triage.domain.study import ReadingState, Study
from triage.domain.worklist import order


@dataclass
class _State(OrderState, FigureState):
    studies: dict[str, Study] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    attributes: dict[str, Attributes] = field(default_factory=dict)
    checks: dict[str, tuple[datetime, Fault | None]] = field(default_factory=dict)
    outcomes: dict[tuple[str, frozenset[str], str], Outcome] = field(default_factory=dict)
    jobs: dict[str, JobRow] = field(default_factory=dict)
    quarantined: dict[str, QuarantinedObject] = field(default_factory=dict)
    roles: dict[str, RoleStatus] = field(default_factory=dict)
    readings: list[FinishedReading] = field(default_factory=list)
    audit: list[AuditRecord] = field(default_factory=list)
    accounts: MemoryAccounts = field(default_factory=MemoryAccounts)
    commitments: MemoryCommitments = field(default_factory=MemoryCommitments)
    deliveries: MemoryDeliveries = field(default_factory=MemoryDeliveries)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    revision: int = 0

    def copy(self) -> "_State":
        return _State(**{name: copy(value) for name, value in vars(self).items()})


class MemoryDatabase:
    """See :class:`triage.services.ports.Database`."""

    def __init__(self, retry_policy: RetryPolicy | None = None) -> None:
        self.retry_policy = retry_policy or RetryPolicy()
        self._state = _State()
        self._lock = threading.RLock()

    @contextmanager
    def write(self) -> Iterator["MemoryTransaction"]:
        """Works on a copy that replaces the state when nothing was raised."""
        with self._lock:
            draft = self._state.copy()
            yield MemoryTransaction(draft, self.retry_policy)
            self._state = draft

    @contextmanager
    def read(self) -> Iterator["MemoryTransaction"]:
        """A copy that is thrown away."""
        with self._lock:
            snapshot = self._state.copy()
        yield MemoryTransaction(snapshot, self.retry_policy)


class MemoryTransaction:
    """See :class:`triage.services.ports.Transaction`."""

    def __init__(self, state: _State, policy: RetryPolicy) -> None:
        self._state = state
        self.jobs = MemoryQueue(state.jobs, policy)
        self.accounts = state.accounts
        self.commitments = state.commitments
        self.deliveries = state.deliveries
        self.leases = state.leases
        self.deliveries.studies = state.studies
        self.queries = MemoryQueries(state.studies, state.instances, state.attributes)
        self.figures = MemoryFigures(state.figures)
        self.orders = MemoryOrders(state.said, state.studies)
        self.analytics = MemoryAnalytics(state.studies, state.readings, state.instances)
        self.retention = MemoryRetention(state.studies, state.deliveries, state.commitments, self._drop)

    def instance(self, sop_instance_uid: str) -> Instance | None:
        return self._state.instances.get(sop_instance_uid)

    def instances(self, study_instance_uid: str) -> list[Instance]:
        found = (one for one in self._state.instances.values() if one.study_instance_uid == study_instance_uid)
        return sorted(found, key=lambda one: (one.received_at, one.sop_instance_uid))

    def all_instances(self) -> Iterator[Instance]:
        return iter(list(self._state.instances.values()))

    def senders(self) -> list[Sender]:
        times: dict[str, list[datetime]] = {}
        for one in self._state.instances.values():
            times.setdefault(one.calling_ae_title, []).append(one.received_at)
        return [
            Sender(calling_ae_title=title, objects=len(found), first_at=min(found), last_at=max(found))
            for title, found in sorted(times.items())
        ]

    def study(self, study_instance_uid: str) -> Study | None:
        return self._state.studies.get(study_instance_uid)

    def worklist(self, limit: int | None = None, include_read: bool = False) -> list[Study]:
        shown = (one for one in self._state.studies.values() if include_read or one.reading.state is not ReadingState.READ)
        return sorted(shown, key=order)[:limit]

    def listed(self, selection: Selection, reader: str | None, now: datetime, limit: int, offset: int = 0) -> list[Study]:
        return arranged(selection, self._shown(selection, reader, now))[offset : offset + limit]

    def count_listed(self, selection: Selection, reader: str | None, now: datetime) -> int:
        return len(self._shown(selection, reader, now))

    def _shown(self, selection: Selection, reader: str | None, now: datetime) -> list[Study]:
        return [study for study in self._state.studies.values() if shows(selection, study, reader, now)]

    def places(self, studies: Sequence[Study]) -> dict[str, int]:
        asked = {study.study_instance_uid for study in studies}
        everywhere = {study.study_instance_uid: place for place, study in enumerate(self.worklist(), 1)}
        return {uid: place for uid, place in everywhere.items() if uid in asked}

    def row_facts(self, studies: Sequence[Study]) -> dict[str, RowFacts]:
        assessed = {uid for uid, _, _ in self._state.outcomes}
        found = {}
        for study in studies:
            patient, uid = study.facts.patient_id, study.study_instance_uid
            theirs = self.studies_of_patient(patient, study.facts.issuer_of_patient_id) if patient is not None else []
            priors = sum(one.arrived_at < study.arrived_at for one in theirs)
            found[uid] = RowFacts(priors=priors, assessed_before=uid in assessed)
        return found

    def studies_of_patient(self, patient_id: str, issuer: str | None, limit: int | None = None) -> list[Study]:
        theirs = (
            one
            for one in self._state.studies.values()
            if (one.facts.patient_id, one.facts.issuer_of_patient_id) == (patient_id, issuer)
        )
        return sorted(theirs, key=lambda one: (one.arrived_at, one.study_instance_uid), reverse=True)[:limit]

    def claims_of(self, reader: str) -> list[Study]:
        claimed = (one for one in self._state.studies.values() if one.reading.state is ReadingState.CLAIMED)
        return sorted((one for one in claimed if one.reading.reader == reader), key=lambda one: one.study_instance_uid)

    def pending_studies(self) -> list[Study]:
        return [study for study in self._state.studies.values() if study.network_level is Level.PENDING]

    def counts_by_level(self) -> dict[str, int]:
        levels = [study.level.value for study in self.worklist()]
        return {level: levels.count(level) for level in set(levels)}

    def revision(self) -> int:
        return self._state.revision

    def put_study(self, study: Study) -> None:
        self._state.studies[study.study_instance_uid] = study
        self._state.revision += 1

    def add_instance(self, instance: Instance, attributes: Attributes | None = None) -> None:
        if instance.study_instance_uid not in self._state.studies:
            raise LookupError("an instance needs its study")
        if instance.sop_instance_uid in self._state.instances:
            raise LookupError("an instance is indexed once")
        self._state.instances[instance.sop_instance_uid] = instance
        if attributes is not None:
            self.queries.put_attributes(instance.sop_instance_uid, attributes)

    def remove_instance(self, sop_instance_uid: str) -> None:
        removed = self._state.instances.pop(sop_instance_uid, None)
        self._state.attributes.pop(sop_instance_uid, None)
        if removed is not None:
            self._state.checks.pop(removed.digest, None)

    def _drop(self, study_instance_uid: str) -> None:
        for one in self.instances(study_instance_uid):
            self.remove_instance(one.sop_instance_uid)
        for key in [key for key in self._state.outcomes if key[0] == study_instance_uid]:
            del self._state.outcomes[key]
        self._state.readings = [one for one in self._state.readings if one.study_instance_uid != study_instance_uid]
        self._state.jobs.pop(study_instance_uid, None)
        self._state.studies.pop(study_instance_uid, None)
        self._state.revision += 1

    def add_outcome(self, outcome: Outcome) -> bool:
        bundle = outcome.model.bundle_id if outcome.model else ""
        key = (outcome.study_instance_uid, outcome.considered, bundle)
        if key in self._state.outcomes:
            return False
        self._state.outcomes[key] = outcome
        return True

    def outcomes(self, study_instance_uid: str) -> list[Outcome]:
        return [outcome for (study, _, _), outcome in self._state.outcomes.items() if study == study_instance_uid]

    def image_sets(self) -> set[tuple[str, str]]:
        return {(uid, image_set(considered)) for uid, considered, _ in self._state.outcomes}

    def add_quarantined(self, quarantined: QuarantinedObject) -> bool:
        before = self._state.quarantined.get(quarantined.digest)
        if before is not None and before.decision is None:
            return False
        self._state.quarantined[quarantined.digest] = quarantined
        return True

    def quarantined(self, decided: bool = False) -> list[QuarantinedObject]:
        shown = (one for one in self._state.quarantined.values() if decided or one.decision is None)
        return sorted(shown, key=lambda one: (one.received_at, one.digest))

    def set_aside_of(self, study_instance_uid: str) -> list[QuarantinedObject]:
        return [one for one in self.quarantined() if one.study_instance_uid == study_instance_uid]

    def set_aside_under(self, sop_instance_uid: str) -> list[QuarantinedObject]:
        return [one for one in self.quarantined() if one.sop_instance_uid == sop_instance_uid]

    def quarantined_object(self, digest: str) -> QuarantinedObject | None:
        return self._state.quarantined.get(digest)

    def decide(self, digest: str, decision: Decision, at: datetime, by: str, because: str) -> bool:
        one = self._state.quarantined.get(digest)
        if one is None or one.decision is not None:
            return False
        decided = replace(one, decision=decision, decided_at=at, decided_by=by, because=because)
        self._state.quarantined[digest] = decided
        return True

    def digests(self, prefix: str) -> set[str]:
        return {one.digest for one in self._state.instances.values() if one.digest.startswith(prefix)}

    def longest_unchecked(self, limit: int) -> list[Checked]:
        checked = map(self._checked, self._state.instances.values())
        return sorted(checked, key=lambda one: (one.checked_at, one.instance.sop_instance_uid))[:limit]

    def faulty(self, study_instance_uid: str | None = None) -> list[Checked]:
        found = (one for one in map(self._checked, self._state.instances.values()) if one.fault is not None)
        theirs = (one for one in found if study_instance_uid in (None, one.instance.study_instance_uid))
        return sorted(theirs, key=lambda one: (one.instance.study_instance_uid, one.instance.digest))

    def note_check(self, digest: str, at: datetime, fault: Fault | None) -> bool:
        if digest not in self.digests(""):
            return False
        self._state.checks[digest] = (at, fault)
        return True

    def upkeep(self) -> Upkeep:
        checked = [self._checked(one) for one in self._state.instances.values()]
        return Upkeep(
            objects=len(checked),
            size_bytes=sum(one.instance.size_bytes for one in checked),
            faulty=sum(one.fault is not None for one in checked),
            unchecked=sum(one.checked_at <= one.instance.received_at for one in checked),
            oldest_check=min((one.checked_at for one in checked), default=None),
        )

    def _checked(self, instance: Instance) -> Checked:
        at, fault = self._state.checks.get(instance.digest, (instance.received_at, None))
        return Checked(instance=instance, checked_at=at, fault=fault)

    def put_role(self, status: RoleStatus) -> None:
        self._state.roles[status.role] = status

    def roles(self) -> list[RoleStatus]:
        return sorted(self._state.roles.values(), key=lambda one: one.role)

    def forget_roles(self, before: datetime) -> None:
        self._state.roles = {name: one for name, one in self._state.roles.items() if one.beat_at >= before}

    def add_reading(self, reading: FinishedReading) -> None:
        if reading.study_instance_uid not in self._state.studies:
            raise LookupError("a reading needs its study")
        self._state.readings.append(reading)

    def take_reading_back(self, study_instance_uid: str, at: datetime, by: str, why: str | None = None) -> None:
        places = [place for place, one in enumerate(self._state.readings) if one.study_instance_uid == study_instance_uid]
        if places and self._state.readings[places[-1]].taken_back_at is None:
            last = self._state.readings[places[-1]]
            self._state.readings[places[-1]] = replace(last, taken_back_at=at, taken_back_by=by, taken_back_why=why)

    def readings(self, study_instance_uid: str) -> list[FinishedReading]:
        return [one for one in self._state.readings if one.study_instance_uid == study_instance_uid]

    def append_audit(self, entry: AuditEntry) -> None:
        self._state.audit.append(chained(self.audit_head(), entry))

    def audit(self, after: int = 0, limit: int | None = None) -> Iterator[AuditRecord]:
        return iter(self._state.audit[after:][:limit])

    def audit_newest(self, asked: AuditFilter, before: int | None = None, limit: int | None = None) -> list[AuditRecord]:
        older = (one for one in reversed(self._state.audit) if before is None or one.sequence < before)
        return [one for one in older if asked.fits(one)][:limit]

    def latest_audit(self, action: Action) -> AuditRecord | None:
        return next((one for one in reversed(self._state.audit) if one.action == action.value), None)

    def latest_audit_about(self, subject: str, action: Action, actor: str, details: str) -> AuditRecord | None:
        wanted = (subject, action.value, actor, details)
        found = (one for one in reversed(self._state.audit) if (one.subject, one.action, one.actor, one.details) == wanted)
        return next(found, None)

    def audit_head(self) -> AuditHead:
        if not self._state.audit:
            return AuditHead()
        last = self._state.audit[-1]
        return AuditHead(sequence=last.sequence, digest=last.digest)
