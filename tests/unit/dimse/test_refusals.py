"""Who was turned away, in the audit: each cause of an address once in a quarter of an hour, however often it comes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.service import until
from triage.dimse.refusals import MOST_REMEMBERED, MOST_WAITING, Refusals
from triage.domain.errors import IndexUnavailable


@contextmanager
def running(refusals: Refusals) -> Iterator[Refusals]:
    refusals.start()
    yield refusals
    refusals.stop(10)


def test_the_same_counts_once_in_a_quarter_of_an_hour() -> None:
    now, recorded = [0.0], list[tuple[str, str]]()
    with running(Refusals(lambda *one: recorded.append(one), lambda: now[0])) as refusals:
        for now[0] in (0, 1, 899, 900):
            refusals.note("10.0.0.1", "expired")
        refusals.note("10.0.0.1", "revoked")
        refusals.note("10.0.0.2", "expired")
    assert recorded == [("10.0.0.1", "expired")] * 2 + [("10.0.0.1", "revoked"), ("10.0.0.2", "expired")]


def test_a_flood_waits_for_nobody_and_stays_small() -> None:
    go, recorded = threading.Event(), list[str]()

    def slowly(address: str, cause: str) -> None:
        go.wait(10)
        recorded.append(address)

    refusals = Refusals(slowly)
    refusals.start()
    for number in range(2 * MOST_REMEMBERED):
        refusals.note(str(number), "expired")
    assert len(refusals._noted) == MOST_REMEMBERED
    go.set()
    refusals.stop(10)
    assert MOST_WAITING <= len(recorded) <= MOST_WAITING + 1


def test_a_database_that_is_away_ends_nothing() -> None:
    recorded = []

    def record(address: str, cause: str) -> None:
        if address == "1":
            raise IndexUnavailable("away")
        recorded.append(address)

    with running(Refusals(record)) as refusals:
        refusals.note("1", "x")
        refusals.note("2", "x")
        until(lambda: recorded == ["2"], 10, "the second")
