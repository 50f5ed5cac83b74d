"""The stream: the state at once, each change, signs of life, an end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from starlette.types import Message

from tests.unit.web.conftest import NOW
from tests.unit.web.house import House
from tests.unit.web.test_gate import scope_of
from triage.domain.account import Role
from triage.web.events import STREAMS, Feed, Seen
from triage.web.notices import Notice
from triage.web.sign_in import COOKIE

DEADLINE = 30


class World:
    """What the feed sees; changed by the test."""

    def __init__(self) -> None:
        self.seen = Seen(1, ())
        self.error: Exception | None = None
        self.looks = 0

    def see(self) -> Seen:
        self.looks += 1
        if self.error:
            error, self.error = self.error, None
            raise error
        return self.seen


def run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, DEADLINE))


async def until(stream: AsyncIterator[str], word: str) -> str:
    async for chunk in stream:
        if word in chunk:
            return chunk
    raise AssertionError(f"the stream ended without {word!r}")


def test_each_change_reaches_every_follower() -> None:
    async def scene() -> None:
        world = World()
        feed = Feed(world.see, every=0.01)
        watch = asyncio.create_task(feed.watch())
        streams = [feed.follow() for _ in range(3)]
        for stream in streams:
            assert await anext(stream) == "retry: 2000\n\n"
            assert await anext(stream) == "id: 1\nevent: worklist\ndata: 1\n\n"
        world.seen = Seen(2, ())
        for stream in streams:
            assert await anext(stream) == "id: 2\nevent: worklist\ndata: 2\n\n"
        world.seen = Seen(2, (Notice("alarm", "Storage is full", ""),))
        for stream in streams:
            assert (await anext(stream)).startswith("id: 2\nevent: worklist")
        feed.stop()
        for stream in streams:
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        await watch

    run(scene())


def test_signs_of_life_while_nothing_happens() -> None:
    async def scene() -> None:
        feed = Feed(World().see, every=0.01, breathe=0.02)
        watch = asyncio.create_task(feed.watch())
        stream = feed.follow()
        await until(stream, "event: worklist")
        assert await anext(stream) == ": alive\nevent: alive\ndata: alive\n\n"
        feed.stop()
        await watch

    run(scene())


def test_one_failed_look_does_not_end_the_watch(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("triage.web.events.PAUSE_AFTER_ERROR", 0.01)

    async def scene() -> None:
        world = World()
        world.error = RuntimeError("Okafor^Adaeze")
        feed = Feed(world.see, every=0.01)
        watch = asyncio.create_task(feed.watch())
        await until(feed.follow(), "event: worklist")
        feed.stop()
        await watch

    run(scene())
    assert "RuntimeError" in caplog.text
    assert "Okafor" not in caplog.text


def test_a_slow_follower_skips_to_the_newest_state() -> None:
    async def scene() -> None:
        world = World()
        feed = Feed(world.see, every=0.001)
        watch = asyncio.create_task(feed.watch())
        slow, quick = feed.follow(), feed.follow()
        await until(slow, "id: 1")
        for revision in range(2, 6):
            world.seen = Seen(revision, ())
            await until(quick, f"id: {revision}\n")
        assert "id: 5\n" in await anext(slow)
        feed.stop()
        await watch

    run(scene())


async def asked(app: Any, headers: dict[str, str], statuses: list[int], gone: asyncio.Event) -> None:
    """A browser that opens the stream and stays until ``gone``."""

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = scope_of("127.0.0.1:8080", "/events")
    scope["headers"] += [(name.encode(), value.encode()) for name, value in headers.items()]
    await app(scope, receive, send)


def test_one_person_has_at_most_twenty_streams_and_nobody_else_is_kept_out() -> None:
    async def scene() -> None:
        house = House(NOW)
        anna, ben = ({"cookie": f"{COOKIE}={house.secret(role)}"} for role in (Role.RADIOLOGIST, Role.VIEWER))
        gone, statuses = asyncio.Event(), []
        streams = [asyncio.create_task(asked(house.app, anna, statuses, gone)) for _ in range(STREAMS)]
        while len(statuses) < STREAMS:
            await asyncio.sleep(0.01)
        await asked(house.app, anna, statuses, gone)
        assert statuses == [200] * STREAMS + [429]
        other = asyncio.create_task(asked(house.app, ben, statuses, gone))
        while len(statuses) < STREAMS + 2:
            await asyncio.sleep(0.01)
        assert statuses[-1] == 200
        gone.set()
        await asyncio.gather(*streams, other)
        gone.clear()
        again = asyncio.create_task(asked(house.app, anna, statuses, gone))
        while len(statuses) < STREAMS + 3:
            await asyncio.sleep(0.01)
        assert statuses[-1] == 200, "what was closed does not count"
        gone.set()
        await again
        house.close()

    run(scene())
