"""requests for storage commitment; what was set aside, by its SOP Instance UID

Revision ID: 0010_commitment
Revises: 0009_doubt
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_commitment"
down_revision = "0009_doubt"


def upgrade() -> None:
    """An empty table, and an index by which a verdict finds objects that were refused."""
    op.create_table(
        "commitment",
        sa.Column("number", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("calling_ae_title", "address", "transaction_uid")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("content", "objects")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("object_count", "duplicate")),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("attempts", "token")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("requested_at", "not_before", "until")),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("failed", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('waiting','sending','reported','given_up')", name=op.f("ck_commitment_state")),
        sa.CheckConstraint(
            "(state IN ('reported','given_up')) = (ended_at IS NOT NULL)", name=op.f("ck_commitment_ended_where_over")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_commitment")),
        sa.UniqueConstraint(
            "calling_ae_title",
            "transaction_uid",
            "content",
            name=op.f("uq_commitment_calling_ae_title_transaction_uid_content"),
        ),
    )
    op.create_index(
        op.f("ix_commitment_owed"),
        "commitment",
        ["calling_ae_title", "not_before"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        op.f("ix_commitment_ended"),
        "commitment",
        ["ended_at"],
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_quarantined_sop_instance_uid"), "quarantined", ["sop_instance_uid"])
