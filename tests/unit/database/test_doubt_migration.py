"""A database of before the marks, with objects set aside in it, becomes one of this version."""

from pathlib import Path

import pytest

from tests.unit.database.test_reading_migration import DAY, MICROSECONDS, upgrade
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import differences, migrate
from triage.database.sqlite import sqlite_url
from triage.domain.doubt import Doubt
from triage.domain.level import Level
from triage.domain.reason import Reason

STUDY = (
    "INSERT INTO study (study_instance_uid, arrived_at, images, network_level, stat, level, reason, probability,"
    " images_covered, head_start, key, reading_state) VALUES (?, ?, 1, ?, ?, ?, ?, ?, 1, ?, ?, 'unread')"
)
ASIDE = "INSERT INTO quarantined (digest, study_instance_uid, cause, calling_ae_title, received_at) VALUES (?, ?, ?, 'A', 0)"
OTHER, BYTES = (
    "the study belongs to another patient",
    "an instance with this SOP Instance UID and other bytes is stored already",
)
ROWS = {
    # uid: (network level, stat, reason, probability, what was set aside of it)
    "1.1": ("not_flagged", 0, None, 0.1, OTHER),
    "1.2": ("flagged", 0, None, 0.9, OTHER),
    "1.3": ("not_flagged", 1, None, 0.1, BYTES),
    "1.4": ("not_assessed", 0, "lateral_view", None, BYTES),
    "1.5": ("pending", 0, None, None, OTHER),
    "1.6": ("not_flagged", 0, None, 0.1, None),
}
CONFLICT, ASIDE_REASON = Reason.IDENTITY_CONFLICT, Reason.FILM_SET_ASIDE
AFTER = {
    "1.1": (Level.NOT_ASSESSED, Level.NOT_ASSESSED, CONFLICT, None, Doubt.IDENTITY_CONFLICT),
    "1.2": (Level.FLAGGED, Level.FLAGGED, None, 0.9, Doubt.IDENTITY_CONFLICT),
    "1.3": (Level.STAT, Level.NOT_ASSESSED, ASIDE_REASON, None, Doubt.FILM_SET_ASIDE),
    "1.4": (Level.NOT_ASSESSED, Level.NOT_ASSESSED, ASIDE_REASON, None, Doubt.FILM_SET_ASIDE),
    "1.5": (Level.PENDING, Level.PENDING, None, None, Doubt.IDENTITY_CONFLICT),
    "1.6": (Level.NOT_FLAGGED, Level.NOT_FLAGGED, None, 0.1, None),
}


@pytest.fixture
def migrated(tmp_path: Path) -> SqlDatabase:
    engine = open_engine(sqlite_url(tmp_path / "old.db"))
    upgrade(engine, "0008_taken_back")
    with engine.connect() as connection, connection.begin():
        for uid, (network, stat, reason, probability, cause) in ROWS.items():
            head_start = 30 * DAY if stat else 0 if network == "not_flagged" else DAY
            level = "stat" if stat else network
            values = (uid, MICROSECONDS, network, stat, level, reason, probability, head_start, MICROSECONDS - head_start)
            connection.exec_driver_sql(STUDY, values)
            if cause:
                connection.exec_driver_sql(ASIDE, (f"digest of {uid}", uid, cause))
        connection.exec_driver_sql(ASIDE, ("digest of none", None, "set aside before a stop"))
    migrate(engine)
    return SqlDatabase(engine)


def test_what_was_set_aside_before_there_was_a_mark(migrated: SqlDatabase) -> None:
    with migrated.read() as tx:
        studies = {study.study_instance_uid: study for study in tx.worklist()}
    assert differences(migrated.engine) == []
    migrated.close()
    assert {
        uid: (one.level, one.network_level, one.reason, one.probability, one.doubt) for uid, one in studies.items()
    } == AFTER
    assert studies["1.1"].head_start.days == 1
    assert studies["1.3"].head_start.days == 30
