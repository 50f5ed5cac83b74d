"""What the RIS has said of orders: the table. Alembic's migrations make the same schema; a test compares the two."""

from sqlalchemy import Column, Index, Integer, Table, Text, text

from triage.database.tables import Moment, metadata, study

said = Table(
    "imaging_order",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("order_key", Text, nullable=False, index=True, comment="which order it is"),
    Column("content", Text, nullable=False, unique=True, comment="SHA-256 over all that was said"),
    Column("placer_order_number", Text),
    Column("filler_order_number", Text),
    Column("accession_number", Text),
    Column("study_instance_uid", Text),
    Column("patients", Text, nullable=False, comment="JSON: pairs of Patient ID and issuer"),
    Column("placed", Integer, nullable=False, comment="a new order"),
    Column("stat", Integer, comment="empty: not said"),
    Column("over", Integer, nullable=False, comment="cancelled or discontinued"),
    Column("said_at", Moment, nullable=False, comment="by the sender's clock"),
    Column("sender", Text, nullable=False),
    Column("control_id", Text, nullable=False),
    Column("received_at", Moment, nullable=False),
    Index("ix_imaging_order_accession_number", "accession_number", sqlite_where=text("accession_number IS NOT NULL")),
    Index("ix_imaging_order_study_instance_uid", "study_instance_uid", sqlite_where=text("study_instance_uid IS NOT NULL")),
    Index("ix_imaging_order_heard", "received_at", "order_key"),
    comment="what the RIS has said of orders (triage/domain/order.py)",
)
Index("ix_study_accession_number", study.c.accession_number)
