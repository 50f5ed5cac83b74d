"""The list as readers ask for it: filtered, searched, sorted for the moment, in pages. Plans are checked in tests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, exists, func, or_, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from triage.database.tables import UNREAD, outcome
from triage.database.tables import study as studies
from triage.domain.selection import LEVEL_RANK, RowFacts, Selection, Sort, Status
from triage.domain.study import ReadingState, Study
from triage.domain.worklist import order

_COLUMN = studies.c
_ORDER = (_COLUMN.key, _COLUMN.arrived_at, _COLUMN.study_instance_uid)
_SORT: dict[Sort, ColumnElement[Any]] = {
    Sort.PRIORITY: case({level.value: rank for level, rank in LEVEL_RANK.items()}, value=_COLUMN.level),
    Sort.ARRIVED: _COLUMN.arrived_at,
    Sort.PATIENT: _COLUMN.patient_name,
    Sort.MRN: _COLUMN.patient_id,
    Sort.EXAM: _COLUMN.study_description,
    Sort.STATUS: _COLUMN.reading_state,
}
ESCAPE = "\\"
MOST_COUNTED = 200
"""Studies whose places are counted one by one."""


def listing_query(selection: Selection, reader: str | None, now: datetime, limit: int, offset: int) -> Select[Any]:
    """A page of the list: see :func:`triage.domain.selection.shows` and ``arranged``, whose words this is in SQL.

    An offset is walked in the index alone: 10 ms at the end of 200,000 studies.
    """
    return select(studies).where(*_conditions(selection, reader, now)).order_by(*_order(selection)).limit(limit).offset(offset)


def count_query(selection: Selection, reader: str | None, now: datetime) -> Select[Any]:
    """How many studies a selection shows."""
    return select(func.count()).select_from(studies).where(*_conditions(selection, reader, now))


def places(connection: Connection, found: Sequence[Study]) -> dict[str, int]:
    """The place of each unread study in the whole list.

    For a page it is counted from one study to the next, so the index is walked once; for many the whole list is.
    """
    unread = {one.study_instance_uid: one for one in found if one.reading.state is not ReadingState.READ}
    if len(unread) > MOST_COUNTED:
        everywhere = connection.execute(select(_COLUMN.study_instance_uid).where(UNREAD).order_by(*_ORDER)).scalars()
        return {uid: place for place, uid in enumerate(everywhere, 1) if uid in unread}
    ahead, since, known = 0, None, {}
    for study in sorted(unread.values(), key=order):
        ahead += connection.execute(_between_query(since, study)).scalar_one()
        since, known[study.study_instance_uid] = study, ahead + 1
    return known


def row_facts(connection: Connection, found: Sequence[Study]) -> dict[str, RowFacts]:
    """What rows show beside the studies' own values, by Study Instance UID."""
    uids = [study.study_instance_uid for study in found]
    rows = connection.execute(row_facts_query(uids))
    return {row.study_instance_uid: RowFacts(priors=row.priors, assessed_before=bool(row.assessed_before)) for row in rows}


def row_facts_query(uids: Sequence[str]) -> Select[Any]:
    """Priors by the index ``ix_study_patient``, outcomes by their unique key."""
    prior = studies.alias("prior")
    priors = (
        select(func.count())
        .select_from(prior)
        .where(
            prior.c.patient_id == _COLUMN.patient_id,
            prior.c.issuer_of_patient_id.is_not_distinct_from(_COLUMN.issuer_of_patient_id),
            prior.c.arrived_at < _COLUMN.arrived_at,
        )
        .scalar_subquery()
    )
    assessed = exists().where(outcome.c.study_instance_uid == _COLUMN.study_instance_uid)
    return select(_COLUMN.study_instance_uid, priors.label("priors"), assessed.label("assessed_before")).where(
        _COLUMN.study_instance_uid.in_(uids)
    )


def _between_query(since: Study | None, until: Study) -> Select[Any]:
    """How many unread studies stand from ``since`` (with it) to before ``until``."""
    query = select(func.count()).select_from(studies).where(UNREAD, tuple_(*_ORDER) < tuple_(*_values(until)))
    return query if since is None else query.where(tuple_(*_ORDER) >= tuple_(*_values(since)))


def _values(study: Study) -> tuple[ColumnElement[Any], ...]:
    return tuple(bindparam(None, value, column.type) for value, column in zip(order(study), _ORDER, strict=True))


def _conditions(selection: Selection, reader: str | None, now: datetime) -> list[Any]:
    found = list(_status(selection.status, reader, now))
    if selection.levels:
        found.append(_COLUMN.level.in_(sorted(level.value for level in selection.levels)))
    if selection.within is not None:
        found.append(_COLUMN.arrived_at >= now - selection.within)
    found += [_COLUMN.search_text.like(f"%{_escaped(word)}%", escape=ESCAPE) for word in selection.words]
    return found


def _status(status: Status, reader: str | None, now: datetime) -> Sequence[Any]:
    """A claim whose lease is over is free, as :func:`triage.domain.reading.as_of` has it."""
    claimed = _COLUMN.reading_state == ReadingState.CLAIMED.value
    lapsed = and_(_COLUMN.lease_until.is_not(None), _COLUMN.lease_until <= now)
    held = or_(_COLUMN.lease_until.is_(None), _COLUMN.lease_until > now)
    conditions: dict[Status, Sequence[Any]] = {
        Status.WAITING: (UNREAD,),
        Status.FREE: (UNREAD, or_(_COLUMN.reading_state == ReadingState.UNREAD.value, and_(claimed, lapsed))),
        Status.CLAIMED: (UNREAD, claimed, held),
        Status.MINE: (UNREAD, claimed, held, _COLUMN.reader == reader),
        Status.READ: (_COLUMN.reading_state == ReadingState.READ.value,),
        Status.ALL: (),
    }
    return conditions[status]


def _order(selection: Selection) -> list[Any]:
    if selection.sort is Sort.PLACE:
        return [column.desc() for column in _ORDER] if selection.descending else list(_ORDER)
    column = _SORT[selection.sort]
    return [column.desc().nulls_last() if selection.descending else column.asc().nulls_first(), *_ORDER]


def _escaped(word: str) -> str:
    for special in (ESCAPE, "%", "_"):
        word = word.replace(special, ESCAPE + special)
    return word
