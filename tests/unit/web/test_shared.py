"""Made once for many, never stale: the piece follows the state, and one maker works at a time."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import count

from triage.web.shared import Shared

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Desk:
    """A state, a clock and a maker that numbers what it makes."""

    def __init__(self, **options: object) -> None:
        self.state, self.now, self.numbers = 1, NOW, count(1)
        self.shared = Shared(**options)  # type: ignore[arg-type]

    def get(self, asked: str = "list") -> str:
        return self.shared.get(asked, lambda: self.state, lambda: self.now, lambda: f"{asked} {next(self.numbers)}")


def test_the_same_state_gives_the_same_piece_and_another_one_another() -> None:
    desk = Desk()
    assert [desk.get(), desk.get(), desk.get("other"), desk.get()] == ["list 1", "list 1", "other 2", "list 1"]
    desk.state = 2
    assert [desk.get(), desk.get()] == ["list 3", "list 3"]
    desk.state = 1
    assert desk.get() == "list 4", "an earlier state's piece is not kept"


def test_a_piece_ages_and_a_clock_that_goes_back_makes_anew() -> None:
    desk = Desk()
    desk.get()
    desk.now += timedelta(seconds=2)
    assert desk.get() == "list 2"
    desk.now -= timedelta(hours=1)
    assert desk.get() == "list 3"


def test_only_so_many_pieces_are_kept() -> None:
    desk = Desk(most=2)
    for asked in ("a", "b", "c"):
        desk.get(asked)
    assert desk.get("c") == "c 3"
    assert desk.get("a") == "a 4"


def test_thirty_ask_and_one_is_made() -> None:
    desk, started, answers = Desk(), threading.Barrier(30), []
    held = threading.Event()

    def make() -> str:
        assert held.wait(5)
        return str(next(desk.numbers))

    def ask() -> None:
        started.wait(5)
        answers.append(desk.shared.get("list", lambda: desk.state, lambda: desk.now, make))

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    held.set()
    for thread in threads:
        thread.join(5)
    assert answers == ["1"] * 30


def test_a_change_while_it_is_made_is_made_again() -> None:
    desk = Desk()

    def make() -> str:
        desk.state += 1  # a film arrives just now
        return str(next(desk.numbers))

    ask = lambda: desk.shared.get("list", lambda: desk.state, lambda: desk.now, make)  # noqa: E731
    assert [ask(), ask()] == ["1", "2"]


def test_a_maker_that_fails_leaves_nothing_behind() -> None:
    desk = Desk()
    try:
        desk.shared.get("list", lambda: 1, lambda: desk.now, lambda: str(1 // 0))
    except ZeroDivisionError:
        assert desk.get() == "list 1"
