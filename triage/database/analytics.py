"""Analytics in SQL, and its in-memory twin. See :class:`triage.services.analytics_store.AnalyticsStore`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, exists, func, literal_column, select, type_coerce

from triage.database import tables
from triage.database.whole import whole
from triage.domain.analytics import ASSESSED, SCORE_BINS, ArrivalHour, AssessedDay, JudgedReading, ScoreBin, StillWaiting
from triage.domain.drift import Judged
from triage.domain.instance import Instance
from triage.domain.level import Level
from triage.domain.period import Piece
from triage.domain.reading import FinishedReading
from triage.domain.silence import ReceivedHour, hour_of
from triage.domain.study import ReadingState, Study
from triage.domain.verdict import Verdict
from triage.domain.waiting import Waited
from triage.domain.worklist import order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ONE_HOUR = timedelta(hours=1)
_HOUR, _DAY = (timedelta(hours=hours) // _MICROSECOND for hours in (1, 24))
_LEVELS = {level.value: level for level in Level}
_VERDICTS: dict[str | None, Verdict | None] = {None: None} | {verdict.value: verdict for verdict in Verdict}

_study, _reading = tables.study.c, tables.reading.c
_other = tables.reading.alias("other").c
_STANDS = _reading.taken_back_at.is_(None)
_SAME = (_other.study_instance_uid == _reading.study_instance_uid, _other.taken_back_at.is_(None))
_FIRST = ~exists().where(*_SAME, _other.id < _reading.id)
_AGAIN = exists().where(*_SAME, _other.id > _reading.id)
_ARRIVED = type_coerce(_study.arrived_at, BigInteger)


class SqlAnalytics:
    """The store over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def readings(self, since: datetime, until: datetime) -> list[JudgedReading]:
        rows = self._connection.execute(readings_query(since, until)).all()
        return [
            JudgedReading(
                uid, at, bool(stat), reader, read, _VERDICTS.get(word), _LEVELS[level], score, model, bool(first), bool(again)
            )
            for uid, at, stat, reader, read, word, level, score, model, first, again in rows
        ]

    def line(self, since: datetime, until: datetime) -> list[Waited]:
        return [Waited(*row) for row in self._connection.execute(line_query(since, until)).all()]

    def never_read(self) -> list[Waited]:
        return [Waited(uid, at, None) for uid, at in self._connection.execute(never_read_query())]

    def still_waiting(self) -> list[StillWaiting]:
        query = select(_study.level, func.count(), func.min(_study.arrived_at)).where(tables.UNREAD).group_by(_study.level)
        found = {row[0]: row for row in self._connection.execute(query)}
        return [StillWaiting(level, *found[level.value][1:]) for level in Level if level.value in found]

    def arrivals_by_hour(self, piece: Piece) -> list[ArrivalHour]:
        rows = self._connection.execute(arrivals_by_hour_query(piece))
        return sorted(ArrivalHour(hour, _LEVELS[level], n) for hour, level, n in rows)

    def assessed_by_day(self, piece: Piece) -> list[AssessedDay]:
        rows = self._connection.execute(assessed_by_day_query(piece))
        return sorted(AssessedDay(_date(day), model or "", flagged, n - flagged) for day, model, flagged, n in rows)

    def received_by_hour(self, since: datetime) -> list[ReceivedHour]:
        rows = self._connection.execute(received_by_hour_query(since))
        return [ReceivedHour(calling_ae_title=title, hour=_EPOCH + hour * _ONE_HOUR, films=n) for title, hour, n in rows]

    def judged(self, model: str | None, *, newest: bool, limit: int) -> list[Judged]:
        rows = self._connection.execute(judged_query(model, newest=newest, limit=limit)).all()
        found = [Judged(at, _LEVELS[level], score, by, sender or "") for at, level, score, by, sender in rows]
        return found[::-1] if newest else found

    def scores(self, since: datetime, until: datetime) -> list[ScoreBin]:
        rows = self._connection.execute(scores_query(since, until))
        return sorted(ScoreBin(place, _LEVELS[level], n) for place, level, n in rows)


def received_by_hour_query(since: datetime) -> Select[Any]:
    """Counts from the index ``ix_instance_sender`` alone."""
    title, received = tables.instance.c.calling_ae_title, tables.instance.c.received_at
    hour = (type_coerce(received, BigInteger) // literal_column(str(_HOUR))).label("hour")
    return select(title, hour, func.count()).where(received >= since).group_by(title, hour)


def readings_query(since: datetime, until: datetime) -> Select[Any]:
    """Readings that stand beside their studies, by the index ``ix_reading_read_at``."""
    return (
        select(
            _reading.study_instance_uid,
            _study.arrived_at,
            _study.stat,
            _reading.reader,
            _reading.read_at,
            _reading.verdict,
            _reading.network_level,
            _reading.probability,
            _reading.model,
            _FIRST,
            _AGAIN,
        )
        .join_from(tables.reading, tables.study)
        .where(_reading.read_at >= since, _reading.read_at < until, _STANDS)
        .order_by(_reading.id)
    )


def line_query(since: datetime, until: datetime) -> Select[Any]:
    """First readings without a STAT, by the index ``ix_reading_read_at``."""
    return (
        select(_study.study_instance_uid, _study.arrived_at, _reading.read_at)
        .join_from(tables.reading, tables.study)
        .where(_reading.read_at >= since, _reading.read_at < until, _study.stat == 0, _STANDS, _FIRST)
    )


def never_read_query() -> Select[Any]:
    """Unread studies without a STAT or any reading that stands, by the index ``ix_study_reading_order``."""
    read = exists().where(_reading.study_instance_uid == _study.study_instance_uid, _STANDS)
    query = select(_study.study_instance_uid, _study.arrived_at).where(tables.UNREAD, _study.stat == 0, ~read)
    return query.order_by(_study.key, _study.arrived_at, _study.study_instance_uid)


def arrivals_by_hour_query(piece: Piece) -> Select[Any]:
    """Counts from the index ``ix_study_arrived`` alone."""
    hour = ((_ARRIVED + piece.offset // _MICROSECOND) // _HOUR % 24).label("hour")
    query = select(hour, _study.network_level, func.count()).where(*_arrived(piece.since, piece.until))
    return query.group_by(hour, _study.network_level)


def assessed_by_day_query(piece: Piece) -> Select[Any]:
    """Counts from the index ``ix_study_arrived`` alone. Assessed is what has a probability: the table has it so, and asked
    by level SQLite would look through all days by ``ix_study_network_level``.
    """
    day = ((_ARRIVED + piece.offset // _MICROSECOND) // _DAY).label("day")
    flagged = func.sum(case((_study.network_level == Level.FLAGGED.value, 1), else_=0))
    return (
        select(day, _study.model, flagged, func.count())
        .where(*_arrived(piece.since, piece.until), _study.probability.is_not(None))
        .group_by(day, _study.model)
    )


def scores_query(since: datetime, until: datetime) -> Select[Any]:
    """Counts from the index ``ix_study_arrived`` alone."""
    last: ColumnElement[int] = literal_column(str(SCORE_BINS - 1))  # a bound value would be another one where it is grouped by
    scaled = _study.probability * literal_column(str(SCORE_BINS))
    place = case((scaled >= last, last), else_=whole(scaled)).label("bin")
    query = select(place, _study.network_level, func.count()).where(*_arrived(since, until), _study.probability.is_not(None))
    return query.group_by(place, _study.network_level)


def judged_query(model: str | None, *, newest: bool, limit: int) -> Select[Any]:
    """From one end of the index ``ix_study_arrived``; the sender of each study's first film by that of its instances."""
    film = tables.instance.c
    sender = (
        select(film.calling_ae_title)
        .where(film.study_instance_uid == _study.study_instance_uid)
        .order_by(film.received_at, film.sop_instance_uid)
        .limit(1)
        .scalar_subquery()
    )
    ends = (_study.arrived_at, _study.study_instance_uid)
    of_it = _study.model.is_not(None) if model is None else _study.model == model
    return (
        select(_study.arrived_at, _study.network_level, _study.probability, _study.model, sender)
        .where(_study.network_level != Level.PENDING.value, of_it)
        .order_by(*(end.desc() if newest else end.asc() for end in ends))
        .limit(limit)
    )


def _arrived(since: datetime, until: datetime) -> tuple[Any, Any]:
    return _study.arrived_at >= since, _study.arrived_at < until


def _date(day: int) -> date:
    return _EPOCH.date() + timedelta(days=day)


class MemoryAnalytics:
    """The store over what the in-memory database holds."""

    def __init__(
        self, studies: Mapping[str, Study], readings: Sequence[FinishedReading], instances: Mapping[str, Instance]
    ) -> None:
        self._studies = studies
        self._instances = instances
        self._readings = [one for one in readings if one.taken_back_at is None]

    def readings(self, since: datetime, until: datetime) -> list[JudgedReading]:
        return [one for one in self._judged() if since <= one.read_at < until]

    def received_by_hour(self, since: datetime) -> list[ReceivedHour]:
        received = (one for one in self._instances.values() if one.received_at >= since)
        counted = Counter((one.calling_ae_title, hour_of(one.received_at)) for one in received)
        return [ReceivedHour(calling_ae_title=title, hour=hour, films=films) for (title, hour), films in counted.items()]

    def judged(self, model: str | None, *, newest: bool, limit: int) -> list[Judged]:
        found = sorted(
            (one for one in self._studies.values() if one.network_level is not Level.PENDING and one.model is not None),
            key=lambda one: (one.arrived_at, one.study_instance_uid),
        )
        chosen = [one for one in found if model in (None, one.model)]
        return [
            Judged(one.arrived_at, one.network_level, one.probability, one.model or "", self._sender(one.study_instance_uid))
            for one in (chosen[-limit:] if newest else chosen[:limit])
        ]

    def _sender(self, uid: str) -> str:
        films = [one for one in self._instances.values() if one.study_instance_uid == uid]
        return min(films, key=lambda one: (one.received_at, one.sop_instance_uid)).calling_ae_title if films else ""

    def line(self, since: datetime, until: datetime) -> list[Waited]:
        return [
            Waited(one.study_instance_uid, one.arrived_at, one.read_at)
            for one in self.readings(since, until)
            if one.first and not one.stat
        ]

    def never_read(self) -> list[Waited]:
        read = {one.study_instance_uid for one in self._readings}
        line = (one for one in self._unread() if one.study_instance_uid not in read and not one.stat)
        return [Waited(one.study_instance_uid, one.arrived_at, None) for one in sorted(line, key=order)]

    def still_waiting(self) -> list[StillWaiting]:
        groups = {level: [one.arrived_at for one in self._unread() if one.level is level] for level in Level}
        return [StillWaiting(level, len(times), min(times)) for level, times in groups.items() if times]

    def arrivals_by_hour(self, piece: Piece) -> list[ArrivalHour]:
        arrived = self._arrived(piece.since, piece.until)
        counts = Counter(((one.arrived_at + piece.offset).hour, one.network_level) for one in arrived)
        return sorted(ArrivalHour(*key, n) for key, n in counts.items())

    def assessed_by_day(self, piece: Piece) -> list[AssessedDay]:
        assessed = [one for one in self._arrived(piece.since, piece.until) if one.network_level in ASSESSED]
        keys = [((one.arrived_at + piece.offset).date(), one.model or "") for one in assessed]
        every = Counter(keys)
        flagged = Counter(key for key, one in zip(keys, assessed, strict=True) if one.network_level is Level.FLAGGED)
        return sorted(AssessedDay(*key, flagged[key], n - flagged[key]) for key, n in every.items())

    def scores(self, since: datetime, until: datetime) -> list[ScoreBin]:
        scored = ((one.probability, one.network_level) for one in self._arrived(since, until))
        bins = Counter((min(SCORE_BINS - 1, int(score * SCORE_BINS)), level) for score, level in scored if score is not None)
        return sorted(ScoreBin(*key, n) for key, n in bins.items())

    def _unread(self) -> list[Study]:
        return [one for one in self._studies.values() if one.reading.state is not ReadingState.READ]

    def _arrived(self, since: datetime, until: datetime) -> list[Study]:
        return [one for one in self._studies.values() if since <= one.arrived_at < until]

    def _judged(self) -> Iterable[JudgedReading]:
        last = {one.study_instance_uid: place for place, one in enumerate(self._readings)}
        seen: set[str] = set()
        for place, one in enumerate(self._readings):
            uid = one.study_instance_uid
            study = self._studies[uid]
            yield JudgedReading(
                study_instance_uid=uid,
                arrived_at=study.arrived_at,
                stat=study.stat,
                reader=one.reader,
                read_at=one.read_at,
                verdict=one.verdict,
                network_level=one.network_level,
                probability=one.probability,
                model=one.model,
                first=uid not in seen,
                again=last[uid] != place,
            )
            seen.add(uid)
