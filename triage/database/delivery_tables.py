"""The tables of the way out: results, destinations, deliveries."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, UniqueConstraint, text

from triage.database.tables import Moment, metadata
from triage.database.words import Words

result = Table(
    "result",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", Words, ForeignKey("study.study_instance_uid"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Column("document", Words, nullable=False, comment="the result as JSON (result_documents.py)"),
    Column("commitment_uid", Words, nullable=False, unique=True, comment="under which a peer is asked whether it keeps it"),
    UniqueConstraint("study_instance_uid", "number"),
    comment="the network's word on a study, each time it changed (triage/domain/result.py)",
)

destination = Table(
    "destination",
    metadata,
    Column("name", Words, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("result_id", Integer, nullable=False, comment="the last result for which there is a delivery, or need not be"),
    Column("failures", Integer, nullable=False),
    Column("away_since", Moment),
    Column("not_before", Moment, comment="it is left in peace until then"),
    Column("delivered", Integer, nullable=False),
    Column("superseded", Integer, nullable=False),
    Column("last_delivered_at", Moment),
    Column("error", Words, comment="how the last try failed"),
    CheckConstraint("(failures > 0) = (away_since IS NOT NULL)", name="away_where_it_failed"),
    comment="systems that hear of results, as far as there ever was one of the name",
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("result_id", Integer, ForeignKey("result.id"), nullable=False),
    Column("destination", Words, ForeignKey("destination.name"), nullable=False),
    Column("study_instance_uid", Words, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Words, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("not_before", Moment, nullable=False, comment="when the next try is due, or the claim runs out"),
    Column("attempts", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("tried_at", Moment),
    Column("ended_at", Moment),
    Column("status", Words, comment="the peer's own word"),
    Column("committed", Integer, comment="whether it said that it will keep it; empty: it was not asked"),
    Column("error", Words, comment="how the last try failed"),
    UniqueConstraint("result_id", "destination"),
    CheckConstraint("state IN ('waiting','sending','delivered','refused','superseded')", name="state"),
    CheckConstraint("(state IN ('waiting','sending')) = (ended_at IS NULL)", name="ended_where_over"),
    CheckConstraint("state <> 'delivered' OR status IS NOT NULL", name="delivered_by_a_word"),
    Index("ix_delivery_study", "study_instance_uid", "destination", "number"),
)
OPEN = text("state IN ('waiting','sending')")
Index("ix_delivery_open", delivery.c.destination, delivery.c.id, sqlite_where=OPEN, postgresql_where=OPEN)
REFUSED = text("state = 'refused'")
Index("ix_delivery_refused", delivery.c.destination, delivery.c.id, sqlite_where=REFUSED, postgresql_where=REFUSED)
