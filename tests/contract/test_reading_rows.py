"""What a Transaction promises of finished readings and of the audit, asked of both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened, sql_database
from tests.unit.domain import make
from tests.unit.domain.make import NOW, Clock
from triage.database.anchor import FileAnchor, MemoryAnchor
from triage.database.memory import MemoryDatabase
from triage.domain.audit import GENESIS, Action, AuditEntry, AuditHead
from triage.domain.level import Level
from triage.domain.reading import FinishedReading
from triage.domain.study import Reading, ReadingState
from triage.domain.verdict import Verdict
from triage.services.audit import exported_lines, note_policy, verify_audit
from triage.services.ports import AuditAnchor, Database

ENTRY = AuditEntry(at=NOW, actor="dr", action=Action.CLAIM, subject="1.2.3", details={"b": "2", "a": "ü\x00\ud800"})
DONE = FinishedReading(
    study_instance_uid="1.2.3",
    reader="dr",
    read_at=NOW,
    verdict=Verdict.AGREE,
    note="x",
    network_level=Level.FLAGGED,
    probability=0.9,
    model="net@1",
)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        with database.write() as tx:
            tx.put_study(make.study("1.2.3"))
        yield database


@pytest.fixture(params=["memory", "file"])
def anchor(request: pytest.FixtureRequest, tmp_path: Path) -> AuditAnchor:
    return MemoryAnchor() if request.param == "memory" else FileAnchor(tmp_path / "audit.head")


def note(database: Database, *entries: AuditEntry) -> None:
    for entry in entries:
        with database.write() as tx:
            tx.append_audit(entry)


def test_the_claims_of_a_reader_are_found(database: Database) -> None:
    standings = {
        "1.4": Reading(state=ReadingState.CLAIMED, reader="anna", since=NOW, lease_until=NOW),
        "1.3": Reading(state=ReadingState.CLAIMED, reader="anna", since=NOW),
        "1.5": Reading(state=ReadingState.CLAIMED, reader="ben", since=NOW),
        "1.6": Reading(state=ReadingState.READ, reader="anna", since=NOW),
    }
    with database.write() as tx:
        for uid, reading in standings.items():
            tx.put_study(replace(make.study(uid), reading=reading))
    with database.read() as tx:
        assert [one.study_instance_uid for one in tx.claims_of("anna")] == ["1.3", "1.4"]
        assert tx.claims_of("anna")[0].reading == standings["1.3"]
        assert tx.claims_of("nobody") == []


def test_the_last_record_about_a_subject(database: Database) -> None:
    view = replace(ENTRY, action=Action.VIEW, details={})
    later = replace(view, at=NOW + timedelta(minutes=1))
    others = (
        ENTRY,
        replace(view, actor="other"),
        replace(view, subject="1.2.4"),
        replace(view, details={"shown": "heat map"}),
    )
    note(database, view, *others)
    with database.read() as tx:
        found = tx.latest_audit_about("1.2.3", Action.VIEW, "dr", "{}")
        assert found is not None
        assert (found.sequence, found.entry) == (1, view)
        apart = tx.latest_audit_about("1.2.3", Action.VIEW, "dr", '{"shown": "heat map"}')
        assert apart is not None
        assert apart.sequence == 5
        assert tx.latest_audit_about("9.9", Action.VIEW, "dr", "{}") is None
    note(database, later)
    with database.read() as tx:
        found = tx.latest_audit_about("1.2.3", Action.VIEW, "dr", "{}")
        assert found is not None
        assert (found.sequence, found.entry.at) == (6, later.at)


def test_finished_readings_come_back_as_they_were(database: Database) -> None:
    silent = replace(DONE, reader="other", verdict=None, note=None, probability=None, model=None, network_level=Level.PENDING)
    with database.write() as tx:
        tx.add_reading(DONE)
        tx.add_reading(silent)
    with database.read() as tx:
        assert tx.readings("1.2.3") == [DONE, silent]
        assert tx.readings("9.9") == []


def test_only_the_last_reading_is_taken_back_and_once(database: Database) -> None:
    again, later = replace(DONE, reader="other", read_at=NOW + timedelta(hours=1)), NOW + timedelta(hours=2)
    elsewhere = replace(DONE, study_instance_uid="1.2.4")
    with database.write() as tx:
        tx.put_study(make.study("1.2.4"))
        for reading in (DONE, again, elsewhere):
            tx.add_reading(reading)
        tx.take_reading_back("1.2.3", later, "dr", "the wrong film")
        tx.take_reading_back("1.2.3", later + timedelta(1), "nobody")
        tx.take_reading_back("9.9", later, "dr")
    with database.read() as tx:
        assert tx.readings("1.2.3") == [
            DONE,
            replace(again, taken_back_at=later, taken_back_by="dr", taken_back_why="the wrong film"),
        ]
        assert tx.readings("1.2.4") == [elsewhere]


def test_a_reading_needs_its_study(database: Database) -> None:
    with pytest.raises(Exception, match=r"study|FOREIGN"), database.write() as tx:
        tx.add_reading(replace(DONE, study_instance_uid="9.9"))


def test_lease_and_time_of_the_verdict_come_back(database: Database) -> None:
    reading = Reading(
        state=ReadingState.READ, reader="dr", since=NOW, lease_until=NOW + timedelta(1), verdict="agree", verdict_at=NOW
    )
    with database.write() as tx:
        tx.put_study(replace(make.study("1.2.3"), reading=reading))
    with database.read() as tx:
        study = tx.study("1.2.3")
    assert study
    assert study.reading == reading


def test_the_audit_is_a_chain_from_nothing(database: Database) -> None:
    with database.read() as tx:
        assert tx.audit_head() == AuditHead(sequence=0, digest=GENESIS)
    note(database, ENTRY, replace(ENTRY, actor="other", action=Action.READ))
    with database.read() as tx:
        one, two = tx.audit()
        assert (one.sequence, two.sequence) == (1, 2)
        assert (one.entry.at, one.entry.details) == (ENTRY.at, ENTRY.details)
        assert tx.audit_head() == AuditHead(sequence=2, digest=two.digest)
        assert list(tx.audit(after=1)) == [two]
        assert list(tx.audit(limit=1)) == [one]
        assert tx.latest_audit(Action.CLAIM) == one
        assert tx.latest_audit(Action.EXPORT) is None


def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    note(database, ENTRY)
    with pytest.raises(ZeroDivisionError), database.write() as tx:  # noqa: PT012 - what happens inside is the point
        tx.append_audit(ENTRY)
        raise ZeroDivisionError
    note(database, ENTRY)
    assert verify_audit(database, MemoryAnchor(), Clock()).head.sequence == 2


def test_a_verification_notes_the_head_once(database: Database, anchor: AuditAnchor) -> None:
    note(database, ENTRY)
    for _ in range(2):
        assert verify_audit(database, anchor, Clock()).trouble is None
    note(database, ENTRY)
    verify_audit(database, anchor, Clock())
    assert [one.sequence for one in anchor.heads()] == [1, 2]
    other = MemoryDatabase()
    note(other, ENTRY)
    assert "record 2" in (verify_audit(other, anchor, Clock()).trouble or "")
    assert len(anchor.heads()) == 2, "what is broken is not anchored"


def test_another_verification_at_the_same_time_is_no_break(database: Database) -> None:
    class Busy(MemoryAnchor):
        def heads(self) -> list[AuditHead]:
            note(database, ENTRY)
            with database.read() as tx:
                head = tx.audit_head()
            assert head
            self.add(head, NOW)
            return super().heads()

    anchor = Busy()
    assert [verify_audit(database, anchor, Clock()).broken for _ in range(3)] == [None] * 3


def test_the_policy_is_noted_when_it_changes(database: Database) -> None:
    assert note_policy(database, {"stat": "30 d", "flagged": "1 d"}, Clock())
    assert not note_policy(database, {"flagged": "1 d", "stat": "30 d"}, Clock())
    assert note_policy(database, {"flagged": "2 d", "stat": "30 d"}, Clock())
    assert len(list(exported_lines(database))) == 2


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.builds(
            AuditEntry,
            at=make.moments,
            actor=st.text(),
            action=st.sampled_from(Action),
            subject=st.text(),
            details=st.dictionaries(st.text(), st.text(), max_size=2),
        ),
        max_size=4,
    )
)
@example([AuditEntry(at=make.NOW, actor="\0", action=Action.VIEW, subject="\udc80\0", details={"\0": "\udc80"})])
def test_both_write_the_same_chain(tmp_path_factory: pytest.TempPathFactory, entries: list[AuditEntry]) -> None:
    sql, memory = sql_database(tmp_path_factory.mktemp("audit")), MemoryDatabase()
    for database in (sql, memory):
        note(database, *entries)
        assert verify_audit(database, MemoryAnchor(), Clock()).broken is None
    assert list(exported_lines(sql)) == list(exported_lines(memory))
    sql.close()
