"""How SQLite finds the list: by an index in its order, without a sort; a row's company by indexes, too."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select

from tests.unit.database.stores import sql_database
from tests.unit.domain import make
from triage.database.engine import SqlDatabase
from triage.database.listing import _between_query, count_query, listing_query, row_facts_query
from triage.domain.level import Level
from triage.domain.selection import Selection, Sort, Status


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    database = sql_database(tmp_path)
    yield database
    database.close()


def plan(database: SqlDatabase, query: Select[Any]) -> str:
    compiled: Any = query.compile(dialect=database.engine.dialect, compile_kwargs={"render_postcompile": True})
    bound = tuple(0 for _ in compiled.positiontup)  # a plan does not depend on the values
    with database.engine.connect() as connection:
        return " | ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", bound))


@pytest.mark.parametrize(
    ("selection", "index"),
    [
        (Selection(), "ix_study_reading_order"),
        (Selection(status=Status.FREE), "ix_study_reading_order"),
        (Selection(text="okafor"), "ix_study_reading_order"),
        (Selection(levels=frozenset({Level.FLAGGED})), "ix_study_level_order (level=?"),
        (Selection(levels=frozenset({Level.STAT}), text="okafor"), "ix_study_level_order (level=?"),
    ],
)
def test_the_list_comes_from_an_index_without_a_sort(database: SqlDatabase, selection: Selection, index: str) -> None:
    found = plan(database, listing_query(selection, "anna", make.NOW, 100, 0))
    print(f"\n{selection.status.value}, {sorted(selection.levels)}, {selection.text!r}: {found}")
    assert index in found
    assert "TEMP B-TREE" not in found


def test_a_sort_for_the_moment_sorts(database: SqlDatabase) -> None:
    assert "TEMP B-TREE" in plan(database, listing_query(Selection(sort=Sort.PATIENT), None, make.NOW, 100, 0))


def test_what_arrived_lately_is_counted_without_the_whole_table(database: SqlDatabase) -> None:
    assert "SCAN study" not in plan(database, count_query(Selection(within=timedelta(hours=1)), None, make.NOW)).replace(
        "SCAN study USING", ""
    )


def test_a_place_is_counted_between_two_keys(database: SqlDatabase) -> None:
    first, second = make.study("1.2.1"), make.study("1.2.2")
    for since in (None, first):
        assert "ix_study_reading_order" in plan(database, _between_query(since, second))


def test_a_rows_company_comes_from_indexes(database: SqlDatabase) -> None:
    found = plan(database, row_facts_query(["1.2.1", "1.2.2"]))
    assert "ix_study_patient (patient_id=? AND issuer_of_patient_id=? AND arrived_at<?)" in found
    assert "SCAN" not in found.replace("SCAN CONSTANT", "")
