"""What a DeliveryStore promises, asked of both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened, sql_database
from tests.unit.domain.make import FACTS, MODEL, NOW, digest, study
from triage.database.deliveries import due_query, unheard_query
from triage.database.memory import MemoryDatabase
from triage.domain.delivery import (
    DELIVERED,
    PASSED_AFTER,
    REFUSED,
    SENDING,
    SUPERSEDED,
    WAITING,
    Delivery,
    DeliveryState,
    Receipt,
)
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.result import Result, ResultImage
from triage.services.ports import Database

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
IMAGE = ResultImage(
    sop_instance_uid="1.2.3.1.1",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
    series_instance_uid="1.2.3.1",
    digest=digest("1.2.3", 1),
    probability=0.75,
)
OTHER = replace(IMAGE, sop_instance_uid="1.2.3.1.2", probability=None, reason=Reason.LATERAL_VIEW)
TAKEN = Receipt(status="0x0000", committed=True)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def result(uid: str = "1.2.3", number: int = 1, at: datetime = NOW) -> Result:
    return Result(
        study_instance_uid=uid,
        number=number,
        level=Level.FLAGGED,
        decided_at=at,
        facts=FACTS,
        images=(IMAGE, OTHER),
        probability=0.75,
        model=MODEL,
    )


def say(database: Database, uid: str = "1.2.3", number: int = 1, at: datetime = NOW) -> None:
    with database.write() as tx:
        if tx.study(uid) is None:
            tx.put_study(study(uid, at))
        tx.deliveries.add_result(result(uid, number, at))


def do(database: Database, step: str, *arguments: Any, **named: Any) -> Any:
    """One call of the store in a transaction of its own."""
    with database.write() as tx:
        return getattr(tx.deliveries, step)(*arguments, **named)


def spread(database: Database, *names: str, at: datetime = NOW) -> int:
    names = names or ("pacs",)
    return sum(do(database, "fan_out", name, at, 100) for name in names)


def claim(database: Database, at: datetime = NOW, name: str = "pacs") -> Delivery | None:
    found: Delivery | None = do(database, "claim", name, at, at + MINUTE)
    return found


def claimed(database: Database, at: datetime = NOW, name: str = "pacs") -> Delivery:
    found = claim(database, at, name)
    assert found is not None
    return found


def states(database: Database, name: str = "pacs") -> dict[tuple[str, int], DeliveryState]:
    found = do(database, "deliveries", destination=name)
    return {(one.study_instance_uid, one.number): one.state for one in reversed(found)}


def test_a_result_comes_back_as_it_was_said(database: Database) -> None:
    said = [result(), replace(result(number=2), level=Level.NOT_ASSESSED, probability=None, reason=Reason.FILM_DAMAGED)]
    said.append(replace(said[1], number=3, model=None, images=()))
    with database.write() as tx:
        tx.put_study(study())
        for one in said:
            tx.deliveries.add_result(one)
    assert do(database, "results", "1.2.3") == said
    assert do(database, "last_result", "1.2.3") == said[-1]
    assert (do(database, "results", "9"), do(database, "last_result", "9")) == ([], None)


def test_a_new_destination_hears_of_what_is_said_from_then_on(database: Database) -> None:
    say(database, "1.1")
    assert do(database, "register", ["ris", "pacs"], NOW) == ["pacs", "ris"]
    assert do(database, "register", ["pacs"], NOW + MINUTE) == []
    say(database, "1.2")
    assert (spread(database), spread(database)) == (1, 0)
    assert states(database) == {("1.2", 1): WAITING}
    assert do(database, "without_delivery", "ris") == 1
    assert [one.since for one in do(database, "destinations")] == [NOW, NOW]


def test_results_are_spread_in_slices(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    for number in range(5):
        say(database, f"1.{number}")
    assert [do(database, "fan_out", "pacs", NOW, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert len(states(database)) == 5


def test_a_delivery_goes_its_way(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    assert not do(database, "is_due", "pacs", NOW)
    say(database)
    assert do(database, "is_due", "pacs", NOW)
    spread(database)
    one = claimed(database, NOW + SECOND)
    assert (one.state, one.attempts, one.tried_at, one.not_before) == (SENDING, 1, NOW + SECOND, NOW + SECOND + MINUTE)
    assert claim(database, NOW + 2 * SECOND) is None
    assert do(database, "payload", one) == (result(), ())
    assert do(database, "delivered", one, TAKEN, NOW + 3 * SECOND)
    (told,) = do(database, "deliveries", study_instance_uid="1.2.3")
    assert (told.state, told.status, told.committed, told.ended_at) == (DELIVERED, "0x0000", True, NOW + 3 * SECOND)
    (to,) = do(database, "destinations")
    assert (to.waiting, to.delivered, to.last_delivered_at) == (0, 1, NOW + 3 * SECOND)
    assert not do(database, "is_due", "pacs", NOW + MINUTE)


@pytest.mark.parametrize("step", ["delivered", "refused", "put_off"])
def test_who_lost_its_claim_writes_nothing(database: Database, step: str) -> None:
    do(database, "register", ["pacs"], NOW)
    say(database)
    spread(database)
    old = claimed(database)
    new = claimed(database, NOW + MINUTE)
    assert new.token > old.token
    last = {"delivered": (TAKEN, NOW), "refused": ("no", NOW), "put_off": ("away", NOW)}[step]
    assert not do(database, step, old, *last)
    assert do(database, step, new, *last)
    assert not do(database, step, new, *last)


def test_a_later_result_waits_for_the_earlier_and_names_it_if_it_arrived(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    say(database)
    spread(database)
    first = claimed(database)
    say(database, number=2)
    say(database, "1.9")
    spread(database)
    assert claimed(database).study_instance_uid == "1.9", "another study is not held up"
    assert claim(database) is None
    do(database, "put_off", first, "away", NOW + SECOND)
    assert claim(database) is None, "it was tried, it may have arrived: it goes first"
    again = claimed(database, NOW + SECOND)
    assert (again.number, again.attempts) == (1, 2)
    do(database, "delivered", again, TAKEN, NOW)
    second = claimed(database, NOW + SECOND)
    assert do(database, "payload", second) == (result(number=2), (result(),))


def test_an_earlier_result_whose_answer_never_comes_does_not_keep_the_later_back_for_ever(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    say(database)
    spread(database)
    do(database, "put_off", claimed(database), "no answer", NOW)
    say(database, number=2)
    spread(database)
    for _ in range(PASSED_AFTER - 1):
        first = claimed(database)
        assert first.number == 1
        do(database, "put_off", first, "no answer", NOW)
    second = claimed(database)
    assert do(database, "payload", second) == (result(number=2), (result(),)), "it may have arrived: it is named"
    assert states(database) == {("1.2.3", 1): SUPERSEDED, ("1.2.3", 2): SENDING}
    assert claim(database) is None, "and is not sent behind the later"
    (to,) = do(database, "destinations")
    assert (to.superseded, to.waiting) == (1, 1)


def test_what_was_refused_is_not_named(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    say(database)
    spread(database)
    do(database, "refused", claimed(database), "0xA900", NOW)
    say(database, number=2)
    spread(database)
    assert do(database, "payload", claimed(database)) == (result(number=2), ())


def test_what_was_never_tried_is_overtaken_by_what_is_said_later(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    for number in (1, 2, 3):
        say(database, number=number)
    spread(database)
    assert states(database) == {("1.2.3", 1): SUPERSEDED, ("1.2.3", 2): SUPERSEDED, ("1.2.3", 3): WAITING}
    (to,) = do(database, "destinations")
    assert (to.superseded, to.waiting) == (2, 1)


def test_what_was_tried_is_not_overtaken(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    say(database)
    spread(database)
    do(database, "put_off", claimed(database), "no answer", NOW)
    for number in (2, 3):
        say(database, number=number)
    spread(database)
    assert states(database) == {("1.2.3", 1): WAITING, ("1.2.3", 2): SUPERSEDED, ("1.2.3", 3): WAITING}
    assert claimed(database).number == 1


def test_a_destination_that_does_not_answer_is_left_in_peace(database: Database) -> None:
    do(database, "register", ["pacs", "ris"], NOW)
    say(database, "1.1")
    say(database, "1.2")
    spread(database, "pacs", "ris")
    do(database, "put_off", claimed(database), "connection refused", NOW)
    do(database, "rest", "pacs", "connection refused", NOW + MINUTE, NOW)
    assert claim(database, NOW + SECOND) is None
    assert not do(database, "is_due", "pacs", NOW + SECOND)
    assert claim(database, NOW + SECOND, "ris") is not None
    do(database, "rest", "pacs", "connection refused", NOW + 2 * MINUTE, NOW + MINUTE)
    to = do(database, "destinations")[0]
    assert (to.failures, to.away_since, to.not_before) == (2, NOW, NOW + 2 * MINUTE)
    assert to.error == "connection refused"
    assert do(database, "failures", "pacs") == 2
    assert to.trouble(NOW) == f"pacs: no answer since {NOW.astimezone():%H:%M}, 2 results wait"
    do(database, "delivered", claimed(database, NOW + 2 * MINUTE), TAKEN, NOW)
    to = do(database, "destinations")[0]
    assert (to.failures, to.away_since, to.not_before, to.error, to.trouble(NOW)) == (0, None, None, None, None)


def test_a_person_has_what_was_refused_sent_again(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    say(database)
    spread(database)
    do(database, "refused", held := claimed(database), "0xA900", NOW)
    (to,) = do(database, "destinations")
    assert to.trouble(NOW) == "1 result refused by pacs; see: triage deliveries"
    (kept,) = do(database, "deliveries", states=[REFUSED])
    assert (kept.id, kept.error, kept.ended_at) == (held.id, "0xA900", NOW)
    again = do(database, "replay", kept.id, NOW + MINUTE)
    assert (again.state, again.ended_at) == (WAITING, None)
    assert do(database, "replay", kept.id, NOW) is None
    assert do(database, "replay", 999, NOW) is None
    assert claimed(database, NOW + MINUTE).token > held.token


def test_what_is_out_of_date_is_not_sent_again(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    for number in (1, 2):
        say(database, number=number)
        spread(database)
        do(database, "refused", claimed(database), "0xA900", NOW)
    first, second = sorted(do(database, "deliveries"), key=lambda one: one.number)
    assert do(database, "replay", first.id, NOW).state is SUPERSEDED
    assert do(database, "replay", second.id, NOW).state is WAITING


def test_the_past_is_sent_by_its_last_word_only(database: Database) -> None:
    for number in (1, 2):
        say(database, number=number)
    say(database, "1.8", at=NOW - MINUTE)
    do(database, "register", ["pacs"], NOW)
    assert do(database, "send_last", "pacs", NOW, NOW, 9) == 1
    assert do(database, "send_last", "pacs", NOW - MINUTE, NOW, 9) == 1
    assert states(database) == {("1.2.3", 2): WAITING, ("1.8", 1): WAITING}


def test_an_older_result_never_follows_a_newer(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    for number in (1, 2):
        say(database, number=number)
    do(database, "send_last", "pacs", NOW, NOW, 9)
    do(database, "delivered", claimed(database), TAKEN, NOW)
    spread(database)
    assert states(database) == {("1.2.3", 2): DELIVERED, ("1.2.3", 1): SUPERSEDED}


def test_claims_of_a_dead_process_end(database: Database) -> None:
    do(database, "register", ["pacs", "ris"], NOW)
    say(database)
    spread(database, "pacs", "ris")
    old = claimed(database)
    claimed(database, name="ris")
    assert do(database, "recover", ["pacs"], NOW) == 1
    assert claimed(database).token > old.token
    assert claim(database, name="ris") is None


def test_deliveries_are_found_by_what_is_asked(database: Database) -> None:
    do(database, "register", ["pacs", "ris"], NOW)
    for uid in ("1.1", "1.2", "1.3"):
        say(database, uid)
    spread(database, "pacs", "ris")
    claimed(database)
    listed = do(database, "deliveries", destination="pacs")
    assert [one.study_instance_uid for one in listed] == ["1.3", "1.2", "1.1"]
    assert len(do(database, "deliveries", limit=4)) == 4
    (sending,) = do(database, "deliveries", states=[SENDING, DELIVERED])
    assert do(database, "delivery", sending.id) == sending
    assert {one.destination for one in do(database, "deliveries", study_instance_uid="1.2")} == {"pacs", "ris"}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["say", "spread", "claim", "taken", "refused", "put_off", "rest", "replay", "recover", "past", "later"]
        ),
        st.integers(0, 2),
    ),
    max_size=30,
)


def follow(database: Database, steps: list[tuple[str, int]]) -> Any:
    """What both databases have come to after the same steps."""
    do(database, "register", ["pacs"], NOW)
    now, held, counts = NOW, list[Delivery](), [0, 0, 0]
    for step, pick in steps:
        if step == "say":
            counts[pick] += 1
            say(database, f"1.{pick}", counts[pick], now)
        elif step == "spread":
            do(database, "fan_out", "pacs", now, 1 + pick)
        elif step == "claim" and (one := claim(database, now)):
            held.append(one)
        elif step == "later":
            now += timedelta(seconds=40 * pick)
        elif step == "rest":
            do(database, "rest", "pacs", "away", now + pick * SECOND, now)
        elif step == "replay":
            do(database, "replay", 1 + pick, now)
        elif step == "recover":
            do(database, "recover", ["pacs"], now)
        elif step == "past":
            do(database, "send_last", "pacs", NOW, now, 1 + pick)
        elif held and step in ("taken", "refused", "put_off"):
            one = held[pick % len(held)]
            last = {"taken": ("delivered", TAKEN, now), "refused": ("refused", "no", now), "put_off": ("put_off", "x", now)}
            name, *arguments = last[step]
            do(database, name, one, *arguments)
    due, left = do(database, "is_due", "pacs", now), do(database, "without_delivery", "pacs")
    return held, do(database, "deliveries"), do(database, "destinations"), due, left


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_the_twins_do_the_same(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    database = sql_database(tmp_path_factory.mktemp("twin"))
    try:
        assert follow(MemoryDatabase(), steps) == follow(database, steps)
    finally:
        database.close()


def test_what_is_due_is_found_by_index(tmp_path: Path) -> None:
    database = sql_database(tmp_path)
    for query in (due_query("pacs", NOW), unheard_query("pacs")):
        with database.engine.connect() as connection:
            text = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        assert not [line for line in plan if line.startswith("SCAN")], plan
        assert not [line for line in plan if "TEMP B-TREE" in line], plan
    database.close()


def test_what_a_peer_says_of_keeping_it(database: Database) -> None:
    do(database, "register", ["pacs", "ris"], NOW)
    say(database)
    spread(database, "pacs", "ris")
    uid, mine = result().commitment_uid, ["pacs"]
    assert not do(database, "reported", uid, mine, True, NOW), "nothing was sent yet"
    one = claimed(database)
    assert not do(database, "reported", "2.25.1", mine, True, NOW)
    assert not do(database, "reported", uid, ["ris"], True, NOW)
    assert do(database, "reported", uid, mine, True, NOW), "it may be told before the answer to the C-STORE is noted"
    assert do(database, "delivered", one, Receipt(status="0x0000", committed=False), NOW)
    (told,) = do(database, "deliveries", destination="pacs")
    assert (told.state, told.committed) == (DELIVERED, True)
    assert do(database, "reported", uid, mine, False, NOW + MINUTE)
    (lost,) = do(database, "deliveries", destination="pacs")
    assert (lost.state, lost.committed, lost.ended_at) == (WAITING, False, None)
    assert "does not keep" in lost.error
    assert [one.delivered for one in do(database, "destinations")] == [0, 0]
    again = claimed(database, NOW + 2 * MINUTE)
    assert (again.id, again.attempts) == (one.id, 2)
    assert do(database, "delivered", again, TAKEN, NOW + 2 * MINUTE)
    assert [one.delivered for one in do(database, "destinations")] == [1, 0]


def test_what_is_not_kept_of_an_earlier_result_is_not_sent_behind_a_later_one(database: Database) -> None:
    do(database, "register", ["pacs"], NOW)
    for number in (1, 2):
        say(database, number=number)
        spread(database)
        assert do(database, "delivered", claimed(database), Receipt(status="0x0000", committed=False), NOW)
    assert do(database, "reported", result().commitment_uid, ["pacs"], False, NOW)
    assert set(states(database).values()) == {DELIVERED}
    assert do(database, "reported", result(number=2).commitment_uid, ["pacs"], False, NOW)
    assert states(database) == {("1.2.3", 1): DELIVERED, ("1.2.3", 2): WAITING}
