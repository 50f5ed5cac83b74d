"""readings and the audit chain

Revision ID: 0002_reading
Revises: 0002_priors
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_reading"
down_revision = "0002_priors"

GENESIS = "0" * 64
TRIGGERS = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    # REPLACE removes rows without asking the trigger above
    "CREATE TRIGGER audit_only_at_the_end BEFORE INSERT ON audit WHEN NEW.sequence <= (SELECT coalesce(max(sequence), 0) FROM audit) BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_head_one_row BEFORE INSERT ON audit_head WHEN (SELECT count(*) FROM audit_head) > 0 BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_head_only_forward BEFORE UPDATE ON audit_head WHEN NEW.sequence <> OLD.sequence + 1 BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
)
"""What SQLite refuses. They stop mistakes, not somebody who can drop them: that is what the chain is for."""
POSTGRESQL = (
    "CREATE FUNCTION audit_refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$",
    "CREATE FUNCTION audit_only_at_the_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.sequence <= (SELECT coalesce(max(sequence), 0) FROM audit) THEN RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
    "CREATE FUNCTION audit_head_one_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (SELECT count(*) FROM audit_head) > 0 THEN RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refused()",
    "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refused()",
    "CREATE TRIGGER audit_only_at_the_end BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_at_the_end()",
    "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_refused()",
    "CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION audit_refused()",
    "CREATE TRIGGER audit_head_one_row BEFORE INSERT ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_head_one_row()",
    "CREATE TRIGGER audit_head_only_forward BEFORE UPDATE ON audit_head FOR EACH ROW WHEN (NEW.sequence <> OLD.sequence + 1) EXECUTE FUNCTION audit_refused()",
)
"""The same for PostgreSQL."""


def upgrade() -> None:
    """A verdict has its own time, a claim a lease; finished readings and the audit are kept."""
    op.add_column("study", sa.Column("verdict_at", sa.BigInteger(), nullable=True))
    op.add_column("study", sa.Column("lease_until", sa.BigInteger(), nullable=True))
    op.execute("UPDATE study SET verdict_at = reading_since WHERE reading_state = 'read' AND verdict IS NOT NULL")
    op.create_table(
        "reading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("network_level", sa.Text(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["study.study_instance_uid"], name=op.f("fk_reading_study_instance_uid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
    )
    op.create_index(op.f("ix_reading_study_instance_uid"), "reading", ["study_instance_uid"])
    op.execute(
        "INSERT INTO reading (study_instance_uid, reader, read_at, verdict, network_level, probability, model) "
        "SELECT study_instance_uid, coalesce(reader, ''), reading_since, verdict, network_level, probability, model "
        "FROM study WHERE reading_state = 'read' AND reading_since IS NOT NULL ORDER BY reading_since, study_instance_uid"
    )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_subject", "audit", ["subject", "sequence"])
    op.create_index("ix_audit_action", "audit", ["action", "sequence"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "digest": GENESIS}])
    for statement in TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
