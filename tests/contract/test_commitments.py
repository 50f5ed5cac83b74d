"""What a CommitmentStore promises, asked of both databases."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened, sql_database
from tests.unit.domain.make import NOW
from triage.database.commitments import due_query, here_query
from triage.database.memory import MemoryDatabase
from triage.domain.commitment import ActionInformation, Commitment, CommitmentState, Owed, Reference
from triage.domain.instance import QuarantinedObject
from triage.services.ports import Database

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
GRACE, LEASE, TRIED_FOR = 5 * SECOND, 60 * SECOND, 24 * HOUR
WAITING, SENDING, REPORTED, GIVEN_UP = CommitmentState


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def action(transaction: str = "1.9", *instances: str) -> ActionInformation:
    return ActionInformation(transaction, tuple(Reference("1.5", one) for one in instances or ("1.2.1", "1.2.2")))


def ask(
    database: Database, transaction: str = "1.9", *instances: str, ae: str = "CT", address: str = "h", at: datetime = NOW
) -> Commitment:
    with database.write() as tx:
        return tx.commitments.put(action(transaction, *instances), ae, address, at, at + GRACE, at + TRIED_FOR)


def do(database: Database, step: str, *arguments: Any, **named: Any) -> Any:
    """One call of the store in a transaction of its own."""
    with database.write() as tx:
        return getattr(tx.commitments, step)(*arguments, **named)


def claim(database: Database, at: datetime, *titles: str) -> Commitment | None:
    found: Commitment | None = do(database, "claim", titles or ("CT",), at, at + LEASE)
    return found


def claimed(database: Database, at: datetime, *titles: str) -> Commitment:
    found = claim(database, at, *titles)
    assert found is not None
    return found


def claim_here(
    database: Database, at: datetime, *, fresh_only: bool = False, ae: str = "CT", address: str = "h"
) -> Commitment | None:
    found: Commitment | None = do(database, "claim_here", ae, address, at, at + LEASE, fresh_only)
    return found


def states(database: Database, transaction: str = "1.9", ae: str = "CT") -> list[CommitmentState]:
    found: list[CommitmentState] = do(database, "state_of", ae, transaction)
    return found


def test_a_request_comes_back_as_it_was_asked(database: Database) -> None:
    made = ask(database)
    assert made == Commitment(number=made.number, calling_ae_title="CT", address="h", action=action(), requested_at=NOW)
    assert states(database) == [WAITING]
    assert claimed(database, NOW + GRACE).action == action()


def test_a_fresh_request_is_left_alone_for_a_while(database: Database) -> None:
    ask(database)
    assert do(database, "next_due", ["CT"]) == NOW + GRACE
    assert claim(database, NOW + GRACE - SECOND) is None
    assert claim(database, NOW + GRACE) is not None


def test_only_ae_titles_that_were_asked_for_are_claimed(database: Database) -> None:
    ask(database, ae="DX")
    assert claim(database, NOW + HOUR, "CT", "MR") is None
    assert do(database, "next_due", ["CT"]) is None
    assert do(database, "next_due", []) is None
    assert do(database, "claim", [], NOW + HOUR, NOW + HOUR) is None
    assert claimed(database, NOW + HOUR, "CT", "DX").calling_ae_title == "DX"


def test_what_has_been_due_longest_goes_first(database: Database) -> None:
    ask(database, "1.3", at=NOW + SECOND)
    ask(database, "1.2")
    ask(database, "1.1")
    at = NOW + HOUR
    assert [claimed(database, at).action.transaction_uid for _ in range(3)] == ["1.2", "1.1", "1.3"]


def test_a_requestor_on_the_line_is_told_at_once_and_only_once(database: Database) -> None:
    ask(database)
    for fresh_only in (True, False):
        assert do(database, "is_due_here", "CT", "h", NOW, fresh_only)
    assert claim_here(database, NOW, fresh_only=True) is not None
    assert claim_here(database, NOW) is None
    assert not do(database, "is_due_here", "CT", "h", NOW, False)
    assert states(database) == [SENDING]


@pytest.mark.parametrize("who", [{"ae": "MR"}, {"address": "elsewhere"}])
def test_a_report_is_told_to_whoever_asked_and_nobody_else(database: Database, who: dict[str, str]) -> None:
    ask(database)
    assert claim_here(database, NOW, **who) is None  # type: ignore[arg-type]


def test_what_failed_once_waits_for_its_time_on_the_line_too(database: Database) -> None:
    ask(database)
    do(database, "retry", claimed(database, NOW + GRACE), "silence", NOW + HOUR)
    assert claim_here(database, NOW + HOUR - SECOND) is None
    assert claim_here(database, NOW + HOUR, fresh_only=True) is None
    assert claim_here(database, NOW + HOUR) is not None


def test_a_claim_runs_out(database: Database) -> None:
    ask(database)
    first = claimed(database, NOW + GRACE)
    assert claim(database, NOW + GRACE + LEASE - SECOND) is None
    second = claimed(database, NOW + GRACE + LEASE)
    assert (second.number, second.attempts) == (first.number, 2)
    assert second.token > first.token
    assert not do(database, "finish", first, 0, NOW + HOUR)
    assert not do(database, "retry", first, "late", NOW + HOUR)
    assert do(database, "finish", second, 0, NOW + HOUR)
    assert states(database) == [REPORTED]


def test_eight_claimants_never_hold_the_same_request(database: Database) -> None:
    for number in range(40):
        ask(database, f"1.{number}")
    barrier, taken = threading.Barrier(8), []

    def work() -> None:
        barrier.wait()
        while found := claim(database, NOW + HOUR) or claim_here(database, NOW + HOUR):
            taken.append(found.number)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 40


def test_a_report_that_was_taken_is_over(database: Database) -> None:
    ask(database)
    held = claimed(database, NOW + GRACE)
    assert do(database, "finish", held, 1, NOW + GRACE)
    assert not do(database, "finish", held, 1, NOW + GRACE)
    assert claim(database, NOW + HOUR) is None
    assert do(database, "next_due", ["CT"]) is None
    assert do(database, "owed") == []


def test_the_same_request_again_is_answered_again(database: Database) -> None:
    first = ask(database)
    do(database, "finish", claimed(database, NOW + GRACE), 0, NOW + GRACE)
    again = ask(database, "1.9", "1.2.2", "1.2.1", address="moved", at=NOW + HOUR)
    assert (again.number, again.duplicate, again.attempts, again.address) == (first.number, False, 0, "moved")
    assert again.requested_at == NOW + HOUR
    assert states(database) == [WAITING]
    assert claimed(database, NOW + HOUR + GRACE).action == action("1.9", "1.2.2", "1.2.1")


def test_the_same_request_while_its_report_is_under_way_is_told_once_more(database: Database) -> None:
    ask(database)
    held = claimed(database, NOW + GRACE)
    ask(database, at=NOW + GRACE)
    assert not do(database, "finish", held, 0, NOW + GRACE + SECOND)
    assert states(database) == [WAITING]


def test_another_list_under_a_used_transaction_uid_is_a_duplicate(database: Database) -> None:
    ask(database)
    other = ask(database, "1.9", "1.2.7")
    assert other.duplicate
    assert ask(database, "1.9", "1.2.7").duplicate
    assert not ask(database).duplicate
    assert not ask(database, ae="MR").duplicate
    assert states(database) == [WAITING, WAITING]


def test_what_is_open_is_counted(database: Database) -> None:
    ask(database)
    ask(database)
    ask(database, "1.10", ae="MR")
    ask(database, "1.11", "1.2.3")
    assert [do(database, "open_requests", ae) for ae in ("CT", "MR", "DX")] == [2, 1, 0]
    assert do(database, "open_references") == 5
    do(database, "finish", claimed(database, NOW + HOUR), 0, NOW)
    assert do(database, "open_requests", "CT") == 1
    assert do(database, "open_references") == 3


def test_an_ae_title_that_cannot_be_reached_is_put_off_as_a_whole(database: Database) -> None:
    ask(database)
    ask(database, "1.10")
    ask(database, "1.11", at=NOW + 3 * HOUR)
    ask(database, "1.12", ae="MR")
    held = claimed(database, NOW + GRACE)
    do(database, "retry", held, "nobody there", NOW + 2 * HOUR)
    do(database, "defer", "CT", NOW + HOUR)
    assert claim(database, NOW + HOUR - SECOND) is None
    assert claim(database, NOW + HOUR - SECOND, "MR") is not None
    assert claimed(database, NOW + HOUR).action.transaction_uid == "1.10"
    assert do(database, "next_due", ["CT"]) == NOW + HOUR + LEASE


def test_when_the_line_drops_what_it_brought_is_due(database: Database) -> None:
    ask(database)
    ask(database, "1.10", address="elsewhere")
    ask(database, "1.11")
    do(database, "retry", claimed(database, NOW + GRACE), "silence", NOW + HOUR)
    ask(database, "1.12", at=NOW + GRACE)
    do(database, "hurry", "CT", "h", NOW + GRACE)
    due = [claimed(database, NOW + GRACE).action.transaction_uid for _ in range(3)]
    assert due == ["1.10", "1.11", "1.12"]
    assert claim(database, NOW + GRACE) is None


def test_after_a_crash_every_claim_ends(database: Database) -> None:
    ask(database)
    ask(database, "1.10")
    held = claimed(database, NOW + GRACE)
    assert do(database, "recover", NOW + GRACE) == 1
    assert do(database, "recover", NOW + GRACE) == 0
    assert not do(database, "finish", held, 0, NOW + GRACE)
    assert {claimed(database, NOW + GRACE).number, claimed(database, NOW + GRACE).number} > {held.number}


def test_what_nobody_takes_is_given_up_once_and_may_be_asked_again(database: Database) -> None:
    ask(database)
    ask(database, "1.10", at=NOW + HOUR)
    ask(database, "1.11")
    held = claimed(database, NOW + TRIED_FOR - SECOND)
    assert do(database, "give_up", NOW + TRIED_FOR - SECOND) == []
    (over,) = do(database, "give_up", NOW + TRIED_FOR)
    assert over.action == action("1.11")
    assert do(database, "give_up", NOW + TRIED_FOR) == []
    assert states(database, held.action.transaction_uid) == [SENDING]
    assert [one.number for one in do(database, "give_up", NOW + TRIED_FOR + LEASE)] == [held.number]
    assert do(database, "owed") == [Owed(calling_ae_title="CT", waiting=1, given_up=2)]
    assert claim_here(database, NOW + TRIED_FOR, ae="CT") is not None  # the one of an hour later
    assert not do(database, "finish", over, 0, NOW)
    ask(database, at=NOW + TRIED_FOR)
    assert states(database) == [WAITING]


def test_who_is_owed_what(database: Database) -> None:
    for ae in ("MR", "CT", "DX"):
        ask(database, ae=ae)
    do(database, "finish", claimed(database, NOW + GRACE, "DX"), 0, NOW)
    claimed(database, NOW + GRACE, "MR")
    assert do(database, "owed") == [
        Owed(calling_ae_title="CT", waiting=1, given_up=0),
        Owed(calling_ae_title="MR", waiting=1, given_up=0),
    ]


def test_what_ended_long_ago_is_forgotten(database: Database) -> None:
    ask(database)
    ask(database, "1.10")
    do(database, "finish", claimed(database, NOW + GRACE), 0, NOW)
    assert do(database, "forget", NOW, 9) == 0
    assert do(database, "forget", NOW + SECOND, 9) == 1
    assert states(database) == []
    assert states(database, "1.10") == [WAITING]
    assert not ask(database, "1.9", "1.2.7").duplicate


def test_of_what_ended_only_so_much_is_remembered(database: Database) -> None:
    for number in range(5):
        ask(database, f"1.{number}")
        do(database, "finish", claimed(database, NOW + GRACE), 0, NOW + number * SECOND)
    ask(database, "1.5")
    assert do(database, "forget", NOW, 9) == 0
    assert do(database, "forget", NOW, 5) == 0
    assert do(database, "forget", NOW, 2) == 3
    assert [bool(states(database, f"1.{number}")) for number in range(6)] == [False, False, False, True, True, True]


def test_nothing_of_an_abandoned_transaction_stays(database: Database) -> None:
    ask(database)

    def abandoned() -> None:
        with database.write() as tx:
            tx.commitments.put(action("1.10"), "CT", "h", NOW, NOW, NOW)
            tx.commitments.claim(["CT"], NOW + HOUR, NOW + HOUR)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        abandoned()
    assert states(database, "1.10") == []
    assert states(database) == [WAITING]


def test_objects_set_aside_are_found_by_their_uid(database: Database) -> None:
    one = QuarantinedObject(
        digest="ab" * 32, sop_instance_uid="1.2.1", study_instance_uid="1.2", cause="x", calling_ae_title="CT", received_at=NOW
    )
    with database.write() as tx:
        tx.add_quarantined(one)
        assert tx.set_aside_under("1.2.1") == [one]
        assert tx.set_aside_under("1.2.2") == []


moments = st.integers(0, 200).map(lambda seconds: NOW + seconds * SECOND)
titles = st.sampled_from(["CT", "MR"])
asked = st.builds(action, st.sampled_from(["1.1", "1.2"]), st.sampled_from(["1.5.1", "1.5.2"]))
STEPS = st.one_of(
    st.tuples(st.just("put"), asked, titles, st.sampled_from("ab"), moments, moments, moments),
    st.tuples(st.just("claim_here"), titles, st.sampled_from("ab"), moments, moments, st.booleans()),
    st.tuples(st.just("is_due_here"), titles, st.sampled_from("ab"), moments, st.booleans()),
    st.tuples(st.just("claim"), st.sets(titles).map(sorted), moments, moments),
    st.tuples(st.just("next_due"), st.sets(titles).map(sorted)),
    st.tuples(st.just("defer"), titles, moments),
    st.tuples(st.just("hurry"), titles, st.sampled_from("ab"), moments),
    st.tuples(st.sampled_from(["recover", "give_up"]), moments),
    st.tuples(st.just("forget"), moments, st.integers(1, 3)),
    st.tuples(st.just("finish"), st.integers(0, 9), st.just(1), moments),
    st.tuples(st.just("retry"), st.integers(0, 9), st.just("silence"), moments),
    st.tuples(st.just("open_requests"), titles),
    st.tuples(st.sampled_from(["open_references", "owed"])),
    st.tuples(st.just("state_of"), titles, st.sampled_from(["1.1", "1.2"])),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=30))
def test_both_say_the_same(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]) -> None:
    sql, memory = sql_database(tmp_path_factory.mktemp("commitments")), MemoryDatabase()
    held: list[Commitment] = []
    with sql.write() as one, memory.write() as other:  # one transaction: a test of answers, not of durability
        for step, *arguments in steps:
            if step in ("finish", "retry"):
                if not held:
                    continue
                arguments = [held[arguments[0] % len(held)], *arguments[1:]]
            found, twin = (getattr(tx.commitments, step)(*arguments) for tx in (one, other))
            assert found == twin, step
            if isinstance(found, Commitment):
                held.append(found)
    sql.close()


@pytest.mark.parametrize("query", [due_query(["CT"], NOW), here_query("CT", "h", NOW, False), here_query("CT", "h", NOW, True)])
def test_an_index_of_what_is_owed_finds_the_next_one(tmp_path: Path, query: Any) -> None:
    database = sql_database(tmp_path)
    compiled = query.compile(dialect=database.engine.dialect, compile_kwargs={"render_postcompile": True})
    bound = tuple(
        0 if not isinstance(compiled.params[name], int | str) else compiled.params[name] for name in compiled.positiontup
    )
    with database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", bound))
    database.close()
    assert "ix_commitment_owed (calling_ae_title=?" in plan
