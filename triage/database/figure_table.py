"""What was counted for monitoring: the table. Alembic's migrations make the same schema; a test compares the two."""

from sqlalchemy import Column, Float, Table, Text

from triage.database.tables import metadata

figure = Table(
    "figure",
    metadata,
    Column("name", Text, primary_key=True),
    Column("labels", Text, primary_key=True, comment="a JSON object, sorted"),
    Column("value", Float(53), nullable=False),
    comment="what every process counted, one row for each sample (triage/domain/figures.py)",
)
