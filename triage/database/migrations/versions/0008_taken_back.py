"""readings that were taken back

Revision ID: 0008_taken_back
Revises: 0007_senders
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_taken_back"
down_revision = "0007_senders"

MARK = (
    "UPDATE reading SET (taken_back_at, taken_back_by) ="
    " (SELECT audit.at, audit.actor FROM audit WHERE audit.subject = reading.study_instance_uid AND audit.action = 'unread'"
    " AND audit.at >= reading.read_at AND NOT EXISTS (SELECT 1 FROM reading AS later"
    " WHERE later.study_instance_uid = reading.study_instance_uid AND later.id > reading.id AND later.read_at <= audit.at)"
    " ORDER BY audit.sequence LIMIT 1)"
)
"""By the step that took a reading back: the first after it, and before the next reading of the study."""


def upgrade() -> None:
    """What was taken back so far is in the audit; a study that a late image brought back is not."""
    op.add_column("reading", sa.Column("taken_back_at", sa.BigInteger(), nullable=True))
    op.add_column("reading", sa.Column("taken_back_by", sa.Text(), nullable=True))
    op.add_column("reading", sa.Column("taken_back_why", sa.Text(), nullable=True))
    op.execute(MARK)
