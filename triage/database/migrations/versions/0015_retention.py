"""what was read is found by its name

Revision ID: 0015_retention
Revises: 0014_orders
"""

import sqlalchemy as sa
from alembic import op

revision = "0015_retention"
down_revision = "0014_orders"


def upgrade() -> None:
    """An index of read studies, for retention: it looks at them in turn."""
    read = sa.text("reading_state = 'read'")
    op.create_index(
        op.f("ix_study_read"), "study", ["study_instance_uid", "reading_since"], sqlite_where=read, postgresql_where=read
    )
