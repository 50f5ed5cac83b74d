"""The tables. Alembic's migrations make the same schema; a test compares the two."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import BigInteger, TypeDecorator

from triage.database.words import Words

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware UTC time as whole microseconds since 1970: sorts as it reads, equal on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Aware time to microseconds."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Microseconds to aware UTC time."""
        return None if value is None else _EPOCH + timedelta(microseconds=int(value))


class Span(TypeDecorator[timedelta]):
    """A duration as whole microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        """Duration to microseconds."""
        return None if value is None else value // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> timedelta | None:
        """Microseconds to duration."""
        return None if value is None else timedelta(microseconds=int(value))


NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

study = Table(
    "study",
    metadata,
    Column("study_instance_uid", Words, primary_key=True),
    Column("patient_id", Words),
    Column("issuer_of_patient_id", Words),
    Column("patient_name", Words),
    Column("patient_birth_date", Words),
    Column("patient_sex", Words),
    Column("patient_age", Words),
    Column("accession_number", Words),
    Column("study_description", Words),
    Column("modality", Words),
    Column("view", Words),
    Column("arrived_at", Moment, nullable=False),
    Column("images", Integer, nullable=False),
    Column("network_level", Words, nullable=False),
    Column("stat", Integer, nullable=False),
    Column("level", Words, nullable=False),
    Column("reason", Words),
    Column("probability", Float),
    Column("model", Words),
    Column("images_covered", Integer, nullable=False),
    Column("assessed_at", Moment),
    Column("head_start", Span, nullable=False),
    Column("key", Moment, nullable=False),
    Column("reading_state", Words, nullable=False),
    Column("reader", Words),
    Column("reading_since", Moment),
    Column("verdict", Words),
    Column("verdict_at", Moment),
    Column("lease_until", Moment),
    Column("search_text", Words, nullable=False, server_default="", comment="what a search looks through, folded"),
    Column("doubt", Words, comment="whose films these are (triage/domain/doubt.py)"),
    Column("ordered", Integer, nullable=False, server_default="0", comment="an order of the RIS asks for STAT"),
    Column("told", Integer, comment="what a person has said about STAT since it does"),
    CheckConstraint("told IS NULL OR ordered = 1", name="told_where_ordered"),
    CheckConstraint("network_level IN ('flagged','not_assessed','pending','out_of_scope','not_flagged')", name="network_level"),
    CheckConstraint(
        "(network_level IN ('flagged','not_flagged')) = (probability IS NOT NULL)", name="probability_only_where_assessed"
    ),
    CheckConstraint("probability IS NULL OR (probability >= 0 AND probability <= 1)", name="probability_range"),
    CheckConstraint(
        "(network_level IN ('not_assessed','out_of_scope')) = (reason IS NOT NULL)", name="reason_where_not_assessed"
    ),
    CheckConstraint("level = CASE WHEN stat = 1 THEN 'stat' ELSE network_level END", name="level_of_person_or_network"),
    CheckConstraint("key = arrived_at - head_start", name="key_is_arrival_minus_head_start"),
    CheckConstraint(
        "doubt IS NULL OR doubt = 'names_differ' OR network_level NOT IN ('not_flagged','out_of_scope')",
        name="doubt_keeps_from_resting",
    ),
)
UNREAD = text("reading_state <> 'read'")
Index(
    "ix_study_reading_order",
    study.c.key,
    study.c.arrived_at,
    study.c.study_instance_uid,
    sqlite_where=UNREAD,
    postgresql_where=UNREAD,
)
Index(
    "ix_study_level_order",
    study.c.level,
    study.c.key,
    study.c.arrived_at,
    study.c.study_instance_uid,
    sqlite_where=UNREAD,
    postgresql_where=UNREAD,
)
READ = text("reading_state = 'read'")
Index("ix_study_read", study.c.study_instance_uid, study.c.reading_since, sqlite_where=READ, postgresql_where=READ)
Index("ix_study_network_level", study.c.network_level)
CLAIMED = text("reading_state = 'claimed'")
Index("ix_study_claims", study.c.reader, sqlite_where=CLAIMED, postgresql_where=CLAIMED)
Index(
    "ix_study_patient",
    study.c.patient_id,
    study.c.issuer_of_patient_id,
    study.c.arrived_at,
    study.c.study_instance_uid,
)

Index("ix_study_arrived", study.c.arrived_at, study.c.network_level, study.c.model, study.c.probability)

series = Table(
    "series",
    metadata,
    Column("study_instance_uid", Words, ForeignKey("study.study_instance_uid"), primary_key=True),
    Column("series_instance_uid", Words, primary_key=True),
)

instance = Table(
    "instance",
    metadata,
    Column("sop_instance_uid", Words, primary_key=True),
    Column("sop_class_uid", Words, nullable=False),
    Column("series_instance_uid", Words, nullable=False),
    Column("study_instance_uid", Words, ForeignKey("study.study_instance_uid"), nullable=False, index=True),
    Column("transfer_syntax_uid", Words, nullable=False),
    Column("digest", Words, nullable=False, unique=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("calling_ae_title", Words, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("checked_at", Moment, nullable=False, server_default="0", comment="when it was last compared with its digest"),
    Column("fault", Words, comment="what was found then (triage/domain/fault.py)"),
    Column("attributes", Words, comment="what queries are answered from, as JSON; empty: the header is to be read yet"),
    Column("study_date", Integer, comment="number of the day"),
    Column("patient_id", Words),
    Column("accession_number", Words),
    Index("ix_instance_sender", "calling_ae_title", "received_at"),
    Index("ix_instance_checked", "checked_at", "sop_instance_uid"),
    CheckConstraint("fault IS NULL OR fault IN ('damaged','missing')", name="fault"),
)
FAULTY = text("fault IS NOT NULL")
Index("ix_instance_faulty", instance.c.study_instance_uid, sqlite_where=FAULTY, postgresql_where=FAULTY)

UNREAD_HEADER = text("attributes IS NULL")
Index("ix_instance_unread_header", instance.c.sop_instance_uid, sqlite_where=UNREAD_HEADER, postgresql_where=UNREAD_HEADER)
Index("ix_instance_study_date", instance.c.study_date, instance.c.study_instance_uid)
Index("ix_instance_patient_id", instance.c.patient_id, instance.c.study_instance_uid)
Index("ix_instance_accession_number", instance.c.accession_number, instance.c.study_instance_uid)

outcome = Table(
    "outcome",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", Words, ForeignKey("study.study_instance_uid"), nullable=False),
    Column("image_set", Words, nullable=False, comment="SHA-256 over the sorted digests considered"),
    Column("bundle_id", Words, nullable=False, comment="empty: no model"),
    Column("decided_at", Moment, nullable=False),
    Column("document", Words, nullable=False, comment="the outcome as JSON (documents.py)"),
    UniqueConstraint("study_instance_uid", "image_set", "bundle_id"),
)

job = Table(
    "job",
    metadata,
    Column("study_instance_uid", Words, ForeignKey("study.study_instance_uid"), primary_key=True),
    Column("state", Words, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("enqueued_at", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("worker", Words),
    Column("error", Words),
    CheckConstraint("state IN ('waiting','running','done','quarantined')", name="state"),
)
OPEN_JOB = text("state IN ('waiting','running')")
Index("ix_job_due", job.c.not_before, job.c.study_instance_uid, sqlite_where=OPEN_JOB, postgresql_where=OPEN_JOB)
UNFINISHED_JOB = text("state <> 'done'")
Index("ix_job_unfinished", job.c.state, job.c.enqueued_at, sqlite_where=UNFINISHED_JOB, postgresql_where=UNFINISHED_JOB)

quarantined = Table(
    "quarantined",
    metadata,
    Column("digest", Words, primary_key=True),
    Column("sop_instance_uid", Words),
    Column("study_instance_uid", Words, index=True),
    Column("cause", Words, nullable=False),
    Column("calling_ae_title", Words, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("decision", Words, comment="empty: it lies in the archive's quarantine"),
    Column("decided_at", Moment),
    Column("decided_by", Words),
    Column("because", Words),
    CheckConstraint("decision IS NULL OR decision IN ('released','discarded')", name="decision"),
)

role = Table(
    "role",
    metadata,
    Column("role", Words, primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("beat_at", Moment, nullable=False),
    Column("state", Words, nullable=False),
    Column("restarts", Integer, nullable=False),
    Column("trouble", Words),
    Column("model", Words),
)

worklist_revision = Table(
    "worklist_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

reading = Table(
    "reading",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", Words, ForeignKey("study.study_instance_uid"), nullable=False, index=True),
    Column("reader", Words, nullable=False),
    Column("read_at", Moment, nullable=False, index=True),
    Column("verdict", Words),
    Column("note", Words),
    Column("network_level", Words, nullable=False),
    Column("probability", Float),
    Column("model", Words),
    Column("taken_back_at", Moment, comment="marked unread again; a late image takes nothing back"),
    Column("taken_back_by", Words),
    Column("taken_back_why", Words),
    comment="finished readings; a row stays when the study comes back unread",
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("details", Words, nullable=False, comment="a JSON object"),
    Column("digest", Words, nullable=False, comment="SHA-256 of the canonical record and the digest before it"),
    Index("ix_audit_subject", "subject", "sequence"),
    Index("ix_audit_action", "action", "sequence"),
    Index("ix_audit_actor", "actor", "sequence"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", Words, nullable=False),
)

commitment = Table(
    "commitment",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("calling_ae_title", Words, nullable=False),
    Column("address", Words, nullable=False, comment="where the request came from"),
    Column("transaction_uid", Words, nullable=False),
    Column("content", Words, nullable=False, comment="SHA-256 over the sorted objects asked about"),
    Column("objects", Words, nullable=False, comment="JSON: pairs of SOP Class and SOP Instance UID; empty once reported"),
    Column("object_count", Integer, nullable=False),
    Column("duplicate", Integer, nullable=False),
    Column("state", Words, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("not_before", Moment, nullable=False, comment="when the next try is due, or the claim runs out"),
    Column("until", Moment, nullable=False, comment="when the report is given up"),
    Column("ended_at", Moment),
    Column("failed", Integer, comment="objects that the report did not commit"),
    Column("error", Words, comment="why the last try failed"),
    UniqueConstraint("calling_ae_title", "transaction_uid", "content"),
    CheckConstraint("state IN ('waiting','sending','reported','given_up')", name="state"),
    CheckConstraint("(state IN ('reported','given_up')) = (ended_at IS NOT NULL)", name="ended_where_over"),
    comment="requests for storage commitment (triage/domain/commitment.py)",
)
OWED_REPORT = text("ended_at IS NULL")
Index(
    "ix_commitment_owed",
    commitment.c.calling_ae_title,
    commitment.c.not_before,
    sqlite_where=OWED_REPORT,
    postgresql_where=OWED_REPORT,
)
ENDED = text("ended_at IS NOT NULL")
Index("ix_commitment_ended", commitment.c.ended_at, sqlite_where=ENDED, postgresql_where=ENDED)
Index("ix_quarantined_sop_instance_uid", quarantined.c.sop_instance_uid)
