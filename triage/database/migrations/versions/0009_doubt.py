"""studies whose films may not be one patient's, or not all of them

Revision ID: 0009_doubt
Revises: 0008_taken_back
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_doubt"
down_revision = "0008_taken_back"

DOUBT = (
    "ALTER TABLE study ADD COLUMN doubt TEXT CONSTRAINT ck_study_doubt_keeps_from_resting CHECK"
    " (doubt IS NULL OR doubt = 'names_differ' OR network_level NOT IN ('not_flagged','out_of_scope'))"
)
DAY = 86_400_000_000
"""Microseconds: the default head start of what could not be assessed, where the list has none."""
OTHER_PATIENT = "the study belongs to another patient"

STUDY = sa.table(
    "study",
    *(
        sa.column(name)
        for name in (
            "study_instance_uid",
            "arrived_at",
            "network_level",
            "stat",
            "level",
            "reason",
            "probability",
            "images_covered",
            "head_start",
            "key",
            "doubt",
        )
    ),
)
ASIDE = sa.table("quarantined", sa.column("study_instance_uid"), sa.column("cause"))


def upgrade() -> None:
    """What was set aside so far marks its study; one already read stays read."""
    op.execute(DOUBT)
    op.create_index("ix_quarantined_study_instance_uid", "quarantined", ["study_instance_uid"])
    study = STUDY.c
    named = sa.select(ASIDE.c.study_instance_uid).where(ASIDE.c.study_instance_uid.is_not(None))
    touched = study.study_instance_uid.in_(named)
    waits = STUDY.alias()
    like_others = (
        sa.select(sa.func.max(waits.c.head_start))
        .where(waits.c.stat == 0, waits.c.network_level.in_(("not_assessed", "pending")))
        .scalar_subquery()
    )
    head_start = sa.case((study.stat == 1, study.head_start), else_=sa.func.coalesce(like_others, DAY))
    op.execute(
        sa.update(STUDY)
        .where(study.network_level.in_(("not_flagged", "out_of_scope", "not_assessed")), touched)
        .values(
            network_level="not_assessed",
            reason="film_set_aside",
            probability=sa.null(),
            images_covered=0,
            level=sa.case((study.stat == 1, "stat"), else_="not_assessed"),
            head_start=head_start,
            key=study.arrived_at - head_start,
        )
    )
    others = study.study_instance_uid.in_(named.where(ASIDE.c.cause == OTHER_PATIENT))
    op.execute(sa.update(STUDY).where(touched).values(doubt="film_set_aside"))
    op.execute(sa.update(STUDY).where(others).values(doubt="identity_conflict"))
    conflicts = (study.doubt == "identity_conflict") & (study.network_level == "not_assessed")
    op.execute(sa.update(STUDY).where(conflicts).values(reason="identity_conflict"))
