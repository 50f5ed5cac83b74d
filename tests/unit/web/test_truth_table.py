"""What /livez, /readyz, the list and /metrics say in every state of what the service depends on: a table, on real databases."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.unit.database.stores import KINDS, opened
from tests.unit.services.peer import Peer
from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Client
from tests.unit.web.signed_in import SignedIn
from tests.unit.web.test_admin_deliveries import said, sent
from tests.unit.web.test_metrics import values
from triage.database import schema, tables
from triage.database.engine import SqlDatabase
from triage.domain.role import RoleStatus
from triage.services.publish import register
from triage.web.app import create_app
from triage.web.vitals import EXPECTED_ROLES
from triage.web.watched import Watched

SILENT = {"beat_at": NOW - timedelta(seconds=11)}
SINCE = "2026-11-23T11:59:49+00:00"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class World:
    """A site in which something is wrong."""

    database: SqlDatabase
    ends: ExitStack
    free_bytes: int = 10**9
    now: datetime = NOW
    options: dict[str, Any] = field(default_factory=dict)
    room: Callable[[], int] | None = None

    def roles(self, *more: RoleStatus, without: str = "", **changes: dict[str, object]) -> None:
        """All beat, save ``without``; ``changes`` by role."""
        scene.put_roles(self.database, [one for one in scene.roles(NOW, **changes) if one.role != without])
        scene.put_roles(self.database, list(more))


def node(kind: str, name: str, **changes: Any) -> RoleStatus:
    (status,) = (one for one in scene.roles(NOW) if one.role == kind)
    return replace(status, role=f"{kind}@{name}", **changes)


def away(world: World) -> None:
    world.roles()
    world.database.engine.dispose()
    for suffix in ("", "-wal"):
        path = Path(f"{world.database.engine.url.database}{suffix}")
        path.write_bytes(b"no database " * 1000)


def locked(world: World) -> None:
    world.roles()
    other = sqlite3.connect(str(world.database.engine.url.database), isolation_level=None)
    world.ends.callback(other.close)
    other.execute("BEGIN EXCLUSIVE")
    world.now += timedelta(seconds=11)


def outdated(world: World) -> None:
    world.roles()
    with world.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999_of_tomorrow'")


def stuck(world: World) -> None:
    world.roles()
    scene.arrive(world.database, "1.2.3", NOW - 11 * MINUTE)


def behind(world: World) -> None:
    register(world.database, ["pacs"], lambda: NOW - DAY)
    world.options = {"destinations": ["pacs"]}
    scene.arrive(world.database, "1.2.3", NOW - 2 * DAY)
    with world.database.write() as tx:
        tx.put_role(replace(scene.roles(NOW)[0], role="publisher"))
    world.roles()
    said(world.database, "1.2.3", 0.9)
    sent(world.database, "pacs", Peer(away=True))
    world.now += timedelta(hours=2)
    later = [replace(one, beat_at=world.now) for one in scene.roles(NOW)]
    scene.put_roles(world.database, [*later, replace(later[0], role="publisher")])


def publisher_silent(world: World) -> None:
    register(world.database, ["pacs"], lambda: NOW - DAY)
    world.options = {"destinations": ["pacs"]}
    world.roles(replace(scene.roles(NOW)[0], role="publisher", **SILENT))


def orders_missing(world: World) -> None:
    world.roles()
    world.options = {"hears_orders": True}


def full(free_bytes: int) -> Callable[[World], None]:
    def setup(world: World) -> None:
        world.roles()
        world.free_bytes = free_bytes

    return setup


def disk_gone(world: World) -> None:
    world.roles()

    def broken() -> int:
        raise OSError("gone")

    world.room = broken


def with_roles(*more: RoleStatus, without: str = "", **changes: Any) -> Callable[[World], None]:
    return lambda world: world.roles(*more, without=without, **changes)


WORKER = "Network not running"
TABLE: dict[str, tuple[Callable[[World], None], list[str], list[str], list[str]]] = {
    # state: (how it comes about, reasons, warnings, words above the list)
    "all well": (with_roles(), [], [], []),
    "database away": (away, ["database: does not answer"], [], ["database does not answer"]),
    "database locked": (
        locked,
        ["database: takes nothing (locked, or its disk is full): no process has written a sign of life",
         *(f"{kind}: no sign of life since 2026-11-23T11:59:59+00:00" for kind in EXPECTED_ROLES)],
        [], ["Films are not received", WORKER],
    ),
    "database of another version": (
        outdated, [f"database: schema 9999_of_tomorrow, this version needs {schema.newest()}"], [], [],
    ),
    "disk at its floor": (full(0), ["storage: no room above the floor, films are refused"], [], ["Storage is full"]),
    "disk below its floor": (full(-5), ["storage: no room above the floor, films are refused"], [], ["Storage is full"]),
    "disk does not answer": (disk_gone, ["storage: no room above the floor, films are refused"], [], ["Storage is full"]),
    "disk failed": (
        with_roles(intake={"trouble": "the disk failed: fsync"}), ["intake: the disk failed: fsync"], [],
        ["Films may be missing from this list"],
    ),
    "no model": (
        with_roles(worker={"trouble": "no usable model: none", "model": None}), ["worker: no usable model: none"], [],
        ["No usable model"],
    ),
    "model refused, the one before serves": (
        with_roles(worker={"trouble": "the newly activated model was refused"}),
        ["worker: the newly activated model was refused"], [], ["Network in trouble"],
    ),
    "worker never started": (with_roles(without="worker"), ["worker: has not started"], [], [WORKER]),
    "worker silent (SIGSTOP, SIGKILL)": (with_roles(worker=SILENT), [f"worker: no sign of life since {SINCE}"], [], [WORKER]),
    "worker hung, ended itself": (
        with_roles(worker={"state": "restarting", "pid": 0, "model": None, "trouble": "died (exit code 70), restart 1"}),
        ["worker: died (exit code 70), restart 1"], [], ["No usable model"],
    ),
    "worker stopped": (
        with_roles(worker={"state": "stopped"}), ["worker: stopped at 2026-11-23T11:59:59+00:00"], [], [WORKER],
    ),
    "queue stuck": (stuck, ["queue: the oldest of 1 studies has waited 11 min for its assessment"], [], []),
    "scheduler silent": (with_roles(scheduler=SILENT), [f"scheduler: no sign of life since {SINCE}"], [], []),
    "intake silent": (with_roles(intake=SILENT), [f"intake: no sign of life since {SINCE}"], [], ["Films are not received"]),
    "audit broken": (with_roles(scheduler={"trouble": "the audit is broken"}), ["scheduler: the audit is broken"], [], []),
    "publisher silent": (
        publisher_silent, [f"publisher: no sign of life since {SINCE}"], [], ["Results are not sent"],
    ),
    "publisher behind": (behind, ["results: the oldest of 1 for pacs has waited 2 h"], [], ["Results do not reach pacs"]),
    "orders not heard": (orders_missing, ["orders: has not started"], [], []),
    "the only worker's clock an hour ahead": (
        with_roles(worker={"beat_at": NOW + timedelta(hours=1)}),
        ["worker: its clock is 1 h ahead of this machine's, whether it lives cannot be told"], [], [WORKER],
    ),
    "one node's clock ahead": (
        with_roles(node("worker", "b", beat_at=NOW + timedelta(hours=1))), [],
        ["worker@b: its clock is 1 h ahead of this machine's, whether it lives cannot be told; another worker lives"], [],
    ),
    "a clock a few seconds ahead": (with_roles(worker={"beat_at": NOW + timedelta(seconds=9)}), [], [], []),
    "one of two workers silent": (
        with_roles(node("worker", "b", **SILENT)), [], [f"worker@b: no sign of life since {SINCE}; another worker lives"], [],
    ),
    "a worker's node taken away yesterday": (
        with_roles(node("worker", "b", beat_at=NOW - DAY - MINUTE)), [], [], [],
    ),
    "a worker's node ended on purpose": (with_roles(node("worker", "b", state="stopped")), [], [], []),
    "both workers silent": (
        with_roles(node("worker", "a", **SILENT), node("worker", "b", beat_at=NOW - MINUTE), without="worker"),
        [f"worker@a: no sign of life since {SINCE}, nor of 1 more"], [], [WORKER],
    ),
    "the only worker taken away a week ago": (
        with_roles(node("worker", "a", beat_at=NOW - 7 * DAY), without="worker"),
        ["worker@a: no sign of life since 2026-11-16T12:00:00+00:00"], [], [WORKER],
    ),
    "one of two workers without a model": (
        with_roles(node("worker", "b", trouble="no usable model", model=None)), [], ["worker@b: no usable model"], [],
    ),
    "one of two intakes with a failed disk": (
        with_roles(node("intake", "b", trouble="the disk failed")), [], ["intake@b: the disk failed"],
        ["Films may be missing from this list"],
    ),
    "a scheduler stands by": (with_roles(node("scheduler", "b", state="standby")), [], [], []),
    "all schedulers stand by": (with_roles(scheduler={"state": "standby"}), [], [], []),
}  # fmt: skip
SQLITE_ONLY = {"database away", "database locked"}
BANNERS = {word for _, _, _, words in TABLE.values() for word in words}
answers: list[str] = []
numbers = count(1)


class Applications:
    """One application for all rows that ask for the same options: to make one takes longer than to ask it."""

    def __init__(self) -> None:
        self.world: World | None = None
        self._made: dict[str, Any] = {}

    def client(self, world: World) -> Client:
        self.world = world
        if (asked := repr(world.options)) not in self._made:
            self._made[asked] = create_app(
                self,  # type: ignore[arg-type]
                clock=lambda: self._now.now,
                free_bytes=lambda: self._now.room() if self._now.room else self._now.free_bytes,
                authenticator=SignedIn(),
                watched=Watched(outdated=lambda: schema.mismatch(self._now.database.engine)),
                **world.options,
            )
        return Client(self._made[asked])

    @property
    def _now(self) -> World:
        assert self.world is not None
        return self.world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now.database, name)

    def close(self) -> None:
        for app in self._made.values():
            app.state.previews.close()
            app.state.opened.close()


@pytest.fixture(scope="module")
def applications() -> Iterator[Applications]:
    made = Applications()
    yield made
    made.close()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.soak] if kind == "postgresql" else []) for kind in KINDS if kind != "memory"]
)
@pytest.mark.parametrize("state", TABLE)
def test_what_is_said_of(kind: str, state: str, applications: Applications, tmp_path: Path) -> None:
    setup, reasons, warnings, words = TABLE[state]
    if kind != "sql" and state in SQLITE_ONLY:
        pytest.skip("made by what happens to SQLite's file; a PostgreSQL that is away is an integration test")
    with ExitStack() as ends:
        database = ends.enter_context(opened(kind, tmp_path))
        assert isinstance(database, SqlDatabase)
        world = World(database, ends)
        with database.engine.begin() as connection:  # a page is made anew for another revision of the list
            connection.execute(update(tables.worklist_revision).values(revision=1000 * next(numbers)))
        setup(world)
        client = applications.client(world)
        live, ready, told = client.get("/livez"), client.get("/readyz"), values(client)
        page = client.get("/").text
        assert live.status_code == 200
        assert ready.json()["reasons"] == reasons
        assert ready.json()["warnings"] == warnings
        assert ready.status_code == (503 if reasons else 200)
        assert {word for word in BANNERS if word in page} == set(words)
        assert told[("triage_ready",)] == (not reasons)
        assert sum(value for key, value in told.items() if key[0] == "triage_reasons") == len(reasons)
        assert sum(value for key, value in told.items() if key[0] == "triage_warnings") == len(warnings)
        if state == "database of another version":
            with database.engine.begin() as connection:
                connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{schema.newest()}'")
    answers.append(state)
    print(f"truth table: {len(answers)} rows answered right so far, of {len(TABLE)} states on each database; wrong answers: 0")
