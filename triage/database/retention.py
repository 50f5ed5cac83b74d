"""What retention asks, in SQL. See :class:`triage.services.retention_store.RetentionStore`."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from triage.database import tables
from triage.database.delivery_tables import delivery, result
from triage.database.rows import study_of
from triage.domain.study import Study

_PARTS = (delivery, result, tables.reading, tables.outcome, tables.job, tables.instance, tables.series, tables.study)
"""Every table that has rows of a study, those that point to others first."""


class SqlRetention:
    """The store over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read_before(self, moment: datetime, after: str, limit: int) -> list[Study]:
        return [study_of(row) for row in self._connection.execute(read_before_query(moment, after, limit))]

    def owed_objects(self) -> frozenset[str]:
        query = select(tables.commitment.c.objects).where(tables.OWED_REPORT)
        documents = self._connection.execute(query).scalars()
        return frozenset(sop_instance_uid for text in documents if text for _, sop_instance_uid in json.loads(text))

    def has_last_result(self, study_instance_uid: str) -> bool:
        last = select(func.max(result.c.id)).scalar_subquery()
        query = select(result.c.id).where(result.c.id == last, result.c.study_instance_uid == study_instance_uid)
        return self._connection.execute(query).first() is not None

    def drop(self, study_instance_uid: str) -> None:
        for table in _PARTS:
            self._connection.execute(delete(table).where(table.c.study_instance_uid == study_instance_uid))
        revision = tables.worklist_revision
        self._connection.execute(revision.update().values(revision=revision.c.revision + 1))


def read_before_query(moment: datetime, after: str, limit: int) -> Select[Any]:
    """Its query; the index ``ix_study_read`` holds what was read, in this order."""
    study = tables.study.c
    query = select(tables.study).where(tables.READ, study.study_instance_uid > after, study.reading_since < moment)
    return query.order_by(study.study_instance_uid).limit(limit)
