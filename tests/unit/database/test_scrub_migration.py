"""A database of before the scrub, with films and objects set aside in it, becomes one of this version."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from tests.unit.database.test_reading_migration import DAY, MICROSECONDS, upgrade
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import differences, migrate
from triage.database.sqlite import sqlite_url
from triage.domain.fault import Upkeep

STUDY = (
    "INSERT INTO study (study_instance_uid, arrived_at, images, network_level, stat, level, images_covered, head_start, key,"
    " reading_state) VALUES ('1.1', ?, 1, 'pending', 0, 'pending', 0, ?, ?, 'unread')"
)
FILM = (
    "INSERT INTO instance (sop_instance_uid, sop_class_uid, series_instance_uid, study_instance_uid, transfer_syntax_uid,"
    " digest, size_bytes, calling_ae_title, received_at) VALUES (?, 'c', 's', '1.1', 't', ?, 7, 'A', ?)"
)
ASIDE = "INSERT INTO quarantined (digest, cause, calling_ae_title, received_at) VALUES ('d', 'x', 'A', 0)"


@pytest.fixture
def migrated(tmp_path: Path) -> SqlDatabase:
    engine = open_engine(sqlite_url(tmp_path / "old.db"))
    upgrade(engine, "0009_doubt")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(STUDY, (MICROSECONDS, DAY, MICROSECONDS - DAY))
        for number in (2, 1, 3):
            connection.exec_driver_sql(FILM, (f"1.1.{number}", f"{number}" * 64, MICROSECONDS + number * DAY))
        connection.exec_driver_sql(ASIDE)
    migrate(engine)
    return SqlDatabase(engine)


def test_films_of_before_are_compared_in_the_order_in_which_they_came(migrated: SqlDatabase) -> None:
    with migrated.read() as tx:
        found = tx.longest_unchecked(5)
        assert [one.instance.sop_instance_uid for one in found] == ["1.1.1", "1.1.2", "1.1.3"]
        assert all(one.checked_at == one.instance.received_at and one.fault is None for one in found)
        oldest = found[0].instance.received_at
        assert tx.upkeep() == Upkeep(objects=3, size_bytes=21, unchecked=3, oldest_check=oldest)
        assert found[1].checked_at - oldest == timedelta(days=1)
        assert [one.decision for one in tx.quarantined()] == [None], "nobody has decided yet"
    assert differences(migrated.engine) == []
    migrated.close()


@pytest.mark.parametrize("wrong", ["UPDATE instance SET fault = 'odd'", "UPDATE quarantined SET decision = 'perhaps'"])
def test_the_tables_refuse_what_nothing_means(migrated: SqlDatabase, wrong: str) -> None:
    with pytest.raises(IntegrityError), migrated.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(wrong)
    migrated.close()
