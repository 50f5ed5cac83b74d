"""the line: studies, instances, outcomes, jobs, roles

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Everything the first release needs."""
    op.create_table(
        "quarantined",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=True),
        sa.Column("study_instance_uid", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_quarantined")),
    )
    op.create_table(
        "role",
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("role", name=op.f("pk_role")),
    )
    op.create_table(
        "study",
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=True),
        sa.Column("issuer_of_patient_id", sa.Text(), nullable=True),
        sa.Column("patient_name", sa.Text(), nullable=True),
        sa.Column("patient_birth_date", sa.Text(), nullable=True),
        sa.Column("patient_sex", sa.Text(), nullable=True),
        sa.Column("patient_age", sa.Text(), nullable=True),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("study_description", sa.Text(), nullable=True),
        sa.Column("modality", sa.Text(), nullable=True),
        sa.Column("view", sa.Text(), nullable=True),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("network_level", sa.Text(), nullable=False),
        sa.Column("stat", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("images_covered", sa.Integer(), nullable=False),
        sa.Column("assessed_at", sa.BigInteger(), nullable=True),
        sa.Column("head_start", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("reading_state", sa.Text(), nullable=False),
        sa.Column("reader", sa.Text(), nullable=True),
        sa.Column("reading_since", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(network_level IN ('flagged','not_flagged')) = (probability IS NOT NULL)",
            name=op.f("ck_study_probability_only_where_assessed"),
        ),
        sa.CheckConstraint(
            "(network_level IN ('not_assessed','out_of_scope')) = (reason IS NOT NULL)",
            name=op.f("ck_study_reason_where_not_assessed"),
        ),
        sa.CheckConstraint(
            "level = CASE WHEN stat = 1 THEN 'stat' ELSE network_level END", name=op.f("ck_study_level_of_person_or_network")
        ),
        sa.CheckConstraint(
            "network_level IN ('flagged','not_assessed','pending','out_of_scope','not_flagged')",
            name=op.f("ck_study_network_level"),
        ),
        sa.CheckConstraint("key = arrived_at - head_start", name=op.f("ck_study_key_is_arrival_minus_head_start")),
        sa.CheckConstraint(
            "probability IS NULL OR (probability >= 0 AND probability <= 1)", name=op.f("ck_study_probability_range")
        ),
        sa.PrimaryKeyConstraint("study_instance_uid", name=op.f("pk_study")),
    )
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.create_index("ix_study_network_level", ["network_level"], unique=False)
        batch_op.create_index(
            "ix_study_reading_order",
            ["key", "arrived_at", "study_instance_uid"],
            unique=False,
            sqlite_where=sa.text("reading_state <> 'read'"),
            postgresql_where=sa.text("reading_state <> 'read'"),
        )

    op.create_table(
        "worklist_revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worklist_revision")),
    )
    op.create_table(
        "instance",
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["study.study_instance_uid"], name=op.f("fk_instance_study_instance_uid")
        ),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_instance")),
        sa.UniqueConstraint("digest", name=op.f("uq_instance_digest")),
    )
    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_instance_study_instance_uid"), ["study_instance_uid"], unique=False)

    op.create_table(
        "job",
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("enqueued_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('waiting','running','done','quarantined')", name=op.f("ck_job_state")),
        sa.ForeignKeyConstraint(["study_instance_uid"], ["study.study_instance_uid"], name=op.f("fk_job_study_instance_uid")),
        sa.PrimaryKeyConstraint("study_instance_uid", name=op.f("pk_job")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(
            "ix_job_due",
            ["not_before", "study_instance_uid"],
            unique=False,
            sqlite_where=sa.text("state IN ('waiting','running')"),
            postgresql_where=sa.text("state IN ('waiting','running')"),
        )

    op.create_table(
        "outcome",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("image_set", sa.Text(), nullable=False, comment="SHA-256 over the sorted digests considered"),
        sa.Column("bundle_id", sa.Text(), nullable=False, comment="empty: no model"),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False, comment="the outcome as JSON (documents.py)"),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["study.study_instance_uid"], name=op.f("fk_outcome_study_instance_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome")),
        sa.UniqueConstraint(
            "study_instance_uid", "image_set", "bundle_id", name=op.f("uq_outcome_study_instance_uid_image_set_bundle_id")
        ),
    )
    op.create_table(
        "series",
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["study.study_instance_uid"], name=op.f("fk_series_study_instance_uid")
        ),
        sa.PrimaryKeyConstraint("study_instance_uid", "series_instance_uid", name=op.f("pk_series")),
    )
    op.execute("INSERT INTO worklist_revision (id, revision) VALUES (1, 0)")


def downgrade() -> None:
    """Back to an empty database."""
    op.drop_table("series")
    op.drop_table("outcome")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_job_due",
            sqlite_where=sa.text("state IN ('waiting','running')"),
            postgresql_where=sa.text("state IN ('waiting','running')"),
        )

    op.drop_table("job")
    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_instance_study_instance_uid"))

    op.drop_table("instance")
    op.drop_table("worklist_revision")
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_study_reading_order",
            sqlite_where=sa.text("reading_state <> 'read'"),
            postgresql_where=sa.text("reading_state <> 'read'"),
        )
        batch_op.drop_index("ix_study_network_level")

    op.drop_table("study")
    op.drop_table("role")
    op.drop_table("quarantined")
