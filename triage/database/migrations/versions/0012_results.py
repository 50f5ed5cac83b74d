"""results, the destinations that hear of them, and where each is on its way

Revision ID: 0012_results
Revises: 0011_scrub
"""

import sqlalchemy as sa
from alembic import op

revision = "0012_results"
down_revision = "0011_scrub"


def upgrade() -> None:
    """Empty tables: nothing was sent anywhere. A study gets its first result when the network's word on it changes."""
    op.create_table(
        "result",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("commitment_uid", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["study.study_instance_uid"], name=op.f("fk_result_study_instance_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result")),
        sa.UniqueConstraint("commitment_uid", name=op.f("uq_result_commitment_uid")),
        sa.UniqueConstraint("study_instance_uid", "number", name=op.f("uq_result_study_instance_uid_number")),
    )
    op.create_table(
        "destination",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("result_id", "failures")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("away_since", "not_before")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("delivered", "superseded")),
        sa.Column("last_delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("(failures > 0) = (away_since IS NOT NULL)", name=op.f("ck_destination_away_where_it_failed")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_destination")),
    )
    op.create_table(
        "delivery",
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("id", "result_id")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("destination", "study_instance_uid")),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at", "not_before")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("attempts", "token")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("tried_at", "ended_at")),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("committed", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('waiting','sending','delivered','refused','superseded')", name=op.f("ck_delivery_state")),
        sa.CheckConstraint("(state IN ('waiting','sending')) = (ended_at IS NULL)", name=op.f("ck_delivery_ended_where_over")),
        sa.CheckConstraint("state <> 'delivered' OR status IS NOT NULL", name=op.f("ck_delivery_delivered_by_a_word")),
        sa.ForeignKeyConstraint(["result_id"], ["result.id"], name=op.f("fk_delivery_result_id")),
        sa.ForeignKeyConstraint(["destination"], ["destination.name"], name=op.f("fk_delivery_destination")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("result_id", "destination", name=op.f("uq_delivery_result_id_destination")),
    )
    op.create_index(op.f("ix_delivery_study"), "delivery", ["study_instance_uid", "destination", "number"])
    open_ = sa.text("state IN ('waiting','sending')")
    op.create_index(op.f("ix_delivery_open"), "delivery", ["destination", "id"], sqlite_where=open_, postgresql_where=open_)
    op.create_index(
        op.f("ix_delivery_refused"),
        "delivery",
        ["destination", "id"],
        sqlite_where=sa.text("state = 'refused'"),
        postgresql_where=sa.text("state = 'refused'"),
    )
