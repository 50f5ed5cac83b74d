"""The tables of election and schedule. Alembic's migrations make the same schema; a test compares the two."""

from sqlalchemy import Column, Integer, Table

from triage.database.tables import Moment, metadata
from triage.database.words import Words

lease = Table(
    "lease",
    metadata,
    Column("name", Words, primary_key=True),
    Column("holder", Words, nullable=False),
    Column("token", Integer, nullable=False),
    Column("until", Moment, nullable=False),
    comment="what only one may do at a time (triage/domain/schedule.py)",
)
job_run = Table(
    "job_run",
    metadata,
    Column("name", Words, primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("succeeded_at", Moment),
    Column("error", Words),
    comment="the last run of each recurring job",
)
