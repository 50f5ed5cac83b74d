"""studies whose films may not be one patient's, or not all of them

Revision ID: 0009_doubt
Revises: 0008_taken_back
"""

from alembic import op

revision = "0009_doubt"
down_revision = "0008_taken_back"

DOUBT = (
    "ALTER TABLE study ADD COLUMN doubt TEXT CONSTRAINT ck_study_doubt_keeps_from_resting CHECK"
    " (doubt IS NULL OR doubt = 'names_differ' OR network_level NOT IN ('not_flagged','out_of_scope'))"
)
HEAD_START = (
    "COALESCE((SELECT MAX(head_start) FROM study WHERE stat = 0 AND network_level IN ('not_assessed','pending')), 86400000000)"
)
"""That of what could not be assessed; where the list has none, the default of 24 h."""
SET_ASIDE = "SELECT study_instance_uid FROM quarantined WHERE study_instance_uid IS NOT NULL"
OTHER_PATIENT = f"{SET_ASIDE} AND cause = 'the study belongs to another patient'"
RAISED = (
    f"UPDATE study SET network_level = 'not_assessed', reason = 'film_set_aside', probability = NULL, images_covered = 0,"  # noqa: S608
    f" level = CASE WHEN stat = 1 THEN 'stat' ELSE 'not_assessed' END,"
    f" head_start = CASE WHEN stat = 1 THEN head_start ELSE {HEAD_START} END,"
    f" key = arrived_at - CASE WHEN stat = 1 THEN head_start ELSE {HEAD_START} END"
    f" WHERE network_level IN ('not_flagged','out_of_scope','not_assessed') AND study_instance_uid IN ({SET_ASIDE})"
)
MARKED = (
    f"UPDATE study SET doubt = 'film_set_aside' WHERE study_instance_uid IN ({SET_ASIDE})",  # noqa: S608
    f"UPDATE study SET doubt = 'identity_conflict' WHERE study_instance_uid IN ({OTHER_PATIENT})",  # noqa: S608
    "UPDATE study SET reason = 'identity_conflict' WHERE doubt = 'identity_conflict' AND network_level = 'not_assessed'",
)


def upgrade() -> None:
    """What was set aside so far marks its study; one already read stays read."""
    op.execute(DOUBT)
    op.create_index("ix_quarantined_study_instance_uid", "quarantined", ["study_instance_uid"])
    op.execute(RAISED)
    for statement in MARKED:
        op.execute(statement)
