"""Heartbeats and the scheduler's bells."""

from datetime import datetime, timedelta
from typing import Any

from tests import films
from tests.unit.domain.make import NOW, POLICY, Clock
from tests.unit.services.world import RETRIES, MovingDatabase, World
from triage.archive.memory import MemoryArchive
from triage.database.anchor import MemoryAnchor
from triage.domain.audit import Action, AuditEntry, AuditHead
from triage.domain.errors import ConfigError
from triage.domain.role import RoleStatus
from triage.heartbeat import Heartbeat
from triage.scheduler import Bells

LONG = timedelta(hours=1)
"""So long between beats that only those made by hand count."""


def roles(database: MovingDatabase) -> list[RoleStatus]:
    with database.read() as tx:
        return tx.roles()


def test_a_role_says_when_it_starts_beats_and_stops() -> None:
    database, clock = MovingDatabase(), Clock()
    with Heartbeat(database, "worker", clock=clock, restarts=2, model=lambda: "net@1", interval=LONG) as heartbeat:
        (started,) = roles(database)
        assert (started.role, started.state, started.restarts, started.model) == ("worker", "running", 2, "net@1")
        assert started.started_at == started.beat_at == NOW
        clock.forward(seconds=2)
        heartbeat.beat()
        (beaten,) = roles(database)
        assert (beaten.started_at, beaten.beat_at) == (NOW, clock())
    assert [role.state for role in roles(database)] == ["stopped"]


def test_trouble_is_asked_at_every_beat() -> None:
    database, troubles = MovingDatabase(), iter(["no model", None, None])
    with Heartbeat(database, "worker", clock=Clock(), trouble=lambda: next(troubles), interval=LONG) as heartbeat:
        assert roles(database)[0].trouble == "no model"
        heartbeat.beat()
        assert roles(database)[0].trouble is None


def test_a_database_that_is_away_does_not_end_the_role() -> None:
    database = MovingDatabase()
    database.down = True
    with Heartbeat(database, "worker", clock=Clock(), interval=LONG):
        assert roles(database) == []


def bells(world: World, anchor: MemoryAnchor | None = None, **given: Any) -> Bells:
    return Bells(
        **given,
        database=world.database,
        archive=world.archive,
        head_starts=POLICY,
        clock=world.clock,
        anchor=anchor or MemoryAnchor(),
    )


def test_a_bell_sets_aside_what_no_worker_can_finish() -> None:
    world = World()
    world.store(films.film())
    for _ in range(RETRIES.max_attempts):
        with world.database.write() as tx:
            assert tx.jobs.claim("w", world.clock())
        world.clock.forward(minutes=1)
    bells(world).stalled_jobs()
    assert world.study().level == "not_assessed"


def test_a_bell_says_when_something_does_not_add_up() -> None:
    world = World()
    instance = world.store(films.film())
    told = bells(world)
    told.verify()
    assert told.trouble is None
    world.archive.set_aside(instance.digest)
    told.verify()
    assert "triage verify" in (told.trouble or "")


def test_a_bell_reads_films_again_and_says_which_is_damaged_until_it_is_mended() -> None:
    world = World()
    instance = world.store(films.film())
    told = bells(world)
    told.scrub()
    assert told.trouble is None
    assert isinstance(world.archive, MemoryArchive)
    content = world.archive.objects[instance.digest]
    world.archive.objects[instance.digest] = content[:-1]
    told.verify()
    assert told.trouble is None, "by names alone nothing is amiss"
    world.clock.forward(days=1)
    told.scrub()
    assert told.trouble == "1 film is damaged or gone; run: triage verify"
    again = bells(world)
    again.look_at_faults()
    assert again.trouble == told.trouble, "a scheduler that starts anew knows it"
    world.archive.objects[instance.digest] = content
    world.clock.forward(days=1)
    told.scrub()
    assert told.trouble is None


def test_a_bell_notes_the_audits_head_and_says_when_the_chain_is_broken() -> None:
    world, anchor = World(), MemoryAnchor()
    told = bells(world, anchor)
    entry = AuditEntry(at=world.clock(), actor="dr", action=Action.VIEW, subject="1.2", details={})
    with world.database.write() as tx:
        tx.append_audit(entry)
    told.audit()
    assert told.trouble is None
    assert [head.sequence for head in anchor.heads()] == [1]
    anchor.add(AuditHead(sequence=2, digest="0" * 64), world.clock())
    told.audit()
    assert "record 2" in (told.trouble or "")
    assert "triage audit verify" in (told.trouble or "")


def test_a_bell_keeps_the_revocation_list_current_and_says_when_it_cannot() -> None:
    world, asked = World(), []

    def keep(now: datetime) -> bool:
        asked.append(now)
        if len(asked) == 2:
            raise ConfigError("no list that can be read")
        return len(asked) == 1

    told = bells(world, keep_revocations=keep)
    troubles = []
    for _ in range(3):
        told.revocations()
        troubles.append(told.trouble)
    assert asked == [world.clock()] * 3
    assert troubles == [None, "the revocation list is not kept current: no list that can be read", None]
