"""From the study's row to the peer: what is sent, when, how often, and what a crash at each step leaves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain.make import NOW, OTHER_MODEL, POLICY, scored
from tests.unit.services.desk import WITHIN, Desk
from tests.unit.services.peer import Died, Peer
from triage.database.memory import MemoryDatabase
from triage.domain.delivery import (
    DELIVERED,
    FIRST_BACKOFF,
    MAX_BACKOFF,
    MOST_FAULTS,
    REFUSED,
    SENDING,
    STEPS,
    SUPERSEDED,
    WAITING,
    DeliveryState,
    Step,
    backoff,
)
from triage.domain.doubt import Doubt
from triage.domain.level import Level
from triage.domain.study import with_outcome
from triage.publisher import trouble_of
from triage.services.deliveries import send_past
from triage.services.publish import publish, recover, register


@pytest.fixture
def desk() -> Desk:
    return Desk(MemoryDatabase())


@pytest.fixture(params=KINDS)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with opened(request.param, tmp_path) as database:
        yield Desk(database)


def test_pending_says_nothing_and_the_first_word_is_number_one(desk: Desk) -> None:
    assert desk.results() == []
    desk.assess(0.9)
    (result,) = desk.results()
    assert (result.number, result.level, result.probability) == (1, Level.FLAGGED, 0.9)
    assert [(one.sop_instance_uid, one.probability) for one in result.images] == [("1.2.3.1.1", 0.9)]
    assert result.model is not None
    assert (result.facts.patient_id, result.decided_at) == ("P-1", desk.clock())


def test_a_lower_second_outcome_of_a_flagged_study_says_nothing_new(desk: Desk) -> None:
    desk.assess(0.9)
    desk.arrive(2)
    desk.assess(outcome=scored(desk.uid, 0.2, 0.3, at=desk.clock.forward(seconds=1), model=OTHER_MODEL))
    assert desk.words() == [(Level.FLAGGED, 0.9, None)]


def test_a_higher_one_does_and_covers_both_images(desk: Desk) -> None:
    desk.assess(0.9)
    desk.arrive(2)
    desk.assess(0.2, 0.95)
    assert desk.words() == [(Level.FLAGGED, 0.9, None), (Level.FLAGGED, 0.95, None)]
    assert [one.probability for one in desk.results()[1].images] == [0.2, 0.95]


@pytest.mark.parametrize("doubt", [Doubt.IDENTITY_CONFLICT, Doubt.FILM_DAMAGED, Doubt.FILM_SET_ASIDE])
def test_a_doubt_takes_back_what_was_not_flagged(either: Desk, doubt: Doubt) -> None:
    either.assess(0.1)
    either.drain()
    either.doubt(doubt)
    either.drain()
    assert either.words() == [(Level.NOT_FLAGGED, 0.1, None), (Level.NOT_ASSESSED, None, doubt.reason)]
    assert either.peer.words == [("1.2.3", 1), ("1.2.3", 2)]
    first, second = either.results()
    assert either.peer.named[second.uid("sr")] == (first.uid("sr"),)
    assert (second.model, [one.probability for one in second.images]) == (first.model, [None])


def test_a_doubt_leaves_a_flag(desk: Desk) -> None:
    desk.assess(0.9)
    desk.doubt(Doubt.IDENTITY_CONFLICT)
    assert desk.words() == [(Level.FLAGGED, 0.9, None)]


def test_while_a_late_image_waits_the_earlier_word_stands(desk: Desk) -> None:
    desk.assess(0.1)
    desk.arrive(2)
    assert len(desk.results()) == 1
    desk.assess(0.1, 0.7)
    assert desk.words()[1:] == [(Level.FLAGGED, 0.7, None)]


def test_the_same_word_on_more_images_is_a_new_result(desk: Desk) -> None:
    desk.assess(0.1)
    desk.arrive(2)
    desk.assess(0.1, 0.1)
    assert desk.words() == [(Level.NOT_FLAGGED, 0.1, None)] * 2


def test_what_is_sent_is_written_down_with_the_peers_word(desk: Desk) -> None:
    desk.assess(0.9)
    assert desk.send()
    assert not desk.send()
    (one,) = desk.deliveries()
    assert (one.state, one.status, one.attempts, one.committed) == (DELIVERED, "0x0000", 1, None)


@pytest.mark.parametrize("step", ["spread", "claimed", "sent", "ended"])
def test_a_crash_behind_any_step_loses_nothing_and_doubles_nothing(either: Desk, step: str) -> None:
    either.assess(0.9)
    with pytest.raises(Died):
        either.send(step)
    recover(either.database, ["pacs"], either.clock)
    either.drain()
    assert either.peer.words == [("1.2.3", 1)]
    assert len(either.peer.heard) == (2 if step == "sent" else 1)
    assert either.states() == [DELIVERED]


def test_without_a_new_start_the_claim_runs_out(desk: Desk) -> None:
    desk.assess(0.9)
    with pytest.raises(Died):
        desk.send("claimed")
    assert not desk.send()
    desk.clock.forward(minutes=2)
    assert desk.send()


def test_a_peer_that_is_away_is_tried_for_as_long_as_it_takes(desk: Desk) -> None:
    for uid in ("1.1", "1.2", "1.4"):
        desk.arrive(uid=uid)
        desk.assess(0.9, uid=uid)
    desk.peer.away = True
    tries = 0
    for _ in range(36):  # a long weekend
        tries += desk.send()
        desk.clock.forward(hours=2)
    assert tries == 36
    assert desk.states() == [WAITING] * 3
    assert [one.attempts for one in desk.deliveries()] == [tries // 3] * 3, "one try a round, of each in turn"
    trouble = trouble_of(desk.database, ["pacs"], desk.clock)
    assert trouble is not None
    assert trouble.startswith("pacs: no answer since ")
    assert trouble.endswith(", 3 results wait")
    desk.peer.away = False
    desk.clock.forward(minutes=10)
    desk.drain()
    assert sorted(uid for uid, _ in desk.peer.words) == ["1.1", "1.2", "1.4"]
    assert trouble_of(desk.database, ["pacs"], desk.clock) is None


def test_after_a_weekend_only_the_last_word_goes_out(desk: Desk) -> None:
    desk.peer.away = True
    desk.arrive(uid="1.1")
    desk.assess(0.9, uid="1.1")
    desk.send()  # this one was tried
    desk.assess(0.1)
    desk.doubt(Doubt.FILM_DAMAGED)
    desk.peer.away = False
    desk.clock.forward(minutes=10)
    desk.drain()
    assert desk.peer.words == [("1.2.3", 2), ("1.1", 1)], "what was never tried goes first"
    assert desk.peer.named[desk.results()[1].uid("sr")] == ()
    assert desk.states() == [DELIVERED, SUPERSEDED, DELIVERED]


def test_what_may_have_arrived_is_sent_again_and_named(desk: Desk) -> None:
    desk.assess(0.1)
    desk.peer.silent = True
    desk.send()
    desk.doubt(Doubt.FILM_DAMAGED)
    desk.clock.forward(minutes=10)
    desk.drain()
    first, second = desk.results()
    assert desk.peer.words == [("1.2.3", 1), ("1.2.3", 2)]
    assert desk.peer.named[second.uid("sr")] == (first.uid("sr"),)


def test_a_refusal_is_for_a_person_and_holds_nothing_up(desk: Desk) -> None:
    desk.assess(0.1)
    desk.peer.refuses = True
    desk.drain()
    desk.peer.refuses = False
    desk.doubt(Doubt.FILM_DAMAGED)
    desk.drain()
    assert desk.states() == [REFUSED, DELIVERED]
    assert trouble_of(desk.database, ["pacs"], desk.clock) == "1 result refused by pacs; see: triage deliveries"


def test_a_fault_of_our_own_is_tried_again_a_few_times_and_says_no_value(desk: Desk) -> None:
    desk.assess(0.9)
    desk.peer.fault = ValueError("Doe^Jane")
    for _ in range(MOST_FAULTS + 3):
        desk.drain()
        desk.clock.forward(minutes=10)
    (one,) = desk.deliveries()
    assert (one.state, one.attempts) == (REFUSED, MOST_FAULTS)
    assert one.error == "could not be sent from here (ValueError)"
    with desk.database.read() as tx:
        assert tx.deliveries.destinations()[0].failures == 0, "others need not wait for it"


def test_a_connection_that_breaks_is_a_peer_that_is_away(desk: Desk) -> None:
    desk.assess(0.9)
    desk.peer.fault = ConnectionResetError("10.0.0.7")
    desk.send()
    (one,) = desk.deliveries()
    assert (one.state, one.error) == (WAITING, "not reached (ConnectionResetError)")
    with desk.database.read() as tx:
        assert tx.deliveries.failures("pacs") == 1


def test_the_past_is_sent_when_a_person_asks(desk: Desk) -> None:
    desk.assess(0.1)
    desk.doubt(Doubt.FILM_DAMAGED)
    register(desk.database, ["archive"], desk.clock)
    archive = Peer()

    def send() -> bool:
        return publish(desk.database, "archive", archive, WITHIN, desk.clock, lambda: 0.0)

    assert not send()
    assert send_past(desk.database, "archive", NOW + timedelta(days=1), "adm", desk.clock) == 0
    assert send_past(desk.database, "archive", NOW, "adm", desk.clock) == 1
    assert send_past(desk.database, "archive", NOW, "adm", desk.clock) == 0
    while send():
        pass
    assert archive.words == [("1.2.3", 2)]


def test_the_past_from_before_there_were_results_is_said_then(desk: Desk) -> None:
    with desk.database.write() as tx:
        outcome = scored("1.2.3", 0.8, at=NOW)
        tx.add_outcome(outcome)
        found = tx.study("1.2.3")
        assert found is not None
        tx.put_study(with_outcome(found, outcome, POLICY))
    assert desk.results() == []
    assert send_past(desk.database, "pacs", NOW, "adm", desk.clock) == 1
    desk.drain()
    assert desk.peer.words == [("1.2.3", 1)]


@given(failures=st.integers(0, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_every_wait_lies_between_its_bounds(failures: int, chance: float) -> None:
    assert FIRST_BACKOFF <= backoff(failures, chance) <= MAX_BACKOFF
    assert backoff(failures, chance) <= backoff(failures + 1, chance)


def test_the_table_of_steps_has_every_state_and_ends_where_nothing_follows() -> None:
    assert {state for state, _ in STEPS} == {WAITING, SENDING, DELIVERED, REFUSED}
    assert set(STEPS.values()) == set(DeliveryState)
    assert {step for _, step in STEPS} == set(Step)


def test_a_result_that_differs_in_anything_has_uids_of_its_own(desk: Desk) -> None:
    desk.assess(0.9)
    (result,) = desk.results()
    changed = [
        replace(result, number=2),
        replace(result, probability=0.8),
        replace(result, level=Level.NOT_FLAGGED),
        replace(result, model=OTHER_MODEL),
    ]
    assert len({one.uid("sr") for one in (result, *changed)}) == 5
    assert result.uid("sr") != result.uid("page")
