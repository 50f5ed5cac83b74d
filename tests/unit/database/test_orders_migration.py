"""A database of before the orders: whatever is STAT in it, a person said so, and no cancellation takes it back."""

from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from tests.unit.database.test_reading_migration import DAY, MICROSECONDS, upgrade
from tests.unit.domain.make import POLICY
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import differences, migrate
from triage.database.sqlite import sqlite_url
from triage.domain.study import with_order

STUDY = (
    "INSERT INTO study (study_instance_uid, accession_number, arrived_at, images, network_level, stat, level, images_covered,"
    " head_start, key, reading_state) VALUES ('1.1', 'A-1', ?, 1, 'pending', 1, 'stat', 0, ?, ?, 'unread')"
)


@pytest.fixture
def migrated(tmp_path: Path) -> SqlDatabase:
    engine = open_engine(sqlite_url(tmp_path / "old.db"))
    upgrade(engine, "0011_scrub")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(STUDY, (MICROSECONDS, DAY, MICROSECONDS - DAY))
    migrate(engine)
    return SqlDatabase(engine)


def test_who_was_stat_is_so_by_a_person(migrated: SqlDatabase) -> None:
    with migrated.read() as tx:
        kept = tx.study("1.1")
        assert kept is not None
        assert (kept.stat, kept.ordered, kept.told) == (True, False, None)
        assert with_order(with_order(kept, True, POLICY), False, POLICY).stat
        assert tx.orders.studies({"A-1"}) == ["1.1"]
        assert tx.orders.about("1.1", "A-1") == {}
    assert differences(migrated.engine) == []
    migrated.close()


@pytest.mark.parametrize("wrong", ["UPDATE study SET told = 1", "INSERT INTO imaging_order (order_key) VALUES ('x')"])
def test_the_tables_refuse_what_nothing_means(migrated: SqlDatabase, wrong: str) -> None:
    with pytest.raises(IntegrityError), migrated.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(wrong)
    migrated.close()
