"""the claims of a reader; accounts of an identity provider

Revision ID: 0006_claims
Revises: 0005_analytics
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_claims"
down_revision = "0005_analytics"


def upgrade() -> None:
    """A reader's claims are found without looking at every study; people may come by a provider."""
    claimed = sa.text("reading_state = 'claimed'")
    op.create_index("ix_study_claims", "study", ["reader"], sqlite_where=claimed, postgresql_where=claimed)
    op.add_column("account", sa.Column("external", sa.Integer(), server_default="0", nullable=False))
    op.add_column("account", sa.Column("subject", sa.Text(), nullable=True))
    op.create_index("uq_account_subject", "account", ["subject"], unique=True)
    op.create_table(
        "sign_in_attempt",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("next", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_attempt")),
    )
    op.create_index(op.f("ix_sign_in_attempt_begun_at"), "sign_in_attempt", ["begun_at"])
