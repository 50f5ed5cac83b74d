"""what queries are answered from: attributes of each film, found by day, patient and order

Revision ID: 0013_attributes
Revises: 0012_results
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_attributes"
down_revision = "0012_results"


def upgrade() -> None:
    """No header was read for it yet; the scheduler reads those of films that came before."""
    op.add_column("instance", sa.Column("attributes", sa.Text(), nullable=True))
    op.add_column("instance", sa.Column("study_date", sa.Integer(), nullable=True))
    op.add_column("instance", sa.Column("patient_id", sa.Text(), nullable=True))
    op.add_column("instance", sa.Column("accession_number", sa.Text(), nullable=True))
    unread = sa.text("attributes IS NULL")
    op.create_index("ix_instance_unread_header", "instance", ["sop_instance_uid"], sqlite_where=unread, postgresql_where=unread)
    for column in ("study_date", "patient_id", "accession_number"):
        op.create_index(f"ix_instance_{column}", "instance", [column, "study_instance_uid"])
