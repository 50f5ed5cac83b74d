"""The publisher's threads: one for each destination, whatever one of them does."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.domain.make import NOW
from tests.unit.services.desk import WITHIN, Desk
from tests.unit.services.peer import Peer
from triage.database.memory import MemoryDatabase
from triage.domain.delivery import DELIVERED, LEASE_BEYOND, SENDING
from triage.publisher import Publisher, run_publishers
from triage.services.publish import register


@pytest.fixture
def desk() -> Desk:
    return Desk(MemoryDatabase())


def publisher(desk: Desk, **given: Any) -> Publisher:
    usual: dict[str, Any] = {
        "destination": "pacs",
        "transport": desk.peer,
        "database": desk.database,
        "within": WITHIN,
        "clock": desk.clock,
        "chance": lambda: 0.0,
        "wait": lambda stop, seconds: stop.wait(0.01),
    }
    return Publisher(**{**usual, **given})


def test_a_peer_that_is_slow_holds_up_no_other(desk: Desk) -> None:
    quick = Peer()
    register(desk.database, ["ris"], desk.clock)
    desk.assess(0.9)
    desk.peer.slow.clear()
    stop, told = threading.Event(), threading.Event()

    ris = publisher(desk, destination="ris", transport=quick, reached=lambda step: told.set() if step == "ended" else None)
    both = [publisher(desk), ris]
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
    one = publisher(desk, within=-LEASE_BEYOND)

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
    one = publisher(desk, reached=lambda step: begun.set() if step == "claimed" else None)
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

    one = publisher(desk, clock=clock, wait=lambda stop, seconds: None)
    one.run(stop)
    assert len(looks) > 3
