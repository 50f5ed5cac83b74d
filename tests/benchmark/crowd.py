"""Readers who all look on: each has a stream of events open and fetches the list upon every one, as a page does."""

import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.benchmark.backlog import facts_of, uid_of
from tests.integration.service import Service
from tests.unit.web import scene
from triage.database.engine import SqlDatabase

READERS = 30
HOUR = 3600.0
PER_HOUR = 300
ASSESSED_AFTER = 1.0
"""Seconds from the arrival to the network's word, at the true rate."""
CALM_WITHIN = 60.0
SPREAD = 0.25
"""Seconds over which pages spread their questions after an event, as ``static/live.js`` does."""
ROW = re.compile(rb'<tr id="study-([\d.]+)"')
TOTAL = re.compile(rb'class="total">\s*<strong>([^<]*)</strong>')


@dataclass
class Seen:
    """Milliseconds of every page, and from an event to the list it told of; readers whose last list is not the present one."""

    pages: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    missed: int = 0


class Asker:
    """Asks the service for one thing each time over a connection of its own, as a browser that was idle does."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token

    async def open(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The answer, from its head on."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._token}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        return reader, writer

    async def get(self, path: str) -> bytes:
        """The whole answer."""
        reader, writer = await self.open(path)
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
        return answer


class Looker:
    """One reader. Events that come while a list is being fetched lead to one more fetch, not to one each."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.last = b""
        self.told = asyncio.Event()
        self.told_at = 0.0
        self.revision = ""

    async def listen(self, asker: Asker) -> None:
        reader, self.stream = await asker.open("/events")
        while line := await reader.readline():
            if line.startswith(b"event: worklist"):
                self.revision = (await reader.readline()).decode()
                self.told_at = self.told_at or time.perf_counter()
                self.told.set()

    async def fetch(self, asker: Asker) -> None:
        while True:
            await self.told.wait()
            await asyncio.sleep(random.random() * SPREAD)
            self.told.clear()
            told_at, self.told_at = self.told_at, 0.0
            began = time.perf_counter()
            self.last = await asker.get("/fragments/worklist")
            ended = time.perf_counter()
            self.seen.pages.append((ended - began) * 1000)
            self.seen.delays.append((ended - told_at) * 1000)


async def run(service: Service, database: SqlDatabase, tokens: list[str], numbers: Sequence[int], factor: float) -> Seen:
    """Let the studies of these numbers arrive, ``factor`` times as fast as 300 an hour, while the readers look on."""
    warming, seen = Seen(), Seen()
    lookers = [Looker(warming) for _ in range(READERS)]
    tasks: list[asyncio.Task[None]] = []
    asker = Asker(service.web_port, tokens[0])
    for looker, token in zip(lookers, tokens, strict=True):
        own = Asker(service.web_port, token)
        tasks += [asyncio.create_task(looker.listen(own)), asyncio.create_task(looker.fetch(own))]
    await until(lambda: all(looker.last for looker in lookers), tasks)
    for looker in lookers:
        looker.seen = seen
    gap = HOUR / PER_HOUR / factor
    for number in numbers:
        await asyncio.to_thread(arrive, database, number)
        await asyncio.sleep(min(ASSESSED_AFTER, gap / 2))
        await asyncio.to_thread(assess, database, number)
        await asyncio.sleep(max(gap - ASSESSED_AFTER, gap / 2))
    with database.read() as tx:
        revision, now = f"data: {tx.revision()}\n", [study.study_instance_uid.encode() for study in tx.worklist(limit=100)]
        total = sum(tx.counts_by_level().values())
    quiet = lambda: all(looker.revision == revision and not looker.told_at and not looker.told.is_set() for looker in lookers)  # noqa: E731
    await until(quiet, tasks)
    fresh = await asker.get("/fragments/worklist")  # after every other answer: the lists that were asked for have come
    await until(lambda: all(facts(looker.last) == facts(fresh) for looker in lookers), tasks, 10.0, fail=False)
    assert ROW.findall(fresh) == now, "the page is not the database's list"
    assert str(total).encode() in re.sub(rb"[^\d]", b"", facts(fresh)[0]), "the page's count is not the database's"
    seen.missed = sum(facts(looker.last) != facts(fresh) for looker in lookers)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for looker in lookers:
        looker.stream.close()
    return seen


def facts(page: bytes) -> tuple[bytes, ...]:
    """How many studies a list counts, and its rows in order: the first hundred and, by the number, all the others."""
    total = TOTAL.search(page)
    return (total[1] if total else b"", *ROW.findall(page))


async def until(
    condition: Callable[[], bool], tasks: Sequence[asyncio.Task[None]], within: float = CALM_WITHIN, *, fail: bool = True
) -> None:
    """Wait for the condition; a reader's own failure is raised at once."""
    deadline = time.monotonic() + within
    while not condition():
        for task in tasks:
            if task.done():
                task.result()
        if time.monotonic() > deadline:
            assert not fail, f"not within {within:.0f} s"
            return
        await asyncio.sleep(0.02)


def arrive(database: SqlDatabase, number: int) -> None:
    """A study comes in, and every tenth is made STAT: it goes to the top of the list."""
    scene.arrive(database, uid_of(number), datetime.now(UTC), facts_of(number))
    if number % 10 == 0:
        scene.make_stat(database, uid_of(number))


def assess(database: SqlDatabase, number: int) -> None:
    """The network has spoken: every fifth is flagged."""
    scene.decide(database, scene.scored(uid_of(number), 0.9 if number % 5 == 0 else 0.1, datetime.now(UTC)))
