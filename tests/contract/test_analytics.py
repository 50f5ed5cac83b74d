"""What analytics is told: SQL and its in-memory twin say the same, and the plans use the indexes."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened, sql_database
from tests.unit.domain import make
from tests.unit.domain.make import NOW
from triage.database import analytics as queries
from triage.database.memory import MemoryDatabase
from triage.domain.level import Level
from triage.domain.period import Piece
from triage.domain.reading import FinishedReading
from triage.domain.study import Reading, ReadingState, Study
from triage.domain.verdict import Verdict
from triage.services.ports import Database

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ASSESSED = [Level.FLAGGED, Level.NOT_FLAGGED]
near = st.integers(0, 5 * 24 * 60).map(lambda minutes: NOW + minutes * MINUTE)
offsets = st.integers(-12 * 4, 14 * 4).map(lambda quarters: quarters * 15 * MINUTE)


@st.composite
def hospitals(draw: st.DrawFn) -> tuple[list[Study], list[FinishedReading]]:
    """Some days: any studies, any readings of them."""
    studies = []
    for place in range(draw(st.integers(0, 6))):
        study, at = draw(make.studies()), draw(near)
        study = replace(study, study_instance_uid=f"1.{place}", arrived_at=at, key=at - study.head_start)
        studies.append(replace(study, reading=replace(study.reading, state=draw(st.sampled_from(ReadingState)))))
    finished = st.builds(
        FinishedReading,
        study_instance_uid=st.sampled_from([study.study_instance_uid for study in studies] or [""]),
        reader=make.texts,
        read_at=near,
        verdict=st.none() | st.sampled_from(Verdict),
        note=st.none(),
        network_level=st.sampled_from(Level),
        probability=st.none() | make.probabilities,
        model=st.none() | make.texts,
        taken_back_at=st.none() | near,
    )
    return studies, draw(st.lists(finished, max_size=8)) if studies else []


def fill(database: Database, studies: list[Study], readings: list[FinishedReading]) -> None:
    with database.write() as tx:
        for study in studies:
            tx.put_study(study)
        for reading in readings:
            tx.add_reading(reading)


def answers(database: Database, piece: Piece) -> dict[str, Any]:
    since, until = piece.since, piece.until
    with database.read() as tx:
        store = tx.analytics
        return {
            "readings": store.readings(since, until),
            "line": sorted(store.line(since, until)),
            "never_read": store.never_read(),
            "still_waiting": store.still_waiting(),
            "hours": store.arrivals_by_hour(piece),
            "days": store.assessed_by_day(piece),
            "scores": store.scores(since, until),
            "newest": store.judged(None, newest=True, limit=3),
            "oldest": store.judged(None, newest=False, limit=3),
            "of a model": [store.judged(model, newest=True, limit=2) for model in ("", "net@1", "\ufffd")],
        }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hospitals(), near, near, offsets)
def test_both_say_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    hospital: tuple[list[Study], list[FinishedReading]],
    one: Any,
    other: Any,
    offset: timedelta,
) -> None:
    piece = Piece(since=min(one, other), until=max(one, other), offset=offset)
    sql, memory = sql_database(tmp_path_factory.mktemp("analytics")), MemoryDatabase()
    for database in (sql, memory):
        fill(database, *hospital)
    assert answers(sql, piece) == answers(memory, piece)
    sql.close()


def finished(uid: str, minutes: int, level: Level = Level.FLAGGED) -> FinishedReading:
    return FinishedReading(
        study_instance_uid=uid,
        reader="dr",
        read_at=NOW + minutes * MINUTE,
        verdict=Verdict.AGREE,
        note=None,
        network_level=level,
        probability=0.9,
        model="net@1",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_period_has_its_first_moment_and_not_its_last(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as database:
        fill(database, [make.study("1.1"), make.study("1.2", NOW + HOUR)], [finished("1.1", 0), finished("1.1", 60)])
        told = answers(database, Piece(since=NOW, until=NOW + HOUR, offset=timedelta(0)))
    (one,) = told["readings"]
    assert (one.read_at, one.first, one.again) == (NOW, True, True)
    assert told["hours"] == [(8, Level.PENDING, 1)]
    assert [waited.study_instance_uid for waited in told["never_read"]] == ["1.2"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_taken_back_counts_nowhere(kind: str, tmp_path: Path) -> None:
    mistake = replace(finished("1.1", 0, Level.NOT_FLAGGED), verdict=Verdict.DISAGREE, taken_back_at=NOW + MINUTE)
    with opened(kind, tmp_path) as database:
        fill(
            database,
            [make.study("1.1"), make.study("1.2")],
            [mistake, finished("1.1", 20), replace(mistake, study_instance_uid="1.2")],
        )
        told = answers(database, PIECE)
    (one,) = told["readings"]
    assert (one.study_instance_uid, one.read_at, one.first, one.again) == ("1.1", NOW + 20 * MINUTE, True, False)
    assert told["line"] == [("1.1", NOW, NOW + 20 * MINUTE)]
    assert [waited.study_instance_uid for waited in told["never_read"]] == ["1.2"]


@pytest.mark.parametrize("kind", KINDS)
def test_unread_studies_by_the_level_that_counts(kind: str, tmp_path: Path) -> None:
    urgent = replace(make.study("1.2", NOW - HOUR), stat=True)
    done = replace(make.study("1.3"), reading=Reading(state=ReadingState.READ, reader="dr", since=NOW))
    with opened(kind, tmp_path) as database:
        fill(database, [make.study("1.1"), urgent, done], [])
        told = answers(database, Piece(since=NOW, until=NOW + HOUR, offset=timedelta(0)))
    assert told["still_waiting"] == [(Level.STAT, 1, NOW - HOUR), (Level.PENDING, 1, NOW)]
    assert [waited.study_instance_uid for waited in told["never_read"]] == ["1.1"]


PIECE = Piece(since=NOW, until=NOW + HOUR, offset=HOUR)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (queries.readings_query(NOW, NOW + HOUR), "ix_reading_read_at (read_at>? AND read_at<?)"),
        (queries.line_query(NOW, NOW + HOUR), "ix_reading_read_at (read_at>? AND read_at<?)"),
        (queries.never_read_query(), "ix_study_reading_order"),
        (queries.arrivals_by_hour_query(PIECE), "COVERING INDEX ix_study_arrived (arrived_at>? AND arrived_at<?)"),
        (queries.assessed_by_day_query(PIECE), "COVERING INDEX ix_study_arrived (arrived_at>? AND arrived_at<?)"),
        (queries.scores_query(NOW, NOW + HOUR), "COVERING INDEX ix_study_arrived (arrived_at>? AND arrived_at<?)"),
    ],
)
def test_an_index_finds_the_period(tmp_path: Path, query: Any, index: str) -> None:
    database = sql_database(tmp_path)
    compiled = query.compile(dialect=database.engine.dialect, compile_kwargs={"render_postcompile": True})
    bound = tuple(compiled.params[name] for name in compiled.positiontup)
    values = tuple(value if isinstance(value, int | str) else 0 for value in bound)
    with database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values))
    database.close()
    assert index in plan


@pytest.mark.parametrize("kind", KINDS)
def test_films_by_sender_and_hour(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as database:
        with database.write() as tx:
            tx.put_study(make.study("1.2"))
            for number, minutes in enumerate((-61, 0, 10, 59, 60)):
                tx.add_instance(replace(make.instance("1.2", number), received_at=NOW + timedelta(minutes=minutes)))
        with database.read() as tx:
            rows = tx.analytics.received_by_hour(NOW - timedelta(hours=1))
    found = {(one.calling_ae_title, one.hour): one.films for one in rows}
    title = make.instance().calling_ae_title
    assert found == {(title, NOW): 3, (title, NOW + timedelta(hours=1)): 1}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_network_said_by_order_of_arrival_and_by_whose_first_film(kind: str, tmp_path: Path) -> None:
    def judged(uid: str, hours: int, model: str) -> Study:
        study = make.study(uid, NOW + hours * HOUR)
        return replace(study, network_level=Level.FLAGGED, probability=0.9, model=model, assessed_at=study.arrived_at)

    with opened(kind, tmp_path) as database:
        with database.write() as tx:
            for place in (3, 1, 2):
                tx.put_study(judged(f"1.{place}", place, "net@1"))
                for image, sender in ((2, "LATER"), (1, f"CT{place}")):
                    film = make.instance(f"1.{place}", image, NOW + place * HOUR + image * MINUTE)
                    tx.add_instance(replace(film, calling_ae_title=sender))
            tx.put_study(judged("1.9", 0, "net@2"))
            tx.put_study(make.study("1.8", NOW + 9 * HOUR))
        with database.read() as tx:
            newest = tx.analytics.judged("net@1", newest=True, limit=2)
            oldest = tx.analytics.judged("net@1", newest=False, limit=2)
            (last,) = tx.analytics.judged(None, newest=True, limit=1)
    assert [(one.arrived_at, one.sender) for one in newest] == [(NOW + 2 * HOUR, "CT2"), (NOW + 3 * HOUR, "CT3")]
    assert [one.sender for one in oldest] == ["CT1", "CT2"]
    assert (last.sender, last.flagged, last.probability, last.model) == ("CT3", True, 0.9, "net@1")
