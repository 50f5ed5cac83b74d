"""the list can be searched, and filtered by level without a sort; unfinished jobs are counted by an index

Revision ID: 0004_list
Revises: 0003_accounts
"""

import sqlalchemy as sa
from alembic import op

from triage.domain.instance import Facts
from triage.domain.selection import search_text

revision = "0004_list"
down_revision = "0003_accounts"
FACTS = ("patient_name", "patient_id", "accession_number", "study_description")


def upgrade() -> None:
    """The text that a search looks through, filled for every study; the reading order within a level."""
    op.add_column(
        "study",
        sa.Column("search_text", sa.Text(), nullable=False, server_default="", comment="what a search looks through, folded"),
    )
    study = sa.table("study", *(sa.column(name, sa.Text()) for name in ("study_instance_uid", "search_text", *FACTS)))
    connection = op.get_bind()
    known = connection.execute(sa.select(study.c.study_instance_uid, *(study.c[name] for name in FACTS))).mappings().all()
    filled = [
        {
            "uid": row["study_instance_uid"],
            "text": search_text(row["study_instance_uid"], Facts(**{name: row[name] for name in FACTS})),
        }
        for row in known
    ]
    if filled:
        change = (
            sa.update(study).where(study.c.study_instance_uid == sa.bindparam("uid")).values(search_text=sa.bindparam("text"))
        )
        connection.execute(change, filled)
    unread = sa.text("reading_state <> 'read'")
    columns = ["level", "key", "arrived_at", "study_instance_uid"]
    op.create_index("ix_study_level_order", "study", columns, sqlite_where=unread, postgresql_where=unread)
    unfinished = sa.text("state <> 'done'")
    op.create_index("ix_job_unfinished", "job", ["state", "enqueued_at"], sqlite_where=unfinished, postgresql_where=unfinished)


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_job_unfinished", "job")
    op.drop_index("ix_study_level_order", "study")
    op.drop_column("study", "search_text")
