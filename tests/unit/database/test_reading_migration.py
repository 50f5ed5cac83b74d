"""A database of the first release, with readings in it, becomes one of this version."""

from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from tests.unit.domain.make import NOW
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import MIGRATIONS, differences, migrate, newest
from triage.database.sqlite import sqlite_url
from triage.domain.audit import AuditHead
from triage.domain.study import Reading, ReadingState
from triage.domain.verdict import Verdict

MICROSECONDS = int(NOW.timestamp()) * 1_000_000
DAY = timedelta(days=1) // timedelta(microseconds=1)
STUDY = (
    "INSERT INTO study (study_instance_uid, arrived_at, images, network_level, stat, level, probability, model, images_covered,"
    " assessed_at, head_start, key, reading_state, reader, reading_since, verdict)"
    " VALUES (?, ?, 1, 'flagged', 0, 'flagged', 0.9, 'net@1', 1, ?, ?, ?, ?, ?, ?, ?)"
)


def first_release(engine: Engine) -> None:
    """The schema of 0001 with a read, a silently read, a claimed and an unread study."""
    upgrade(engine, "0001")
    rows = [
        ("1.1", "read", "dr", MICROSECONDS, "agree"),
        ("1.2", "read", "dr", MICROSECONDS, None),
        ("1.3", "claimed", "other", MICROSECONDS, None),
        ("1.4", "unread", None, None, None),
    ]
    with engine.connect() as connection, connection.begin():
        for uid, state, reader, since, verdict in rows:
            values = (uid, MICROSECONDS, MICROSECONDS, DAY, MICROSECONDS - DAY, state, reader, since, verdict)
            connection.exec_driver_sql(STUDY, values)


def upgrade(engine: Engine, revision: str) -> None:
    with engine.connect() as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_what_was_taken_back_before_there_was_a_column_for_it(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path / "old.db"))
    first_release(engine)
    upgrade(engine, "0007_senders")
    hour = timedelta(hours=1) // timedelta(microseconds=1)
    with engine.connect() as connection, connection.begin():
        for uid, hours in (("1.1", 2), ("1.1", 4), ("1.4", 1)):  # 1.1 was read at 0, too
            connection.exec_driver_sql(
                "INSERT INTO reading (study_instance_uid, reader, read_at, network_level) VALUES (?, 'dr', ?, 'flagged')",
                (uid, MICROSECONDS + hours * hour),
            )
        # 1.1: the second of its three readings; 1.4: brought back by an image, which no audit calls unread
        audited = [("unread", "1.1", 3), ("stat", "1.1", 5), ("unread", "1.2", 1)]
        for sequence, (action, uid, hours) in enumerate(audited, 1):
            connection.exec_driver_sql(
                "INSERT INTO audit (sequence, at, actor, action, subject, details, digest)"
                " VALUES (?, ?, 'other', ?, ?, '{}', '')",
                (sequence, MICROSECONDS + hours * hour, action, uid),
            )
    migrate(engine)
    database = SqlDatabase(engine)
    with database.read() as tx:
        found = {uid: [(one.taken_back_at, one.taken_back_by) for one in tx.readings(uid)] for uid in ("1.1", "1.2", "1.4")}
    database.close()
    stands = (None, None)
    assert found == {
        "1.1": [stands, (NOW + timedelta(hours=3), "other"), stands],
        "1.2": [(NOW + timedelta(hours=1), "other")],
        "1.4": [stands],
    }


def test_readings_of_the_first_release_keep_their_time_and_enter_the_history(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path / "old.db"))
    first_release(engine)
    assert migrate(engine) == ("0001", newest())
    assert differences(engine) == []
    database = SqlDatabase(engine)
    with database.read() as tx:
        read, silent, claimed, unread = (tx.study(uid) for uid in ("1.1", "1.2", "1.3", "1.4"))
        assert read
        assert silent
        assert claimed
        assert unread
        assert read.reading == Reading(state=ReadingState.READ, reader="dr", since=NOW, verdict="agree", verdict_at=NOW)
        assert silent.reading == Reading(state=ReadingState.READ, reader="dr", since=NOW)
        assert (claimed.reading.reader, claimed.reading.lease_until) == ("other", None)
        assert unread.reading == Reading()
        (line,) = tx.readings("1.1")
        assert (line.reader, line.read_at, line.verdict, line.model) == ("dr", NOW, Verdict.AGREE, "net@1")
        assert [len(tx.readings(uid)) for uid in ("1.2", "1.3", "1.4")] == [1, 0, 0]
        assert tx.audit_head() == AuditHead()
    database.close()
