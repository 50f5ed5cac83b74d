"""What an OrderStore promises, asked of both databases."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened, sql_database
from tests.unit.domain.make import NOW, moments, study, texts
from triage.database.orders import about_query, studies_query
from triage.domain.order import PatientNumber, Statement
from triage.services.ports import Database

DAY = timedelta(days=1)
ONE = Statement(
    placer_order_number="PL", accession_number="A-1", patients=(PatientNumber("P"),), placed=True, stat=True, said_at=NOW
)
anything = st.builds(
    Statement,
    placer_order_number=st.none() | texts,
    filler_order_number=st.none() | texts,
    accession_number=st.none() | texts,
    study_instance_uid=st.none() | texts,
    patients=st.lists(st.builds(PatientNumber, texts, st.none() | texts), max_size=3).map(tuple),
    stat=st.none() | st.booleans(),
    over=st.booleans(),
    said_at=moments,
)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def put(database: Database, *said: Statement, at: datetime = NOW) -> list[bool]:
    with database.write() as tx:
        return [tx.orders.put(one, "RIS|HOSP", "C1", at) for one in said]


def about(database: Database, uid: str = "9.9", accession: str | None = None) -> dict[str, list[Statement]]:
    with database.read() as tx:
        return tx.orders.about(uid, accession)


class _Back(Exception):
    pass


def told(database: Database, said: list[Statement]) -> object:
    """What the database answers; nothing of it stays."""
    with suppress(_Back), database.write() as tx:
        new = [tx.orders.put(one, "RIS|HOSP", "C1", NOW) for one in said]
        answers = new, [tx.orders.about(one.study_instance_uid or "9", one.accession_number) for one in said]
        raise _Back
    return answers


def test_the_same_words_are_kept_once(database: Database) -> None:
    assert put(database, ONE, ONE) == [True, False]
    assert put(database, ONE, replace(ONE, said_at=NOW + DAY)) == [False, True]
    assert len(about(database, accession="A-1")["placer:PL"]) == 2


def test_an_order_is_found_by_whatever_was_ever_said_of_it(database: Database) -> None:
    named, cancelled = replace(ONE, study_instance_uid="1.2"), replace(ONE, accession_number=None, over=True)
    moved = replace(ONE, accession_number="A-2")
    put(database, named, cancelled, moved, replace(ONE, placer_order_number="PX", accession_number="A-9"))
    everything = {"placer:PL": [named, cancelled, moved]}
    assert about(database, "1.2") == about(database, accession="A-1") == about(database, accession="A-2") == everything
    assert about(database, "1.3", "A-3") == {}
    with database.read() as tx:
        assert tx.orders.of("placer:PL") == everything["placer:PL"]


def test_no_accession_number_is_nobodys(database: Database) -> None:
    put(database, replace(ONE, accession_number=None))
    assert about(database, accession=None) == {}


def test_studies_are_found_by_accession_number(database: Database) -> None:
    with database.write() as tx:
        for number, accession in enumerate(("A-1", "A-2", "A-1", None)):
            one = study(f"1.{number}")
            tx.put_study(replace(one, facts=replace(one.facts, accession_number=accession)))
    with database.read() as tx:
        assert tx.orders.studies({"A-1"}) == ["1.0", "1.2"]
        assert tx.orders.studies({f"X{number}" for number in range(1200)} | {"A-2"}) == ["1.1"]
        assert tx.orders.studies(set()) == []
        number = tx.study("1.0").facts.patient_id
        assert tx.orders.studies({"A-1"}, {number}) == ["1.0", "1.2"]
        assert tx.orders.studies({"A-1"}, {"nobody's"}) == tx.orders.studies({"A-1"}, set()) == []


def test_an_order_is_forgotten_whole_and_only_when_nothing_is_heard_of_it(database: Database) -> None:
    put(database, ONE, replace(ONE, placer_order_number="OLD"), at=NOW)
    put(database, replace(ONE, over=True), at=NOW + DAY)
    with database.write() as tx:
        assert tx.orders.forget(NOW + DAY) == 1
    assert list(about(database, accession="A-1")) == ["placer:PL"]
    assert len(about(database, accession="A-1")["placer:PL"]) == 2


def test_what_was_not_committed_was_not_said(database: Database) -> None:
    told(database, [ONE])
    assert about(database, accession="A-1") == {}


def test_a_study_keeps_who_made_it_stat(database: Database) -> None:
    for told in (None, True, False):
        kept = replace(study(), ordered=True, told=told)
        with database.write() as tx:
            tx.put_study(kept)
            assert tx.study("1.2.3") == kept


def test_both_give_back_what_was_said(tmp_path: Path) -> None:
    with opened("memory", tmp_path) as twin, opened("sql", tmp_path) as sql:

        @given(said=st.lists(anything, max_size=4))
        @settings(max_examples=50, deadline=None)
        def check(said: list[Statement]) -> None:
            assert told(twin, said) == told(sql, said)

        check()


def test_indexes_find_them(tmp_path: Path) -> None:
    database = sql_database(tmp_path)
    with database.engine.connect() as connection:
        for query, names in (
            (about_query(), ("ix_imaging_order_accession_number", "ix_imaging_order_study_instance_uid", "order_key")),
            (studies_query(["A"]), ("ix_study_accession_number",)),
        ):
            compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
            values = tuple(compiled.params.get(name) for name in compiled.positiontup or ())
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values).all()
            plan = "\n".join(str(row[3]) for row in rows)
            print(plan)
            assert all(name in plan for name in names)
            assert "SCAN imaging_order" not in plan
            assert "SCAN study" not in plan
    database.close()
