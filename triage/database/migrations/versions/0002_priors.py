"""a patient's studies are found by an index

Revision ID: 0002_priors
Revises: 0001
"""

from alembic import op

revision = "0002_priors"
down_revision = "0001"


def upgrade() -> None:
    """The other studies of a patient, without looking at every study."""
    op.create_index("ix_study_patient", "study", ["patient_id", "issuer_of_patient_id", "arrived_at", "study_instance_uid"])


def downgrade() -> None:
    """Without it."""
    op.drop_index("ix_study_patient", "study")
