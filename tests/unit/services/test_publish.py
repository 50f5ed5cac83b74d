"""From the study's row to the peer: what is sent, when, how often, and what a crash at each step leaves."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain.make import NOW, OTHER_MODEL, POLICY, Clock, instance, scored, study
from tests.unit.services.peer import Died, Peer
from triage.database.memory import MemoryDatabase
from triage.domain.assessment import Outcome
from triage.domain.delivery import (
    DELIVERED,
    FIRST_BACKOFF,
    LEASE_BEYOND,
    MAX_BACKOFF,
    MOST_FAULTS,
    REFUSED,
    SENDING,
    STEPS,
    SUPERSEDED,
    WAITING,
    Delivery,
    DeliveryState,
    Step,
    backoff,
)
from triage.domain.doubt import Doubt
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.result import Result
from triage.domain.study import with_doubt, with_image, with_outcome
from triage.publisher import Publisher, run_publishers, trouble_of
from triage.services.deliveries import send_past
from triage.services.ports import Database
from triage.services.publish import publish, recover, register
from triage.services.results import place

WITHIN = timedelta(seconds=30)


@dataclass
class Desk:
    """A database with a peer behind it."""

    database: Database
    peer: Peer = field(default_factory=Peer)
    clock: Clock = field(default_factory=Clock)
    uid: str = "1.2.3"

    def __post_init__(self) -> None:
        register(self.database, ["pacs"], self.clock)
        self.arrive()

    def arrive(self, number: int = 1, uid: str | None = None) -> None:
        uid = uid or self.uid
        with self.database.write() as tx:
            before = tx.study(uid)
            place(tx, with_image(before, POLICY) if before else study(uid), self.clock())
            tx.add_instance(instance(uid, number, self.clock()))

    def assess(self, *probabilities: float, uid: str | None = None, outcome: Outcome | None = None) -> None:
        uid = uid or self.uid
        outcome = outcome or scored(uid, *probabilities, at=self.clock.forward(seconds=1))
        with self.database.write() as tx:
            tx.add_outcome(outcome)
            before = tx.study(uid)
            assert before is not None
            place(tx, with_outcome(before, outcome, POLICY), self.clock())

    def doubt(self, doubt: Doubt) -> None:
        with self.database.write() as tx:
            before = tx.study(self.uid)
            assert before is not None
            place(tx, with_doubt(before, doubt, POLICY), self.clock.forward(seconds=1))

    def results(self) -> list[Result]:
        with self.database.read() as tx:
            return tx.deliveries.results(self.uid)

    def words(self) -> list[tuple[Level, float | None, Reason | None]]:
        return [(one.level, one.probability, one.reason) for one in self.results()]

    def send(self, reached: str | None = None) -> bool:
        """One step; it dies behind the step ``reached``."""

        def die(step: str) -> None:
            if step == reached:
                raise Died

        return publish(self.database, "pacs", self.peer, WITHIN, self.clock, lambda: 1.0, die)

    def drain(self) -> None:
        while self.send():
            pass

    def deliveries(self) -> list[Delivery]:
        with self.database.read() as tx:
            return list(reversed(tx.deliveries.deliveries()))

    def states(self) -> list[DeliveryState]:
        return [one.state for one in self.deliveries()]


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
    assert [one.attempts for one in desk.deliveries()] == [tries, 0, 0], "one of them tries for all"
    trouble = trouble_of(desk.database, ["pacs"], desk.clock)
    assert trouble is not None
    assert trouble.startswith("pacs: no answer since ")
    assert trouble.endswith(", 3 results wait")
    desk.peer.away = False
    desk.clock.forward(minutes=10)
    desk.drain()
    assert [uid for uid, _ in desk.peer.words] == ["1.1", "1.2", "1.4"]
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
    assert desk.peer.words == [("1.1", 1), ("1.2.3", 2)]
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


def test_a_peer_that_is_slow_holds_up_no_other(desk: Desk) -> None:
    quick = Peer()
    register(desk.database, ["ris"], desk.clock)
    desk.assess(0.9)
    desk.peer.slow.clear()
    stop, told = threading.Event(), threading.Event()

    def publisher(name: str, peer: Peer, reached: str) -> Publisher:
        return Publisher(
            destination=name,
            transport=peer,
            database=desk.database,
            within=WITHIN,
            clock=desk.clock,
            chance=lambda: 0.0,
            wait=lambda stop, seconds: stop.wait(0.01),
            reached=lambda step: told.set() if step == reached else None,
        )

    both = [publisher("pacs", desk.peer, "never"), publisher("ris", quick, "ended")]
    thread = threading.Thread(target=run_publishers, args=(both, stop))
    thread.start()
    assert told.wait(20)
    assert (quick.words, desk.peer.words) == ([("1.2.3", 1)], [])
    stop.set()
    desk.peer.slow.set()
    thread.join(20)
    assert desk.peer.words == [("1.2.3", 1)], "what was under way came to its end"
    assert (quick.closed, desk.peer.closed) == (True, True)
    assert set(desk.states()) == {DELIVERED}


def test_a_try_that_hangs_is_seen_and_ends_the_process(desk: Desk) -> None:
    desk.assess(0.9)
    desk.peer.slow.clear()
    stop, seen = threading.Event(), threading.Event()
    one = Publisher(
        destination="pacs",
        transport=desk.peer,
        database=desk.database,
        within=-LEASE_BEYOND,
        clock=desk.clock,
        chance=lambda: 0.0,
        wait=lambda stop, seconds: stop.wait(0.01),
    )

    def hung() -> None:
        seen.set()
        stop.set()
        desk.peer.slow.set()

    assert not one.hangs
    run_publishers([one], stop, hung)
    assert seen.is_set()


def test_a_stop_waits_for_what_is_at_hand_only_so_long(desk: Desk) -> None:
    desk.assess(0.9)
    desk.peer.slow.clear()
    stop, begun = threading.Event(), threading.Event()
    one = Publisher(
        destination="pacs",
        transport=desk.peer,
        database=desk.database,
        within=WITHIN,
        clock=desk.clock,
        chance=lambda: 0.0,
        wait=lambda stop, seconds: stop.wait(0.01),
        reached=lambda step: begun.set() if step == "claimed" else None,
    )
    thread = threading.Thread(target=run_publishers, args=([one], stop), kwargs={"drain": timedelta(seconds=0.1)})
    thread.start()
    assert begun.wait(20)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert (desk.peer.closed, desk.states()) == (True, [SENDING])
    desk.peer.slow.set()


def test_a_publisher_outlives_whatever_goes_wrong(desk: Desk) -> None:
    stop, looks = threading.Event(), list[datetime]()

    def clock() -> datetime:
        looks.append(NOW)
        if len(looks) > 3:
            stop.set()
        raise RuntimeError

    one = Publisher(
        destination="pacs",
        transport=desk.peer,
        database=desk.database,
        within=WITHIN,
        clock=clock,
        chance=lambda: 0.0,
        wait=lambda stop, seconds: None,
    )
    one.run(stop)
    assert len(looks) > 3


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
