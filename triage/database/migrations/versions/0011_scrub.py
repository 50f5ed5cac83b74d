"""when each film was last read again, and what a person decided on what was set aside

Revision ID: 0011_scrub
Revises: 0010_commitment
"""

import sqlalchemy as sa
from alembic import op

revision = "0011_scrub"
down_revision = "0010_commitment"

FAULT = "ALTER TABLE instance ADD COLUMN fault TEXT CONSTRAINT ck_instance_fault CHECK (fault IS NULL OR fault IN ('damaged','missing'))"
DECISION = (
    "ALTER TABLE quarantined ADD COLUMN decision TEXT CONSTRAINT ck_quarantined_decision CHECK"
    " (decision IS NULL OR decision IN ('released','discarded'))"
)


def upgrade() -> None:
    """Nothing was read again since it came, and nothing decided."""
    op.add_column("instance", sa.Column("checked_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE instance SET checked_at = received_at")
    op.execute(FAULT)
    op.create_index("ix_instance_checked", "instance", ["checked_at", "sop_instance_uid"])
    op.create_index(
        "ix_instance_faulty",
        "instance",
        ["study_instance_uid"],
        sqlite_where=sa.text("fault IS NOT NULL"),
        postgresql_where=sa.text("fault IS NOT NULL"),
    )
    op.execute(DECISION)
    op.add_column("quarantined", sa.Column("decided_at", sa.BigInteger(), nullable=True))
    op.add_column("quarantined", sa.Column("decided_by", sa.Text(), nullable=True))
    op.add_column("quarantined", sa.Column("because", sa.Text(), nullable=True))
