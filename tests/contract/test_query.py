"""What a QueryStore promises, asked of both databases; and that no index ever leaves out what matches."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from tests.unit.database.stores import KINDS, opened, sql_database
from tests.unit.domain import make
from tests.unit.domain.make import NOW
from tests.unit.services.queries import ask, uids
from triage.database.query import candidates_queries, unread_headers_query
from triage.domain.query import Attributes, Coarse, understood
from triage.domain.query_keys import QueryLevel
from triage.domain.study import Reading, ReadingState
from triage.services.ports import Database
from triage.services.query import Match

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def put(database: Database, uid: str, *films: Attributes | None, minute: int = 0, read: bool = False) -> None:
    """A study with a film for each of ``films``; ``None``: its header is to be read yet."""
    study = replace(make.study(uid, NOW + minute * MINUTE), images=len(films))
    if read:
        study = replace(study, reading=Reading(state=ReadingState.READ, reader="r", since=NOW))
    with database.write() as tx:
        tx.put_study(study)
        for number, attributes in enumerate(films, 1):
            film = make.instance(uid, number, NOW + (minute + number) * MINUTE)
            tx.add_instance(film)
            if attributes is not None:
                tx.queries.put_attributes(film.sop_instance_uid, attributes)


def candidates(database: Database, **coarse: object) -> list[str]:
    with database.read() as tx:
        return tx.queries.candidates(Coarse(**coarse))  # type: ignore[arg-type]


def test_attributes_come_back_as_they_were_put(database: Database) -> None:
    told = {"PatientName": ("山田^太郎",), "ImageType": ("ORIGINAL", "", "PRIMARY")}
    put(database, "1.1", told, None)
    with database.read() as tx:
        (found,) = tx.queries.found(["1.1", "1.9"])
    assert [film.attributes for film in found.films] == [told, None]
    assert found.study.study_instance_uid == "1.1"


def test_a_film_that_is_taken_out_leaves_no_attributes(database: Database) -> None:
    put(database, "1.1", {"AccessionNumber": ("A",)}, {"AccessionNumber": ("B",)})
    with database.write() as tx:
        tx.remove_instance("1.1.1.1")
        tx.queries.put_attributes("1.1.1.1", {"AccessionNumber": ("A",)})
    assert candidates(database, accession_numbers=("A",)) == []
    assert candidates(database, accession_numbers=("B",)) == ["1.1"]


def test_unread_studies_come_first_in_reading_order_then_read_ones_newest_first(database: Database) -> None:
    put(database, "1.1", {}, minute=3)
    put(database, "1.2", {}, minute=1, read=True)
    put(database, "1.3", {}, minute=2)
    put(database, "1.4", {}, minute=4, read=True)
    assert candidates(database) == ["1.3", "1.1", "1.4", "1.2"]
    assert uids(database) == ["1.3", "1.1", "1.4", "1.2"]
    assert uids(database, limit=2, offset=1) == ["1.1", "1.4"]
    assert uids(database, limit=0) == []


def test_what_an_index_sorts_out(database: Database) -> None:
    put(database, "1.1", {"PatientID": ("P",), "AccessionNumber": ("A",), "StudyDate": ("20260101",)})
    put(database, "1.2", {"PatientID": ("Q",), "StudyDate": ("2026.01.02",)}, minute=1)
    put(database, "1.3", {"StudyDate": ("no date",)}, minute=2)
    day = 739617  # 2026-01-01
    assert candidates(database, patient_ids=("P", "X")) == ["1.1"]
    assert candidates(database, accession_numbers=("A",)) == ["1.1"]
    assert candidates(database, days=(day, day)) == ["1.1"]
    assert candidates(database, days=(day + 1, 1 << 62)) == ["1.2"]
    assert candidates(database, days=(0, day + 9)) == ["1.1", "1.2"]
    assert candidates(database, studies=("1.2", "1.3")) == ["1.2", "1.3"]
    assert candidates(database, series=("1.2.1",)) == ["1.2"]
    assert candidates(database, instances=("1.3.1.1", "9")) == ["1.3"]
    assert candidates(database, studies=("1.2",), patient_ids=("P",)) == []
    assert candidates(database, studies=(*(f"2.{number}" for number in range(1200)), "1.1")) == ["1.1"]


def test_a_study_whose_header_is_to_be_read_yet_is_never_left_out(database: Database) -> None:
    put(database, "1.1", None)
    assert candidates(database, patient_ids=("X",), accession_numbers=("X",), days=(1, 2)) == ["1.1"]
    assert uids(database, PatientID="P-1") == ["1.1"], "the list knows whose it is"
    assert uids(database, PatientName="doe*", ModalitiesInStudy="DX") == ["1.1"]
    assert uids(database, PatientID="P-2") == []
    assert uids(database, StudyDate="20260101") == ["1.1"], "its day is not known yet"
    put(database, "1.2", {}, minute=1)
    assert uids(database, StudyDate="20260101") == ["1.1"], "no day is no match"


def test_films_whose_headers_are_to_be_read_come_in_order(database: Database) -> None:
    put(database, "1.1", None, {}, None)
    put(database, "1.2", None)
    with database.read() as tx:
        assert [one.sop_instance_uid for one in tx.queries.unread_headers("", 2)] == ["1.1.1.1", "1.1.1.3"]
        assert [one.sop_instance_uid for one in tx.queries.unread_headers("1.1.1.3", 2)] == ["1.2.1.1"]
    with database.write() as tx:
        tx.queries.put_attributes("1.1.1.1", {})
    with database.read() as tx:
        assert [one.sop_instance_uid for one in tx.queries.unread_headers("", 9)] == ["1.1.1.3", "1.2.1.1"]


def test_nothing_walks_over_all_films(tmp_path: Path) -> None:
    database = sql_database(tmp_path)
    plans = []
    with database.read() as tx:
        for coarse in (
            Coarse(patient_ids=("a",)),
            Coarse(accession_numbers=("a",)),
            Coarse(days=(1, 2)),
            Coarse(studies=("a",)),
        ):
            for query in (*candidates_queries(coarse), unread_headers_query("1", 5)):
                text = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
                plans += [str(row[3]) for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        everything = str(candidates_queries(Coarse())[0].compile(compile_kwargs={"literal_binds": True}))
        everyone = [str(row[3]) for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {everything}")]
    database.close()
    walks = [plan for plan in plans if plan.startswith("SCAN") and "ix_instance_unread_header" not in plan]
    assert walks == []
    assert everyone == ["SCAN study USING INDEX ix_study_reading_order"]


VALUES = {
    "PatientID": ("P", "Q", "P\\Q"),
    "AccessionNumber": ("A", "B"),
    "StudyDate": ("20260101", "2026.01.02", "soon"),
    "PatientName": ("Doe^Jane", "DOE", "Müller^Jörg"),
    "Modality": ("DX", "CR"),
}
ATTRIBUTES = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values).map(lambda one: (one,)) for name, values in VALUES.items()}
)
ASKED = {
    "PatientID": ("", "P", "Q", "P*", "P\\Q"),
    "AccessionNumber": ("", "A", "a", "A\\B", "?"),
    "StudyDate": ("", "20260101", "20260102-", "-20260101", "20250101-20260102"),
    "PatientName": ("", "doe", "doe*", "müller^jörg"),
    "ModalitiesInStudy": ("", "DX", "CR\\DX", "C*"),
    "StudyInstanceUID": ("", "1.1", "1.0\\1.2", "1.9"),
}
KEYS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in ASKED.items()})
STUDIES = st.lists(st.tuples(st.lists(st.none() | ATTRIBUTES, min_size=1, max_size=3), st.booleans()), max_size=5)


def patients(matches: list[Match]) -> set[tuple[str, ...]]:
    return {one.attributes.get("PatientID", ()) for one in matches}


@settings(deadline=None, max_examples=25)
@given(STUDIES, KEYS, st.sampled_from(list(QueryLevel)))
def test_no_index_leaves_out_what_matches_and_both_databases_agree(
    studies: list[tuple[list[Attributes | None], bool]], keys: dict[str, str], level: QueryLevel
) -> None:
    answers = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder, opened(kind, Path(folder)) as database:
            for number, (films, read) in enumerate(studies):
                put(database, f"1.{number}", *films, minute=10 * number, read=read)
            with database.read() as tx:
                coarse = tx.queries.candidates(understood(level, keys).coarse)
                naive = tx.queries.candidates(Coarse())
            found = ask(database, level, **keys)
            everything = ask(database, level)
            query = understood(level, keys)
            levels = [one for one in QueryLevel if one.depth <= level.depth]
            # what is to be read yet, and what a film says beside the first, may match, too
            unsure = {f"1.{number}" for number, (films, _) in enumerate(studies) if None in films or len(films) > 1}
            certain = [one for one in everything if all(query.matches(one.attributes, of) for of in levels)]
            assert [one for one in naive if one in coarse] == coarse, "another order"
            if level is QueryLevel.PATIENT:  # a patient stands where the first study that may match does
                assert patients(certain) <= patients(found) <= patients(everything)
                assert unsure or patients(found) == patients(certain)
            else:
                assert [one for one in everything if one in found] == found, "another order"
                assert [one for one in certain if one not in found] == [], "left out"
                assert [one for one in found if one not in certain and one.study_instance_uid not in unsure] == []
            answers.append(found)
    assert answers[0] == answers[1]
