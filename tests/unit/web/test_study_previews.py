"""Previews are made by a real child that may die or dawdle, and kept within bounds."""

import json
import math
import os
import signal
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.films import film
from tests.unit.sandbox.servers import server
from triage.archive.memory import MemoryArchive
from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.sandbox.child import NONSENSICAL
from triage.web.darkroom import Darkroom, Facts, Print, printed
from triage.web.previews import WAITING, Previews
from triage.web.shelf import Busy, Shelf

FILM = film(rows=40, columns=30, bright=0.5, PhotometricInterpretation="MONOCHROME1")


@pytest.fixture(scope="module")
def darkroom() -> Iterator[Darkroom]:
    darkroom = Darkroom()
    yield darkroom
    darkroom.close()


def test_the_child_gives_values_and_a_picture(darkroom: Darkroom) -> None:
    made = darkroom.develop(BytesIO(FILM))
    values = np.frombuffer(made.raw, "<u2").reshape(made.facts.height, made.facts.width)
    assert (made.facts.width, made.facts.height, made.facts.rows, made.facts.columns) == (30, 40, 40, 30)
    assert made.facts.inverted
    assert set((made.facts.intercept + made.facts.slope * values).round().ravel()) == {0, 4095}
    assert made.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.CANNOT_DECODE),
        (b"\0" * 1000, Reason.CANNOT_DECODE),
        (FILM[:-100], Reason.CANNOT_DECODE),
        (film(PixelData=None), Reason.NO_IMAGE),
        (film(Rows=65535, Columns=65535), Reason.CANNOT_DECODE),
    ],
)
def test_a_film_without_preview_has_its_reason_and_the_child_goes_on(darkroom: Darkroom, data: bytes, reason: Reason) -> None:
    with pytest.raises(PixelError) as caught:
        darkroom.develop(BytesIO(data))
    assert caught.value.reason is reason
    assert darkroom.develop(BytesIO(FILM)).facts.width == 30


def test_a_server_that_was_killed_is_replaced(darkroom: Darkroom) -> None:
    darkroom.develop(BytesIO(FILM))
    pid = darkroom._child.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert darkroom.develop(BytesIO(FILM)).facts.width == 30


NONSENSE = {
    "says nothing": "tell({}, [])",
    "has facts and no values": "tell({'facts': FACTS}, [])",
    "has more than any film": "tell({'facts': FACTS}, [bytes(90_000_000), PNG])",
}
FACTS: dict[str, Any] = {
    "rows": 4, "columns": 2, "height": 4, "width": 2, "slope": 2.0, "intercept": -1, "low": 0.0, "high": 9.0, "inverted": False
}  # fmt: skip
RAW, PNG = bytes(16), bytes(imagecodecs.png_encode(np.zeros((4, 2), np.uint8)))


@pytest.mark.parametrize("kind", NONSENSE)
def test_a_child_that_talks_nonsense_is_not_believed(kind: str) -> None:
    darkroom = Darkroom(command=server(preview=f"FACTS, PNG = {FACTS!r}, {PNG!r}\n{NONSENSE[kind]}"))
    with pytest.raises(PixelError) as caught:
        darkroom.develop(BytesIO(FILM))
    assert caught.value.reason is Reason.CANNOT_DECODE
    assert caught.value.args == ("the decoder talks nonsense",)
    darkroom.close()


def test_a_child_that_talks_sense_is_believed() -> None:
    made = printed({"facts": FACTS}, [RAW, PNG])
    assert (made.facts.width, made.facts.intercept, made.raw, made.png) == (2, -1.0, RAW, PNG)
    assert printed({"facts": FACTS}, [RAW, b""], whole=True).png == b""


LONG = {"rows": 1025, "columns": 1, "height": 1025, "width": 1}


@pytest.mark.parametrize(
    ("facts", "parts", "whole"),
    [
        (FACTS, [b"123", PNG], False),
        (FACTS | {"depth": 3}, [RAW, PNG], False),
        ({name: FACTS[name] for name in FACTS if name != "low"}, [RAW, PNG], False),
        (list(FACTS), [RAW, PNG], False),
        (FACTS, [RAW, b""], False),
        (FACTS, [RAW, b"<html>"], False),
        (FACTS, [RAW, PNG[:19] + b"\x09" + PNG[20:]], False),
        (FACTS, [RAW, PNG + bytes(9999)], False),
        (FACTS, [RAW, PNG], True),
        (FACTS | {"rows": 5}, [RAW, b""], True),
        (FACTS | LONG, [bytes(2050), PNG], False),
        (FACTS | {"rows": 3}, [RAW, PNG], False),
        *(
            (FACTS | {name: value}, [RAW, PNG], False)
            for name, values in {
                "rows": ["<script>", 4.0, True, 0, 10**400],
                "columns": [1 << 30],
                "width": [-1],
                "slope": [math.nan, 0, -1, None, True, 10**400, 10**4000],
                "intercept": [math.inf, []],
                "low": ["0"],
                "high": [-1],
                "inverted": [1, "no"],
            }.items()
            for value in values
        ),
    ],
)
def test_facts_are_checked_as_if_a_stranger_had_written_them(facts: Any, parts: list[bytes], whole: bool) -> None:
    with pytest.raises(NONSENSICAL):
        printed(json.loads(json.dumps({"facts": facts})), parts, whole=whole)


def test_without_a_server_the_page_may_ask_again() -> None:
    darkroom = Darkroom(command=("false",))
    with pytest.raises(Busy):
        darkroom.develop(BytesIO(FILM))


class Counting(Darkroom):
    """Makes previews of a size that the film names; fails for an empty one."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[bytes] = []

    def develop(self, film: BinaryIO) -> Print:
        data = film.read()
        self.made.append(data)
        if not data:
            raise PixelError(Reason.NUMERIC)
        facts = Facts(width=1, height=1, rows=1, columns=1, slope=1, intercept=0, low=0, high=1, inverted=False)
        return Print(facts=facts, raw=bytes(int(data)), png=b"")


SMALL = Print(
    facts=Facts(width=1, height=1, rows=1, columns=1, slope=1, intercept=0, low=0, high=1, inverted=False), raw=b"12", png=b""
)


def of(sizes: dict[str, int | None]) -> MemoryArchive:
    archive = MemoryArchive()
    archive.objects = {name: b"" if size is None else str(size).encode() for name, size in sizes.items()}
    return archive


@settings(max_examples=80, deadline=None)
@given(wishes=st.lists(st.sampled_from("abcdef"), max_size=40), capacity=st.integers(1, 9000))
def test_what_is_kept_stays_within_bounds_and_is_right(wishes: str, capacity: int) -> None:
    sizes: dict[str, int | None] = {"a": 1, "b": 900, "c": 2500, "d": 4000, "e": 5000, "f": None}
    previews = Previews(of(sizes).open, Counting(), capacity)
    for wish in wishes:
        try:
            assert len(previews.of(wish).raw) == sizes[wish]
        except PixelError as error:
            assert (wish, error.reason) == ("f", Reason.NUMERIC)  # noqa: PT017 - which one it is is the point
        assert previews.held_bytes <= max(capacity, 5000)
    again = Previews(of(sizes).open, Counting(), 0)
    assert again.held_bytes == 0


def test_a_preview_is_made_once_and_a_failure_too() -> None:
    darkroom = Counting()
    previews = Previews(of({"a": 1, "f": None}).open, darkroom)
    for _ in range(3):
        previews.of("a")
        with pytest.raises(PixelError):
            previews.of("f")
    assert darkroom.made == [b"1", b""]


def test_a_film_that_took_too_long_is_tried_again_after_a_minute() -> None:
    now, tries = [100.0], []
    shelf: Shelf[Print] = Shelf(1000, 1, clock=lambda: now[0])

    def slow() -> Print:
        tries.append(now[0])
        raise PixelError(Reason.TIMED_OUT)

    def slow_for(seconds: float) -> None:
        now[0] += seconds
        with pytest.raises(PixelError):
            shelf.get("a", slow)

    for seconds in (0, 59, 1, 30, 30):
        slow_for(seconds)
    assert tries == [100.0, 160.0, 220.0]
    now[0] += 60
    assert shelf.get("a", lambda: SMALL) is SMALL
    now[0] += 1e6
    assert shelf.get("a", slow) is SMALL


def test_that_no_film_could_be_opened_is_not_remembered() -> None:
    shelf: Shelf[Print] = Shelf(1000, 1)

    def unopened() -> Print:
        raise Busy("no server")

    with pytest.raises(Busy):
        shelf.get("a", unopened)
    assert shelf.get("a", lambda: SMALL) is SMALL


def test_a_film_that_is_not_there_is_asked_for_again() -> None:
    archive = of({})
    previews = Previews(archive.open, Counting())
    with pytest.raises(PixelError):
        previews.of("a")
    archive.objects["a"] = b"7"
    assert len(previews.of("a").raw) == 7


def test_the_one_wanted_longest_ago_goes_first() -> None:
    darkroom = Counting()
    previews = Previews(of({"a": 400, "b": 401, "c": 402}).open, darkroom, 1000)
    for wish in "abaca":
        previews.of(wish)
    assert darkroom.made == [b"400", b"401", b"402"]


def test_too_many_at_once_are_turned_away() -> None:
    go, began = threading.Event(), threading.Semaphore(0)

    class Slow(Counting):
        def develop(self, film: BinaryIO) -> Print:
            began.release()
            assert go.wait(10)
            return super().develop(film)

    previews = Previews(of({str(number): number for number in range(WAITING + 1)}).open, Slow())
    threads = [threading.Thread(target=previews.of, args=(str(number),)) for number in range(WAITING)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert began.acquire(timeout=10)
    with pytest.raises(Busy):
        previews.of(str(WAITING))
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(previews.of(str(WAITING)).raw) == WAITING
