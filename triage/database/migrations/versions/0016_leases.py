"""who rings the recurring jobs, and when each rang last

Revision ID: 0016_leases
Revises: 0015_retention
"""

import sqlalchemy as sa
from alembic import op

revision = "0016_leases"
down_revision = "0015_retention"


def upgrade() -> None:
    """Empty tables: whoever starts first is elected, and every job is due soon."""
    op.create_table(
        "lease",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "holder")),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "job_run",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("ended_at", "succeeded_at")),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_run")),
    )
