"""What a Transaction promises, asked of both databases."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain import make
from tests.unit.domain.make import FACTS, MODEL, NOW, OTHER_MODEL, POLICY
from triage.domain.assessment import Outcome
from triage.domain.instance import QuarantinedObject, Sender
from triage.domain.level import Level
from triage.domain.role import RoleStatus
from triage.domain.study import Reading, ReadingState, Study, begin, placed, with_outcome
from triage.domain.worklist import order
from triage.services.ports import Database

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def put(database: Database, *studies: Study) -> None:
    with database.write() as tx:
        for study in studies:
            tx.put_study(study)


def several() -> list[Study]:
    """Six studies, one at every level, in the order of their arrival."""
    later = [begin(f"1.2.{number}", FACTS, NOW + number * MINUTE, POLICY) for number in range(6)]
    later[1] = with_outcome(later[1], make.scored("1.2.1", 0.9), POLICY)
    later[2] = with_outcome(later[2], make.scored("1.2.2", 0.1), POLICY)
    later[3] = with_outcome(later[3], make.excused("1.2.3"), POLICY)
    later[4] = with_outcome(later[4], make.excused("1.2.4", out_of_scope=True), POLICY)
    later[5] = placed(replace(later[5], stat=True), POLICY)
    return later


def test_nothing_is_written_when_the_block_raises(database: Database) -> None:
    kept = make.study("1.1")
    put(database, kept)
    with pytest.raises(ZeroDivisionError), database.write() as tx:  # noqa: PT012 - what happens inside is the point
        tx.put_study(make.study("1.2"))
        tx.put_study(replace(kept, images=7))
        tx.add_instance(make.instance("1.2"))
        tx.add_outcome(make.scored("1.2", 0.5))
        tx.jobs.enqueue("1.2", NOW)
        raise ZeroDivisionError
    with database.read() as tx:
        assert tx.worklist() == [kept]
        assert tx.instance("1.2.1.1") is None
        assert tx.outcomes("1.2") == []
        assert tx.jobs.state_of("1.2") is None
        assert tx.revision() == 1


def test_a_snapshot_does_not_see_what_comes_later(database: Database) -> None:
    with database.read() as tx:
        before = tx.worklist()
        put(database, make.study())
        assert tx.worklist() == before == []


def test_every_change_of_a_study_raises_the_revision(database: Database) -> None:
    seen = []
    for study in (make.study(), replace(make.study(), images=2), replace(make.study(), reading=Reading(reader="dr"))):
        put(database, study)
        with database.read() as tx:
            seen.append(tx.revision())
    assert seen == sorted(set(seen))
    assert seen[0] > 0


def test_a_reader_that_writes_by_mistake_leaves_nothing_behind(database: Database) -> None:
    with database.read() as tx:
        tx.put_study(make.study("1.2.3"))
    with database.read() as tx:
        assert tx.study("1.2.3") is None


def test_reading_raises_no_revision(database: Database) -> None:
    put(database, make.study())
    with database.read() as tx:
        before = tx.revision()
        tx.worklist()
        tx.study("1.2.3")
    with database.read() as tx:
        assert tx.revision() == before


def test_the_worklist_is_in_reading_order(database: Database) -> None:
    studies = several()
    put(database, *reversed(studies))
    with database.read() as tx:
        assert [study.study_instance_uid for study in tx.worklist()] == ["1.2.5", "1.2.0", "1.2.1", "1.2.3", "1.2.2", "1.2.4"]
        assert tx.worklist() == sorted(studies, key=order)


def test_equal_keys_go_by_arrival_then_uid(database: Database) -> None:
    flagged = with_outcome(begin("1.9", FACTS, NOW, POLICY), make.scored("1.9", 0.9), POLICY)
    older = with_outcome(begin("1.5", FACTS, flagged.key, POLICY), make.scored("1.5", 0.1), POLICY)
    twins = [replace(older, study_instance_uid=uid) for uid in ("1.4", "1.10")]
    put(database, flagged, older, *twins)
    with database.read() as tx:
        assert [study.study_instance_uid for study in tx.worklist()] == ["1.10", "1.4", "1.5", "1.9"]


def test_a_limit_keeps_the_first(database: Database) -> None:
    put(database, *several())
    with database.read() as tx:
        everything = tx.worklist()
        for limit in (0, 1, 4, 6, 100):
            assert tx.worklist(limit) == everything[:limit]


def test_a_study_read_is_shown_only_when_all_are_asked_for(database: Database) -> None:
    first, *rest = several()
    done = replace(first, reading=Reading(state=ReadingState.READ, reader="dr", since=NOW, verdict="agree"))
    claimed = replace(rest[0], reading=Reading(state=ReadingState.CLAIMED, reader="dr", since=NOW))
    put(database, done, claimed)
    with database.read() as tx:
        assert tx.worklist() == [claimed]
        assert set(tx.worklist(include_read=True)) == {done, claimed}
        assert tx.counts_by_level() == {"flagged": 1}


def test_counts_are_by_the_level_that_counts(database: Database) -> None:
    put(database, *several())
    with database.read() as tx:
        assert tx.counts_by_level() == {level.value: 1 for level in Level}


def test_pending_studies_are_those_the_network_has_not_seen(database: Database) -> None:
    put(database, *several())
    with database.read() as tx:
        assert {study.study_instance_uid for study in tx.pending_studies()} == {"1.2.0", "1.2.5"}


def test_the_studies_of_a_patient_are_those_of_number_and_issuer(database: Database) -> None:
    def of(uid: str, minutes: int, patient_id: str | None, issuer: str | None) -> Study:
        facts = replace(FACTS, patient_id=patient_id, issuer_of_patient_id=issuer)
        return begin(uid, facts, NOW + minutes * MINUTE, POLICY)

    first, last, twin = of("1.1", 0, "P", "here"), of("1.2", 9, "P", "here"), of("1.3", 9, "P", "here")
    read = replace(of("1.4", 5, "P", "here"), reading=Reading(state=ReadingState.READ, reader="dr", since=NOW))
    elsewhere, nowhere, other = of("1.5", 1, "P", "there"), of("1.6", 2, "P", None), of("1.7", 3, "p", "here")
    put(database, first, last, twin, read, elsewhere, nowhere, other, of("1.8", 4, None, "here"), of("1.9", 4, None, None))
    with database.read() as tx:
        assert tx.studies_of_patient("P", "here") == [twin, last, read, first]
        assert tx.studies_of_patient("P", "here", limit=2) == [twin, last]
        assert tx.studies_of_patient("P", None) == [nowhere]
        assert tx.studies_of_patient("P%", "here") == tx.studies_of_patient("", None) == []


def test_an_instance_comes_back_as_it_was(database: Database) -> None:
    one, two = make.instance(number=1), make.instance(number=2, at=NOW - MINUTE)
    with database.write() as tx:
        tx.put_study(make.study())
        tx.add_instance(one)
        tx.add_instance(two)
    with database.read() as tx:
        assert tx.instance(one.sop_instance_uid) == one
        assert tx.instance("9.9") is None
        assert tx.instances("1.2.3") == [two, one]
        assert set(tx.all_instances()) == {one, two}
        assert tx.instances("9.9") == []


@pytest.mark.parametrize("fault", ["no study", "twice"])
def test_an_instance_that_cannot_be_indexed_takes_the_transaction_with_it(database: Database, fault: str) -> None:
    with pytest.raises(Exception), database.write() as tx:  # noqa: B017, PT011, PT012 - each has its own kind
        if fault == "twice":
            tx.put_study(make.study())
            tx.add_instance(make.instance())
        tx.add_instance(make.instance())
    with database.read() as tx:
        assert list(tx.all_instances()) == []
        assert tx.study("1.2.3") is None


def test_an_outcome_is_written_once_per_image_set_and_model(database: Database) -> None:
    first = make.scored("1.2.3", 0.4)
    with database.write() as tx:
        tx.put_study(make.study())
        written = [
            tx.add_outcome(first),
            tx.add_outcome(make.scored("1.2.3", 0.4, at=NOW + MINUTE)),
            tx.add_outcome(make.scored("1.2.3", 0.4, 0.2)),
            tx.add_outcome(make.scored("1.2.3", 0.4, model=OTHER_MODEL)),
            tx.add_outcome(replace(make.excused(), model=None)),
            tx.add_outcome(replace(make.excused(), model=None, decided_at=NOW + MINUTE)),
        ]
    assert written == [True, False, True, True, True, False]
    with database.read() as tx:
        history = tx.outcomes("1.2.3")
        assert history[0] == first
        assert [outcome.model for outcome in history] == [MODEL, MODEL, OTHER_MODEL, None]
        assert tx.outcomes("9.9") == []


def test_a_quarantined_object_has_one_row(database: Database) -> None:
    one = QuarantinedObject(
        digest=make.digest(1), sop_instance_uid=None, study_instance_uid=None, cause="x", calling_ae_title="A", received_at=NOW
    )
    earlier = replace(one, digest=make.digest(2), sop_instance_uid="1.2", received_at=NOW - MINUTE)
    with database.write() as tx:
        again = replace(one, cause="again", received_at=NOW + MINUTE)
        assert [tx.add_quarantined(row) for row in (one, earlier, again)] == [True, True, False]
    with database.read() as tx:
        assert tx.quarantined() == [earlier, one]


def test_what_was_set_aside_is_found_by_the_study_that_it_names(database: Database) -> None:
    one = QuarantinedObject(
        digest=make.digest(1),
        sop_instance_uid="1.2.3.4",
        study_instance_uid="1.2.3",
        cause="x",
        calling_ae_title="A",
        received_at=NOW,
    )
    other = replace(one, digest=make.digest(2), study_instance_uid="1.2.30")
    earlier = replace(one, digest=make.digest(3), received_at=NOW - MINUTE)
    with database.write() as tx:
        for row in (one, other, earlier, replace(one, digest=make.digest(4), study_instance_uid=None)):
            tx.add_quarantined(row)
    with database.read() as tx:
        assert (tx.set_aside_of("1.2.3"), tx.set_aside_of("1.2")) == ([earlier, one], [])


def test_the_last_sign_of_life_of_a_role_counts(database: Database) -> None:
    worker = RoleStatus(role="worker", pid=1, started_at=NOW, beat_at=NOW, state="running", model="net@1")
    intake = replace(worker, role="intake", pid=2, model=None)
    with database.write() as tx:
        tx.put_role(worker)
        tx.put_role(intake)
        tx.put_role(replace(worker, pid=3, restarts=1, trouble="died", model=None))
    with database.read() as tx:
        assert tx.roles() == [intake, replace(worker, pid=3, restarts=1, trouble="died", model=None)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_put_comes_back_field_by_field(kind: str, data: st.DataObject) -> None:
    study = data.draw(make.studies())
    outcomes: list[Outcome] = data.draw(st.lists(make.outcomes(uid=study.study_instance_uid), max_size=3))
    with tempfile.TemporaryDirectory() as folder, opened(kind, Path(folder)) as database:
        with database.write() as tx:
            tx.put_study(study)
            kept = [outcome for outcome in outcomes if tx.add_outcome(outcome)]
        with database.read() as tx:
            assert tx.study(study.study_instance_uid) == study
            assert tx.worklist(include_read=True) == [study]
            assert tx.outcomes(study.study_instance_uid) == kept


def test_senders_are_told_with_count_first_and_last_time(database: Database) -> None:
    with database.write() as tx:
        assert tx.senders() == []
        tx.put_study(make.study("1.2"))
        for number, (title, minutes) in enumerate([("B", 5), ("A", 1), ("B", 2), ("B", 9)]):
            tx.add_instance(replace(make.instance("1.2", number, NOW + minutes * MINUTE), calling_ae_title=title))
    with database.read() as tx:
        assert tx.senders() == [
            Sender(calling_ae_title="A", objects=1, first_at=NOW + MINUTE, last_at=NOW + MINUTE),
            Sender(calling_ae_title="B", objects=3, first_at=NOW + 2 * MINUTE, last_at=NOW + 9 * MINUTE),
        ]
