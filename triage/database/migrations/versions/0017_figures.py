"""what every process counts for monitoring

Revision ID: 0017_figures
Revises: 0016_leases
"""

import sqlalchemy as sa
from alembic import op

revision = "0017_figures"
down_revision = "0016_leases"


def upgrade() -> None:
    """Nothing was counted yet."""
    op.create_table(
        "figure",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_figure")),
    )
