"""Who leaves gives back what was claimed, each study in its place; who is still there elsewhere keeps it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain import make
from tests.unit.domain.make import NOW, POLICY
from tests.unit.services.people import SECRET, World
from triage.database.memory import MemoryDatabase
from triage.domain.account import Identity, Role, UnknownAccount
from triage.domain.audit import Action
from triage.domain.reading import Step
from triage.domain.study import Reading, ReadingState
from triage.services.reading import take

UIDS = ("1.1", "1.2", "1.3", "1.4")
MINUTE = timedelta(minutes=1)


def prepared(world: World) -> World:
    """Four studies: two are anna's, one is ben's, one is free."""
    world.accounts.add("ben", Role.RADIOLOGIST, "test", SECRET)
    with world.database.write() as tx:
        for number, uid in enumerate(UIDS):
            tx.put_study(make.study(uid, NOW - number * MINUTE))
    for uid, reader in zip(UIDS, ("anna", "anna", "ben"), strict=False):
        claim(world, uid, reader)
    return world


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with opened(request.param, tmp_path) as database:
        yield prepared(World(database))


def claim(world: World, uid: str, reader: str) -> None:
    take(world.database, uid, Step(action=Action.CLAIM, actor=reader), POLICY, lambda: world.now)


def readers(world: World) -> list[str | None]:
    with world.database.read() as tx:
        return [study.reading.reader for study in (tx.study(uid) for uid in UIDS) if study]


def order(world: World) -> list[str]:
    with world.database.read() as tx:
        return [study.study_instance_uid for study in tx.worklist()]


def releases(world: World) -> list[tuple[str, str, str, str]]:
    with world.database.read() as tx:
        entries = [record.entry for record in tx.audit()]
    return [
        (one.actor, one.subject, one.details["because"], one.details["reader_before"])
        for one in entries
        if one.action is Action.RELEASE
    ]


def test_signing_out_gives_everything_back(world: World) -> None:
    secret, before = world.enter(), order(world)
    with world.database.read() as tx:
        revision = tx.revision()
    world.accounts.sign_out(secret)
    assert readers(world) == [None, None, "ben", None]
    assert order(world) == before, "each keeps its place"
    assert releases(world) == [("anna", "1.1", "signed out", "anna"), ("anna", "1.2", "signed out", "anna")]
    with world.database.read() as tx:
        assert tx.revision() > revision, "the lists hear of it"
        assert [record.action for record in tx.audit()][-3:] == ["sign_out", "release", "release"]
    world.accounts.sign_out(secret)
    assert len(releases(world)) == 2


def test_who_is_signed_in_elsewhere_keeps_the_claims(world: World) -> None:
    first, second = world.enter(), world.enter()
    world.accounts.sign_out(first)
    assert readers(world)[:2] == ["anna", "anna"]
    world.accounts.sign_out(second)
    assert readers(world)[:2] == [None, None]


def test_somebody_else_at_the_same_browser_signs_the_first_one_out(world: World) -> None:
    former = world.enter()
    again = world.enter(former=former)
    assert readers(world)[:2] == ["anna", "anna"], "the same person went on"
    world.enter("ben", former=again)
    assert readers(world) == [None, None, "ben", None]
    assert world.accounts.by_session(again) is None


def test_a_session_that_is_over_does_not_hold_them(world: World) -> None:
    world.enter()
    world.now += 20 * MINUTE
    claim(world, "1.1", "anna")
    world.accounts.sign_out(world.enter())
    assert readers(world)[0] is None
    assert [uid for _, uid, _, _ in releases(world)] == ["1.1"], "the other's lease was over: it was free already"


@pytest.mark.parametrize(
    "end",
    [
        lambda accounts: accounts.set_disabled("anna", True, "chief"),
        lambda accounts: accounts.set_role("anna", Role.VIEWER, "chief"),
        lambda accounts: accounts.set_password("anna", "another long sentence", "chief"),
        lambda accounts: accounts.set_external("anna", "chief"),
        lambda accounts: accounts.end_sessions("anna", "chief"),
    ],
    ids=["disabled", "role", "password", "external", "ended"],
)
def test_sessions_that_an_administrator_ends_give_back_too(world: World, end: Callable[..., object]) -> None:
    world.enter()
    end(world.accounts)
    assert readers(world) == [None, None, "ben", None]
    assert [(by, because) for by, _, because, _ in releases(world)] == [("chief", "sessions ended")] * 2


def test_ending_the_others_keeps_this_one(world: World) -> None:
    mine, other, bens = world.enter(), world.enter(), world.enter("ben")
    who = world.accounts.by_session(mine)
    assert who is not None
    assert [one.digest == who.session for one in world.accounts.my_sessions("anna")].count(True) == 1
    assert world.accounts.end_others(who) == 1
    assert world.accounts.by_session(other) is None
    assert world.accounts.by_session(mine) is not None
    assert world.accounts.by_session(bens) is not None
    assert readers(world)[:2] == ["anna", "anna"]
    assert world.accounts.end_others(Identity(name="anna", role=Role.RADIOLOGIST)) == 1, "asked with a token: all of them"
    assert readers(world)[:2] == [None, None]


def test_what_fails_midway_leaves_session_and_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = prepared(World(MemoryDatabase()))
    secret = world.enter()
    monkeypatch.setattr("triage.services.sessions.release_all", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.accounts.sign_out(secret)
    assert world.accounts.by_session(secret) is not None
    assert readers(world)[:2] == ["anna", "anna"]


def test_nobody_unknown_has_sessions_to_end(world: World) -> None:
    with pytest.raises(UnknownAccount):
        world.accounts.end_sessions("nobody", "chief")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["anna", "ben", None]), st.integers(-5, 5)), max_size=8))
def test_exactly_the_persons_own_living_claims_end(claims: list[tuple[str | None, int]]) -> None:
    world = World(MemoryDatabase())
    with world.database.write() as tx:
        for number, (reader, minutes) in enumerate(claims):
            reading = Reading(
                state=ReadingState.CLAIMED if reader else ReadingState.UNREAD,
                reader=reader,
                since=NOW if reader else None,
                lease_until=NOW + minutes * MINUTE if reader else None,
            )
            tx.put_study(make.replace(make.study(f"1.{number}"), reading=reading))
    world.accounts.sign_out(world.enter())
    with world.database.read() as tx:
        after = [tx.study(f"1.{number}") for number in range(len(claims))]
    for (reader, minutes), study in zip(claims, after, strict=True):
        assert study is not None
        assert study.reading.reader == (None if reader == "anna" and minutes > 0 else reader)
