"""Studies, instances, outcomes and roles in SQL."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from triage.database import audit, quarantine, tables, upkeep
from triage.database.accounts import SqlAccounts
from triage.database.analytics import SqlAnalytics
from triage.database.commitments import SqlCommitments
from triage.database.deliveries import SqlDeliveries
from triage.database.documents import decided_at, dump_outcome, load_outcome
from triage.database.figures import SqlFigures
from triage.database.inserting import inserted
from triage.database.leases import SqlLeases
from triage.database.listing import count_query, listing_query, places, row_facts
from triage.database.orders import SqlOrders
from triage.database.query import SqlQueries, columns_of
from triage.database.queue import SqlQueue
from triage.database.retention import SqlRetention
from triage.database.rows import FACTS, study_of
from triage.domain.assessment import Outcome, image_set
from triage.domain.audit import Action, AuditEntry, AuditFilter, AuditHead, AuditRecord
from triage.domain.fault import Checked, Fault, Upkeep
from triage.domain.instance import Decision, Instance, QuarantinedObject, Sender
from triage.domain.jobs import RetryPolicy
from triage.domain.level import Level
from triage.domain.query import Attributes
from triage.domain.reading import FinishedReading
from triage.domain.role import RoleStatus
from triage.domain.selection import RowFacts, Selection, search_text
from triage.domain.study import Study
from triage.domain.verdict import Verdict

INSTANCE = tuple(Instance.__dataclass_fields__)


class SqlTransaction:
    """See :class:`triage.services.ports.Transaction`."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self.connection = connection
        self.jobs = SqlQueue(connection, policy)
        self.accounts = SqlAccounts(connection)
        self.analytics = SqlAnalytics(connection)
        self.commitments = SqlCommitments(connection)
        self.deliveries = SqlDeliveries(connection)
        self.queries = SqlQueries(connection)
        self.orders = SqlOrders(connection)
        self.figures = SqlFigures(connection)
        self.retention = SqlRetention(connection)
        self.leases = SqlLeases(connection)

    def instance(self, sop_instance_uid: str) -> Instance | None:
        row = self.connection.execute(_INSTANCE_OF, {"uid": sop_instance_uid}).one_or_none()
        return Instance(**row._mapping) if row else None

    def instances(self, study_instance_uid: str) -> list[Instance]:
        query = (
            select(*upkeep.COLUMNS)
            .where(tables.instance.c.study_instance_uid == study_instance_uid)
            .order_by(tables.instance.c.received_at, tables.instance.c.sop_instance_uid)
        )
        return [Instance(**row._mapping) for row in self.connection.execute(query)]

    def all_instances(self) -> Iterator[Instance]:
        for row in self.connection.execute(select(*upkeep.COLUMNS)).yield_per(1000):
            yield Instance(**row._mapping)

    def senders(self) -> list[Sender]:
        return [Sender(**row._mapping) for row in self.connection.execute(senders_query())]

    def study(self, study_instance_uid: str) -> Study | None:
        row = self.connection.execute(_STUDY_OF, {"uid": study_instance_uid}).one_or_none()
        return study_of(row) if row else None

    def worklist(self, limit: int | None = None, include_read: bool = False) -> list[Study]:
        return [study_of(row) for row in self.connection.execute(worklist_query(limit, include_read))]

    def listed(self, selection: Selection, reader: str | None, now: datetime, limit: int, offset: int = 0) -> list[Study]:
        query = listing_query(selection, reader, now, limit, offset)
        return [study_of(row) for row in self.connection.execute(query)]

    def count_listed(self, selection: Selection, reader: str | None, now: datetime) -> int:
        return int(self.connection.execute(count_query(selection, reader, now)).scalar_one())

    def places(self, studies: Sequence[Study]) -> dict[str, int]:
        return places(self.connection, studies)

    def row_facts(self, studies: Sequence[Study]) -> dict[str, RowFacts]:
        return row_facts(self.connection, studies)

    def studies_of_patient(self, patient_id: str, issuer: str | None, limit: int | None = None) -> list[Study]:
        return [study_of(row) for row in self.connection.execute(patient_query(patient_id, issuer, limit))]

    def claims_of(self, reader: str) -> list[Study]:
        return [study_of(row) for row in self.connection.execute(claims_query(reader))]

    def pending_studies(self) -> list[Study]:
        query = select(tables.study).where(tables.study.c.network_level == Level.PENDING.value)
        return [study_of(row) for row in self.connection.execute(query)]

    def counts_by_level(self) -> dict[str, int]:
        query = select(tables.study.c.level, func.count().label("total")).where(tables.UNREAD).group_by(tables.study.c.level)
        return {row.level: row.total for row in self.connection.execute(query)}

    def revision(self) -> int:
        return int(self.connection.execute(select(tables.worklist_revision.c.revision)).scalar_one())

    def put_study(self, study: Study) -> None:
        self.connection.execute(_PUT_STUDY, _row(study))
        self.connection.execute(_RAISE_REVISION)

    def add_instance(self, instance: Instance, attributes: Attributes | None = None) -> None:
        series = {"study_instance_uid": instance.study_instance_uid, "series_instance_uid": instance.series_instance_uid}
        self.connection.execute(_ADD_SERIES, series)
        row = {name: getattr(instance, name) for name in INSTANCE}
        self.connection.execute(_ADD_INSTANCE, row | columns_of(attributes) | {"checked_at": instance.received_at})

    def remove_instance(self, sop_instance_uid: str) -> None:
        self.connection.execute(delete(tables.instance).where(tables.instance.c.sop_instance_uid == sop_instance_uid))

    def add_outcome(self, outcome: Outcome) -> bool:
        row = {
            "study_instance_uid": outcome.study_instance_uid,
            "image_set": image_set(outcome.considered),
            "bundle_id": outcome.model.bundle_id if outcome.model else "",
            "decided_at": decided_at(outcome),
            "document": dump_outcome(outcome),
        }
        return inserted(self.connection, insert(tables.outcome).values(row).on_conflict_do_nothing()) == 1

    def outcomes(self, study_instance_uid: str) -> list[Outcome]:
        query = (
            select(tables.outcome.c.document)
            .where(tables.outcome.c.study_instance_uid == study_instance_uid)
            .order_by(tables.outcome.c.id)
        )
        return [load_outcome(document) for document in self.connection.execute(query).scalars()]

    def image_sets(self) -> set[tuple[str, str]]:
        query = select(tables.outcome.c.study_instance_uid, tables.outcome.c.image_set)
        return {(row.study_instance_uid, row.image_set) for row in self.connection.execute(query)}

    def add_quarantined(self, quarantined: QuarantinedObject) -> bool:
        return quarantine.add(self.connection, quarantined)

    def quarantined(self, decided: bool = False) -> list[QuarantinedObject]:
        return quarantine.listed(self.connection, decided)

    def set_aside_of(self, study_instance_uid: str) -> list[QuarantinedObject]:
        return quarantine.of_study(self.connection, study_instance_uid)

    def set_aside_under(self, sop_instance_uid: str) -> list[QuarantinedObject]:
        return quarantine.under(self.connection, sop_instance_uid)

    def quarantined_object(self, digest: str) -> QuarantinedObject | None:
        return quarantine.one_of(self.connection, digest)

    def decide(self, digest: str, decision: Decision, at: datetime, by: str, because: str) -> bool:
        return quarantine.decide(self.connection, digest, decision, at, by, because)

    def digests(self, prefix: str) -> set[str]:
        return upkeep.digests(self.connection, prefix)

    def longest_unchecked(self, limit: int) -> list[Checked]:
        return upkeep.longest_unchecked(self.connection, limit)

    def faulty(self, study_instance_uid: str | None = None) -> list[Checked]:
        return upkeep.faulty(self.connection, study_instance_uid)

    def note_check(self, digest: str, at: datetime, fault: Fault | None) -> bool:
        return upkeep.note_check(self.connection, digest, at, fault)

    def upkeep(self) -> Upkeep:
        return upkeep.upkeep(self.connection)

    def put_role(self, status: RoleStatus) -> None:
        self.connection.execute(_PUT_ROLE, {name: getattr(status, name) for name in RoleStatus.__dataclass_fields__})

    def roles(self) -> list[RoleStatus]:
        query = select(tables.role).order_by(tables.role.c.role)
        return [RoleStatus(**row._mapping) for row in self.connection.execute(query)]

    def forget_roles(self, before: datetime) -> None:
        self.connection.execute(delete(tables.role).where(tables.role.c.beat_at < before))

    def add_reading(self, reading: FinishedReading) -> None:
        self.connection.execute(insert(tables.reading).values(_reading_row(reading)))

    def take_reading_back(self, study_instance_uid: str, at: datetime, by: str, why: str | None = None) -> None:
        table = tables.reading
        last = select(func.max(table.c.id)).where(table.c.study_instance_uid == study_instance_uid).scalar_subquery()
        change = update(table).where(table.c.id == last, table.c.taken_back_at.is_(None))
        self.connection.execute(change.values(taken_back_at=at, taken_back_by=by, taken_back_why=why))

    def readings(self, study_instance_uid: str) -> list[FinishedReading]:
        table = tables.reading
        query = select(table).where(table.c.study_instance_uid == study_instance_uid).order_by(table.c.id)
        return [_finished(row) for row in self.connection.execute(query)]

    def append_audit(self, entry: AuditEntry) -> None:
        audit.append(self.connection, entry)

    def audit(self, after: int = 0, limit: int | None = None) -> Iterator[AuditRecord]:
        return audit.records(self.connection, after, limit)

    def audit_newest(self, asked: AuditFilter, before: int | None = None, limit: int | None = None) -> list[AuditRecord]:
        return audit.newest(self.connection, asked, before, limit)

    def latest_audit(self, action: Action) -> AuditRecord | None:
        return audit.latest(self.connection, action)

    def latest_audit_about(self, subject: str, action: Action, actor: str, details: str) -> AuditRecord | None:
        return audit.latest_about(self.connection, subject, action, actor, details)

    def audit_head(self) -> AuditHead | None:
        return audit.head(self.connection)


def worklist_query(limit: int | None, include_read: bool) -> Select[Any]:
    """Studies in reading order; for unread ones the index ``ix_study_reading_order`` gives it without a sort."""
    study = tables.study.c
    query = select(tables.study).order_by(study.key, study.arrived_at, study.study_instance_uid).limit(limit)
    return query if include_read else query.where(tables.UNREAD)


def patient_query(patient_id: str, issuer: str | None, limit: int | None) -> Select[Any]:
    """A patient's studies, the last first; the index ``ix_study_patient`` finds them in that order."""
    study = tables.study.c
    return (
        select(tables.study)
        .where(study.patient_id == patient_id, study.issuer_of_patient_id.is_not_distinct_from(issuer))
        .order_by(study.arrived_at.desc(), study.study_instance_uid.desc())
        .limit(limit)
    )


def claims_query(reader: str) -> Select[Any]:
    """What a reader holds; the index ``ix_study_claims`` has nothing but claims."""
    study = tables.study.c
    return select(tables.study).where(tables.CLAIMED, study.reader == reader).order_by(study.study_instance_uid)


def senders_query() -> Select[Any]:
    """Objects by calling AE title; the index ``ix_instance_sender`` holds all that is asked, in the order of the groups."""
    title, received = tables.instance.c.calling_ae_title, tables.instance.c.received_at
    count, first, last = func.count().label("objects"), func.min(received), func.max(received)
    return select(title, count, first.label("first_at"), last.label("last_at")).group_by(title).order_by(title)


def upsert(table: Table) -> Insert:
    """Insert a row, all of whose columns are given, or replace the one that has its primary key."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


# What each received film needs, made once: to make and to look up a statement costs more than to carry it out.
_INSTANCE_OF = select(*upkeep.COLUMNS).where(tables.instance.c.sop_instance_uid == bindparam("uid"))
_STUDY_OF = select(tables.study).where(tables.study.c.study_instance_uid == bindparam("uid"))
_PUT_STUDY = upsert(tables.study)
_PUT_ROLE = upsert(tables.role)
_RAISE_REVISION = update(tables.worklist_revision).values(revision=tables.worklist_revision.c.revision + 1)
_ADD_SERIES = insert(tables.series).on_conflict_do_nothing()
_ADD_INSTANCE = insert(tables.instance)


def _row(study: Study) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(study.facts, name) for name in FACTS}
    return row | {
        "study_instance_uid": study.study_instance_uid,
        "arrived_at": study.arrived_at,
        "images": study.images,
        "network_level": study.network_level.value,
        "stat": int(study.stat),
        "ordered": int(study.ordered),
        "told": None if study.told is None else int(study.told),
        "level": study.level.value,
        "reason": study.reason.code if study.reason else None,
        "probability": study.probability,
        "model": study.model,
        "images_covered": study.images_covered,
        "assessed_at": study.assessed_at,
        "doubt": study.doubt.code if study.doubt else None,
        "head_start": study.head_start,
        "key": study.key,
        "reading_state": study.reading.state.value,
        "reader": study.reading.reader,
        "reading_since": study.reading.since,
        "verdict": study.reading.verdict,
        "verdict_at": study.reading.verdict_at,
        "lease_until": study.reading.lease_until,
        "search_text": search_text(study.study_instance_uid, study.facts),
    }


def _reading_row(reading: FinishedReading) -> dict[str, Any]:
    row = {name: getattr(reading, name) for name in FinishedReading.__dataclass_fields__}
    return row | {"network_level": reading.network_level.value, "verdict": reading.verdict.value if reading.verdict else None}


def _finished(row: Row[Any]) -> FinishedReading:
    fields = {name: row._mapping[name] for name in FinishedReading.__dataclass_fields__}
    verdict = Verdict(row.verdict) if row.verdict else None
    return FinishedReading(**fields | {"network_level": Level(row.network_level), "verdict": verdict})
