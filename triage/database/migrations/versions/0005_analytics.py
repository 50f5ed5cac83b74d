"""readings are found by their time, arrivals counted from an index

Revision ID: 0005_analytics
Revises: 0004_list
"""

from alembic import op

revision = "0005_analytics"
down_revision = "0004_list"


def upgrade() -> None:
    """What analytics asks, without looking at every study or sorting."""
    op.create_index("ix_study_arrived", "study", ["arrived_at", "network_level", "model", "probability"])
    op.create_index("ix_reading_read_at", "reading", ["read_at"])


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_reading_read_at", "reading")
    op.drop_index("ix_study_arrived", "study")
