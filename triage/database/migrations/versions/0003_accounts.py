"""accounts, tokens, sessions, guesses

Revision ID: 0003_accounts
Revises: 0002_reading
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_accounts"
down_revision = "0002_reading"


def upgrade() -> None:
    """Who may sign in, who is, and who guesses."""
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("must_change", sa.Integer(), nullable=False),
        sa.Column("disabled", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "role IN ('viewer','radiologist','pacs_admin','ml_admin','auditor','service')", name=op.f("ck_account_role")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account")),
    )
    for name, times in (("account_token", ("issued_at",)), ("account_session", ("signed_in_at", "seen_at"))):
        op.create_table(
            name,
            sa.Column("digest", sa.Text(), nullable=False),
            sa.Column("account", sa.Text(), nullable=False),
            *(sa.Column(time, sa.BigInteger(), nullable=False) for time in times),
            sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f(f"fk_{name}_account")),
            sa.PrimaryKeyConstraint("digest", name=op.f(f"pk_{name}")),
        )
        op.create_index(op.f(f"ix_{name}_account"), name, ["account"])
    op.create_table(
        "guess",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_guess")),
    )
