"""who sent what, and who did what, by index

Revision ID: 0007_senders
Revises: 0006_claims
"""

from alembic import op

revision = "0007_senders"
down_revision = "0006_claims"


def upgrade() -> None:
    """Both lists are read off an index, in its order."""
    op.create_index(op.f("ix_instance_sender"), "instance", ["calling_ae_title", "received_at"])
    op.create_index(op.f("ix_audit_actor"), "audit", ["actor", "sequence"])
