"""what the RIS has said of orders, and which study is STAT because an order asks for it

Revision ID: 0014_orders
Revises: 0013_attributes
"""

import sqlalchemy as sa
from alembic import op

revision = "0014_orders"
down_revision = "0013_attributes"

TOLD = "ALTER TABLE study ADD COLUMN told INTEGER CONSTRAINT ck_study_told_where_ordered CHECK (told IS NULL OR ordered = 1)"


def upgrade() -> None:
    """Nothing was said yet: whatever is STAT, a person said so."""
    op.create_table(
        "imaging_order",
        sa.Column("number", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("order_key", "content")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("placer_order_number", "filler_order_number")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("accession_number", "study_instance_uid")),
        sa.Column("patients", sa.Text(), nullable=False),
        sa.Column("placed", sa.Integer(), nullable=False),
        sa.Column("stat", sa.Integer(), nullable=True),
        sa.Column("over", sa.Integer(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("sender", "control_id")),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_imaging_order")),
        sa.UniqueConstraint("content", name=op.f("uq_imaging_order_content")),
    )
    op.create_index("ix_imaging_order_order_key", "imaging_order", ["order_key"])
    op.create_index("ix_imaging_order_heard", "imaging_order", ["received_at", "order_key"])
    for name in ("accession_number", "study_instance_uid"):
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_imaging_order_{name}", "imaging_order", [name], sqlite_where=where, postgresql_where=where)
    op.create_index("ix_study_accession_number", "study", ["accession_number"])
    op.add_column("study", sa.Column("ordered", sa.Integer(), nullable=False, server_default="0"))
    op.execute(TOLD)
