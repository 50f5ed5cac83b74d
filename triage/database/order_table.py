"""What the RIS has said of orders: the table. Alembic's migrations make the same schema; a test compares the two."""

from sqlalchemy import Column, Index, Integer, Table, text

from triage.database.tables import Moment, metadata, study
from triage.database.words import Words

said = Table(
    "imaging_order",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("order_key", Words, nullable=False, index=True, comment="which order it is"),
    Column("content", Words, nullable=False, unique=True, comment="SHA-256 over all that was said"),
    Column("placer_order_number", Words),
    Column("filler_order_number", Words),
    Column("accession_number", Words),
    Column("study_instance_uid", Words),
    Column("patients", Words, nullable=False, comment="JSON: pairs of Patient ID and issuer"),
    Column("placed", Integer, nullable=False, comment="a new order"),
    Column("stat", Integer, comment="empty: not said"),
    Column("over", Integer, nullable=False, comment="cancelled or discontinued"),
    Column("said_at", Moment, nullable=False, comment="by the sender's clock"),
    Column("sender", Words, nullable=False),
    Column("control_id", Words, nullable=False),
    Column("received_at", Moment, nullable=False),
    Index("ix_imaging_order_heard", "received_at", "order_key"),
    comment="what the RIS has said of orders (triage/domain/order.py)",
)
for _name in ("accession_number", "study_instance_uid"):
    _told = text(f"{_name} IS NOT NULL")
    Index(f"ix_imaging_order_{_name}", said.c[_name], sqlite_where=_told, postgresql_where=_told)
Index("ix_study_accession_number", study.c.accession_number)
