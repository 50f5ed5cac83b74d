"""Studies and films as queries find them, in SQL. See :class:`triage.services.query_store.QueryStore`."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, or_, select, union_all, update

from triage.database import tables, upkeep
from triage.database.rows import study_of
from triage.domain.instance import Instance
from triage.domain.matching import date_span
from triage.domain.query import Attributes, Coarse, Film, Found
from triage.domain.study import ReadingState

_STUDY, _FILM = tables.study.c, tables.instance.c
MANY = 500
"""Values of one ``IN``."""


class SqlQueries:
    """The store over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put_attributes(self, sop_instance_uid: str, attributes: Attributes) -> None:
        self._connection.execute(_PUT, {"uid": sop_instance_uid, **columns_of(attributes)})

    def candidates(self, coarse: Coarse) -> list[str]:
        unread, read = candidates_queries(coarse)
        return [*self._connection.execute(unread).scalars(), *self._connection.execute(read).scalars()]

    def found(self, study_instance_uids: Sequence[str]) -> list[Found]:
        studies, films = {}, dict[str, list[Film]]()
        for some in _parts(study_instance_uids):
            for row in self._connection.execute(select(tables.study).where(_STUDY.study_instance_uid.in_(some))):
                studies[row.study_instance_uid] = study_of(row)
            for row in self._connection.execute(_films_query(some)):
                films.setdefault(row.study_instance_uid, []).append(_film(row))
        return [Found(studies[uid], tuple(films.get(uid, ()))) for uid in study_instance_uids if uid in studies]

    def unread_headers(self, after: str, limit: int) -> list[Instance]:
        return [Instance(**row._mapping) for row in self._connection.execute(unread_headers_query(after, limit))]


def candidates_queries(coarse: Coarse) -> tuple[Select[Any], Select[Any]]:
    """Unread studies by ``ix_study_reading_order``, then read ones."""
    uid = _STUDY.study_instance_uid
    unread = select(uid).where(tables.UNREAD).order_by(_STUDY.key, _STUDY.arrived_at, uid)
    read = select(uid).where(_STUDY.reading_state == ReadingState.READ.value).order_by(_STUDY.arrived_at.desc(), uid.desc())
    for condition in _conditions(coarse):
        unread, read = unread.where(condition), read.where(condition)
    return unread, read


def unread_headers_query(after: str, limit: int) -> Select[Any]:
    """By ``ix_instance_unread_header``, which is empty once all headers were read."""
    uid = _FILM.sop_instance_uid
    return select(*upkeep.COLUMNS).where(tables.UNREAD_HEADER, uid > after).order_by(uid).limit(limit)


def _conditions(coarse: Coarse) -> Iterator[ColumnElement[bool]]:
    if coarse.studies:
        yield _in(_STUDY.study_instance_uid, coarse.studies)
    told = (
        (coarse.series, _FILM.series_instance_uid),
        (coarse.instances, _FILM.sop_instance_uid),
    )
    for wanted, column in told:
        if wanted:
            yield _STUDY.study_instance_uid.in_(select(_FILM.study_instance_uid).where(_in(column, wanted)))
    attributes = [
        _in(column, wanted)
        for wanted, column in ((coarse.patient_ids, _FILM.patient_id), (coarse.accession_numbers, _FILM.accession_number))
        if wanted
    ]
    if coarse.days is not None:
        attributes.append(and_(_FILM.study_date >= coarse.days[0], _FILM.study_date <= min(coarse.days[1], _LAST_DAY)))
    for condition in attributes:
        may_match = (select(_FILM.study_instance_uid).where(one) for one in (condition, tables.UNREAD_HEADER))
        yield _STUDY.study_instance_uid.in_(union_all(*may_match))


_LAST_DAY = 3_652_059
"""31 December 9999."""


def _in(column: ColumnElement[Any], wanted: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(column.in_(some) for some in _parts(wanted)))


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(values), MANY):
        yield values[first : first + MANY]


def _films_query(study_instance_uids: Sequence[str]) -> Select[Any]:
    return (
        select(*upkeep.COLUMNS, _FILM.attributes)
        .where(_FILM.study_instance_uid.in_(study_instance_uids))
        .order_by(_FILM.study_instance_uid, _FILM.received_at, _FILM.sop_instance_uid)
    )


def _film(row: Row[Any]) -> Film:
    told = row._mapping
    instance = Instance(**{name: told[name] for name in upkeep.FIELDS})
    if row.attributes is None:
        return Film(instance, None)
    return Film(instance, {keyword: tuple(values) for keyword, values in json.loads(row.attributes).items()})


def columns_of(attributes: Attributes | None) -> dict[str, Any]:
    """The columns of a film that hold them; ``None``: its header is to be read yet."""
    if attributes is None:
        return dict.fromkeys(("attributes", "study_date", "patient_id", "accession_number"))
    return {
        "attributes": json.dumps(attributes, ensure_ascii=False, separators=(",", ":")),
        "study_date": day_of(attributes),
        "patient_id": _one(attributes, "PatientID"),
        "accession_number": _one(attributes, "AccessionNumber"),
    }


def day_of(attributes: Attributes) -> int | None:
    """The number of the day of the study; ``None``: none is told, or what is told is no date."""
    try:
        return date_span(attributes["StudyDate"][0])[0]
    except (KeyError, IndexError, ValueError):
        return None


def _one(attributes: Attributes, keyword: str) -> str | None:
    return next(iter(attributes.get(keyword, ())), None)


_PUT = update(tables.instance).where(_FILM.sop_instance_uid == bindparam("uid"))
