"""Orders in SQL. See :class:`triage.services.order_store.OrderStore`."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from triage.database import tables
from triage.database.inserting import inserted
from triage.database.order_table import said
from triage.domain.order import PatientNumber, Statement

_ROW = said.c
AT_ONCE = 500
"""Values of one ``IN``."""


class SqlOrders:
    """The store over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, statement: Statement, sender: str, control_id: str, received_at: datetime) -> bool:
        row = {name: getattr(statement, name) for name in Statement.__dataclass_fields__} | {
            "order_key": statement.key,
            "content": statement.content,
            "patients": json.dumps([[one.number, one.issuer] for one in statement.patients]),
            "sender": sender,
            "control_id": control_id,
            "received_at": received_at,
        }
        return inserted(self._connection, insert(said).values(row).on_conflict_do_nothing()) == 1

    def about(self, study_instance_uid: str, accession_number: str | None) -> dict[str, list[Statement]]:
        rows = self._connection.execute(_ABOUT, {"uid": study_instance_uid, "accession": accession_number})
        found: dict[str, list[Statement]] = {}
        for row in rows:
            found.setdefault(row.order_key, []).append(_statement(row))
        return dict(sorted(found.items()))

    def of(self, key: str) -> list[Statement]:
        query = select(said).where(_ROW.order_key == key).order_by(_ROW.number)
        return [_statement(row) for row in self._connection.execute(query)]

    def studies(self, accession_numbers: Collection[str], patient_ids: Collection[str] | None = None) -> list[str]:
        wanted, found = sorted(accession_numbers), list[str]()
        for first in range(0, len(wanted), AT_ONCE):
            query = studies_query(wanted[first : first + AT_ONCE])
            query = query if patient_ids is None else query.where(tables.study.c.patient_id.in_(sorted(patient_ids)))
            found += self._connection.execute(query).scalars().all()
        return sorted(found)

    def forget(self, before: datetime) -> int:
        heard = select(_ROW.order_key).where(_ROW.received_at >= before)
        return self._connection.execute(delete(said).where(_ROW.order_key.not_in(heard))).rowcount


def studies_query(accession_numbers: Collection[str]) -> Select[Any]:
    """Studies by accession number; the index ``ix_study_accession_number`` finds them."""
    return select(tables.study.c.study_instance_uid).where(tables.study.c.accession_number.in_(accession_numbers))


def about_query() -> Select[Any]:
    """All of the orders that name ``:uid`` or ``:accession``; an absent accession number is nobody's."""
    named = or_(_ROW.study_instance_uid == bindparam("uid"), _ROW.accession_number == bindparam("accession"))
    keys = select(_ROW.order_key).where(named)
    return select(said).where(_ROW.order_key.in_(keys)).order_by(_ROW.number)


_ABOUT = about_query()


def _statement(row: Row[Any]) -> Statement:
    return Statement(
        placer_order_number=row.placer_order_number,
        filler_order_number=row.filler_order_number,
        accession_number=row.accession_number,
        study_instance_uid=row.study_instance_uid,
        patients=tuple(PatientNumber(number, issuer) for number, issuer in json.loads(row.patients)),
        placed=bool(row.placed),
        stat=None if row.stat is None else bool(row.stat),
        over=bool(row.over),
        said_at=row.said_at,
    )
