"""readings that were taken back

Revision ID: 0008_taken_back
Revises: 0007_senders
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_taken_back"
down_revision = "0007_senders"

UNREAD = (
    "(SELECT {column} FROM audit WHERE audit.subject = reading.study_instance_uid AND audit.action = 'unread'"
    " AND audit.at >= reading.read_at AND NOT EXISTS (SELECT 1 FROM reading AS later"
    " WHERE later.study_instance_uid = reading.study_instance_uid AND later.id > reading.id AND later.read_at <= audit.at)"
    " ORDER BY audit.sequence LIMIT 1)"
)
"""The step that took a reading back: the first after it, and before the next reading of the study."""


def upgrade() -> None:
    """What was taken back so far is in the audit; a study that a late image brought back is not."""
    op.add_column("reading", sa.Column("taken_back_at", sa.BigInteger(), nullable=True))
    op.add_column("reading", sa.Column("taken_back_by", sa.Text(), nullable=True))
    at, by = UNREAD.format(column="audit.at"), UNREAD.format(column="audit.actor")
    op.execute(f"UPDATE reading SET taken_back_at = {at}, taken_back_by = {by}")  # noqa: S608 - only the names above
