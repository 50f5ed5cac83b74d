"""What must hold up no other result: one that its peer never takes, a clock that was wrong, a document that cannot be read."""

import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, update

from tests.unit.database.stores import KINDS, opened, sql_database
from tests.unit.domain.make import NOW, POLICY, scored
from tests.unit.services.desk import WITHIN, Desk
from triage.database.delivery_tables import result as said
from triage.database.memory import MemoryDatabase
from triage.domain.delivery import REFUSED, PeerAway, Receipt
from triage.domain.doubt import Doubt
from triage.domain.level import Level
from triage.domain.result import Result
from triage.domain.study import with_outcome
from triage.publisher import Publisher, run_publishers
from triage.services.deliveries import retry_refused, send_past
from triage.services.ports import Transaction
from triage.services.publish import publish

UNKNOWN = ("1.4.1", "1.4.2", "1.4.3")
"""Studies that the RIS does not know, and never will: a walk-in."""


@dataclass
class Unwilling:
    """Takes every result but those of some studies; of these it says *later* for ever. ``away``: it answers nobody."""

    never: tuple[str, ...] = UNKNOWN
    away: bool = False
    taken: list[str] = field(default_factory=list)

    def send(self, result: Result, predecessors: tuple[Result, ...]) -> Receipt:
        if self.away or result.study_instance_uid in self.never:
            raise PeerAway("AE: 204 unknown key identifier")
        self.taken.append(result.study_instance_uid)
        return Receipt(status="AA")

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Keeps:
    """Keeps what it gets; never answers to the first of a study."""

    kept: list[Result] = field(default_factory=list)
    named: list[tuple[int, ...]] = field(default_factory=list)

    def send(self, result: Result, predecessors: tuple[Result, ...]) -> Receipt:
        if result not in self.kept:
            self.kept.append(result)
            self.named.append(tuple(one.number for one in predecessors))
        if result.number == 1:
            raise PeerAway("the peer cannot take Secondary Capture Image Storage now: status A700")
        return Receipt(status="0x0000")

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Round:
    """A publisher at work for as long as it is told."""

    desk: Desk
    peer: Unwilling = field(default_factory=Unwilling)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def say(self, *uids: str) -> None:
        for uid in uids:
            self.desk.arrive(uid=uid)
            self.desk.assess(0.9, uid=uid)

    def go_on(self, time: timedelta) -> None:
        end = self.desk.clock() + time
        while self.desk.clock() < end:
            while publish(self.desk.database, "pacs", self.peer, WITHIN, self.desk.clock, self.chance.random):
                pass
            self.desk.clock.forward(seconds=20)


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with opened(request.param, tmp_path) as database:
        yield Desk(database)


@pytest.fixture(params=KINDS)
def rounds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Round]:
    with opened(request.param, tmp_path) as database:
        yield Round(Desk(database))


def test_what_a_peer_never_takes_does_not_go_before_the_others_for_ever(rounds: Round) -> None:
    rounds.say(*UNKNOWN[:1])
    rounds.go_on(timedelta(hours=1))
    rounds.say("1.5")
    rounds.go_on(timedelta(minutes=11))
    assert rounds.peer.taken == ["1.5"]


def test_nor_before_those_that_were_tried_while_the_peer_was_away(rounds: Round) -> None:
    rounds.peer.away = True
    rounds.say(*UNKNOWN)
    rounds.go_on(timedelta(minutes=30))
    rounds.say("1.5", "1.6")
    rounds.go_on(timedelta(minutes=30))
    rounds.peer.away = False
    rounds.go_on(timedelta(hours=1))
    assert sorted(rounds.peer.taken) == ["1.5", "1.6"]


def test_a_clock_that_was_ahead_keeps_nothing_back(rounds: Round) -> None:
    rounds.desk.clock.forward(days=400)
    rounds.peer.away = True
    rounds.say("1.5")
    rounds.go_on(timedelta(seconds=5))  # tried, put off, and the destination left in peace
    rounds.say("1.6")
    rounds.go_on(timedelta(seconds=1))
    rounds.peer.away = False
    rounds.desk.clock.forward(days=-400)
    rounds.go_on(timedelta(minutes=1))
    assert sorted(rounds.peer.taken) == ["1.5", "1.6"]


def test_a_document_that_cannot_be_read_is_for_a_person_and_holds_up_no_other(tmp_path: Path) -> None:
    with closing(sql_database(tmp_path)) as database:
        rounds = Round(Desk(database))
        rounds.say("1.5", "1.6")
        with database.engine.begin() as connection:
            rows = update(said).where(said.c.study_instance_uid == "1.5")
            connection.execute(rows.values(document=func.replace(said.c.document, '"flagged"', '"of a later version"')))
        rounds.go_on(timedelta(hours=1))
        assert rounds.peer.taken == ["1.6"]
        unread, _ = rounds.desk.deliveries()
        assert (unread.state, unread.error) == (REFUSED, "could not be sent from here (ValueError)")


def test_the_past_is_said_in_slices_so_that_a_film_need_not_wait_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(MemoryDatabase())
    uids = [f"1.5.{number}" for number in range(25)]
    for uid in uids:
        desk.arrive(uid=uid)
        with desk.database.write() as tx:
            outcome, found = scored(uid, 0.1, at=desk.clock()), tx.study(uid)
            assert found is not None
            tx.add_outcome(outcome)
            tx.put_study(with_outcome(found, outcome, POLICY))
    written, begin = list[int](), desk.database.write

    @contextmanager
    def counted() -> Iterator[Transaction]:
        with begin() as tx:
            before = (len(list(tx.deliveries.last_results())), len(tx.deliveries.deliveries()))
            yield tx
            after = (len(list(tx.deliveries.last_results())), len(tx.deliveries.deliveries()))
            written.append(max(more - less for more, less in zip(after, before, strict=True)))

    monkeypatch.setattr(desk.database, "write", counted)
    monkeypatch.setattr("triage.services.deliveries.SLICE", 10)
    assert send_past(desk.database, "pacs", NOW, "adm", desk.clock) == 25
    assert max(written) == 10
    assert send_past(desk.database, "pacs", NOW, "adm", desk.clock) == 0
    desk.peer.refuses = True
    desk.drain()
    states = list[int]()

    @contextmanager
    def watched() -> Iterator[Transaction]:
        with begin() as tx:
            before = len(tx.deliveries.deliveries(states=[REFUSED]))
            yield tx
            states.append(before - len(tx.deliveries.deliveries(states=[REFUSED])))

    monkeypatch.setattr(desk.database, "write", watched)
    assert len(retry_refused(desk.database, "pacs", "adm", desk.clock)) == 25
    assert max(states) == 10


def test_what_was_not_flagged_is_taken_back_though_the_answer_to_it_never_comes(desk: Desk) -> None:
    """A PACS that keeps the report and answers *later* for ever, as of a page that it has no room for."""
    peer = Keeps()
    desk.assess(0.1)
    for _ in range(20):
        publish(desk.database, "pacs", peer, WITHIN, desk.clock, lambda: 1.0)
        desk.clock.forward(minutes=10)
    desk.doubt(Doubt.IDENTITY_CONFLICT)
    for _ in range(5):
        publish(desk.database, "pacs", peer, WITHIN, desk.clock, lambda: 1.0)
        desk.clock.forward(minutes=10)
    assert [one.level for one in peer.kept] == [Level.NOT_FLAGGED, Level.NOT_ASSESSED]
    assert peer.named == [(), (peer.kept[0].number,)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_by_itself_is_seen_and_ends_the_process() -> None:
    def broken(stop: threading.Event, seconds: float) -> None:
        raise SystemExit

    desk, stop, seen = Desk(MemoryDatabase()), threading.Event(), threading.Event()
    one = Publisher(
        destination="pacs",
        transport=desk.peer,
        database=desk.database,
        within=WITHIN,
        clock=desk.clock,
        chance=lambda: 0.0,
        wait=broken,
    )

    def hung() -> None:
        seen.set()
        stop.set()

    watch = threading.Thread(target=run_publishers, args=([one], stop, hung))
    watch.start()
    found = seen.wait(5)
    stop.set()
    watch.join(20)
    assert found
