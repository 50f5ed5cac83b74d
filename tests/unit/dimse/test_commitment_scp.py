"""The storage commitment SCP as associations and the reporter use it: its answers, its races, and what it does in trouble."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.unit.database.stores import sql_database
from tests.unit.dimse.requests import DX, EXPLICIT, action, encoded
from tests.unit.domain.make import Clock
from tests.unit.services.world import MovingDatabase, World
from triage.archive.memory import MemoryArchive
from triage.database.memory import MemoryTransaction
from triage.dimse import command
from triage.dimse.command import Command, parse
from triage.dimse.commitment_scp import StorageCommitment
from triage.dimse.commitments import Request, Telling, is_taken
from triage.dimse.negotiation import Context
from triage.domain.commitment import GRACE, SOP_CLASS_UID, SOP_INSTANCE_UID, CommitmentState, Report
from triage.domain.errors import ArchiveAway, IndexUnavailable
from triage.services.ports import Archive, Database

HERE = ("CT", "192.0.2.1")
CONTEXTS = {1: Context(DX, EXPLICIT), 5: Context(SOP_CLASS_UID, EXPLICIT)}


def desk(
    database: Database, archive: Archive, clock: Clock, reachable: tuple[str, ...] = ("CT",), chance: float = 0.0
) -> StorageCommitment:
    return StorageCommitment(
        archive=archive, database=database, supported=[DX], reachable=reachable, clock=clock, chance=lambda: chance
    )


@pytest.fixture
def world() -> World:
    return World()


def request(scp: StorageCommitment, transaction: str = "1.9", *, who: tuple[str, str] = HERE, **changes: Any) -> int:
    given = {
        "action_type_id": 1,
        "sop_class_uid": SOP_CLASS_UID,
        "sop_instance_uid": SOP_INSTANCE_UID,
        "data_set": encoded(action(transaction, [(DX, "1.2.3.1.1")]), EXPLICIT),
        "transfer_syntax_uid": EXPLICIT,
    } | changes
    return scp.requested(*who, **given)


def states(database: Database, transaction: str = "1.9") -> list[CommitmentState]:
    with database.read() as tx:
        return tx.commitments.state_of("CT", transaction)


WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "another class": ({"sop_class_uid": DX}, 0x0118),
    "another instance": ({"sop_instance_uid": "1.2"}, 0x0112),
    "another action": ({"action_type_id": 0}, 0x0123),
    "nonsense": ({"data_set": b"nonsense"}, 0x0115),
    "nothing": ({"data_set": b""}, 0x0115),
    "another syntax": ({"transfer_syntax_uid": "1.2.840.10008.1.2.2"}, 0x0115),
    "too long": ({"data_set": bytes(3 << 20)}, 0x0213),
}


@pytest.mark.parametrize(("wrong", "status"), WRONG.values(), ids=WRONG)
def test_each_wrong_request_has_its_status_and_leaves_nothing(world: World, wrong: dict[str, Any], status: int) -> None:
    scp = desk(world.database, world.archive, world.clock)
    assert request(scp, **wrong) == status
    assert states(world.database) == []
    assert not scp.news.is_set()


def test_without_the_database_a_request_is_not_taken(world: World) -> None:
    assert isinstance(world.database, MovingDatabase)
    scp = desk(world.database, world.archive, world.clock)
    world.database.down = True
    assert request(scp) == 0x0110
    world.database.down = False
    assert states(world.database) == []
    assert request(scp) == 0x0000
    assert states(world.database) == [CommitmentState.WAITING]
    assert scp.news.is_set()


def due(scp: StorageCommitment) -> Report:
    report = scp.report_due(*HERE)
    assert report is not None
    return report


def test_a_report_that_could_not_be_noted_is_told_again(world: World) -> None:
    assert isinstance(world.database, MovingDatabase)
    scp = desk(world.database, world.archive, world.clock)
    request(scp)
    report = due(scp)
    world.database.down = True
    scp.delivered(report)
    scp.undelivered(report, "silence")
    scp.ended(*HERE)
    assert scp.report_due("MR", "192.0.2.2") is None
    world.database.down = False
    world.clock.forward(minutes=15)
    again = scp.next_claim()
    assert again is not None
    assert again.attempts == 2


@pytest.mark.parametrize("trouble", [MemoryError(), ArchiveAway("the object store: no proper answer")])
def test_an_archive_in_trouble_puts_the_report_off(world: World, monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    def broken(*_: object) -> bool:
        raise trouble

    world.store(films.film(sop_uid="1.2.3.1.1"))
    scp = desk(world.database, world.archive, world.clock)
    request(scp)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryArchive, "fault", broken)
        assert scp.report_due(*HERE) is None
    assert states(world.database) == [CommitmentState.WAITING]
    world.clock.forward(seconds=10)
    claimed = scp.next_claim()
    assert claimed is not None
    report = scp.judged(claimed)
    assert report is not None
    assert report.event_type_id == 1


def test_a_database_that_fails_in_between_puts_the_report_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise IndexUnavailable("away")

    scp = desk(world.database, world.archive, world.clock)
    request(scp)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryTransaction, "instance", away)
        assert scp.report_due(*HERE) is None
    assert states(world.database) == [CommitmentState.WAITING]


def test_whoever_can_be_called_is_asked_on_the_line_once(world: World) -> None:
    """Else a requestor that stays and never answers on its own association would never be called."""
    called, uncalled = (desk(world.database, world.archive, world.clock, known) for known in (("CT",), ()))
    request(called)
    called.undelivered(due(called), "silence")
    world.clock.forward(hours=1)
    assert called.report_due(*HERE) is None
    assert uncalled.report_due(*HERE) is not None
    assert uncalled.next_claim() is None


def test_the_reporter_leaves_a_fresh_request_to_its_association(world: World) -> None:
    scp = desk(world.database, world.archive, world.clock)
    request(scp)
    assert scp.next_claim() is None
    scp.news.clear()
    scp.ended(*HERE)
    assert scp.news.is_set()
    assert scp.next_claim() is not None


def test_associations_and_the_reporter_never_tell_the_same_request(tmp_path: Path) -> None:
    database, clock, told = sql_database(tmp_path), Clock(), []
    scp = desk(database, MemoryArchive(), clock)
    for number in range(40):
        assert request(scp, f"1.9.{number}") == 0x0000
    clock.now += GRACE
    barrier = threading.Barrier(6)

    def work(claim: Callable[[], Report | None]) -> None:
        barrier.wait()
        while (report := claim()) is not None:
            told.append(report.commitment.action.transaction_uid)
            scp.delivered(report)

    def by_reporter() -> Report | None:
        claimed = scp.next_claim()
        return None if claimed is None else scp.judged(claimed)

    claims = [by_reporter] + [lambda: scp.report_due(*HERE)] * 5
    threads = [threading.Thread(target=work, args=(claim,)) for claim in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == sorted(f"1.9.{number}" for number in range(40))
    database.close()


# on an association


def response(message_id: int, status: int = 0x0000, field: int = command.N_EVENT_REPORT_RSP) -> Command:
    asked = Command({command.MESSAGE_ID: message_id.to_bytes(2, "little")})
    return parse(command.response(asked, field, status))


@contextmanager
def telling(world: World) -> Iterator[tuple[Telling, int]]:
    """A report on its way, and its message ID."""
    scp = desk(world.database, world.archive, world.clock)
    request(scp)
    line = Telling(*HERE, CONTEXTS, scp)
    assert line.may
    message = line.next()
    assert message is not None
    number, head, data_set = message
    assert number == 5
    assert data_set
    told = parse(head)
    assert (told.field, told.number(command.EVENT_TYPE_ID)) == (command.N_EVENT_REPORT_RQ, 2)
    assert told.text(command.AFFECTED_SOP_CLASS_UID) == SOP_CLASS_UID
    assert told.text(command.AFFECTED_SOP_INSTANCE_UID) == SOP_INSTANCE_UID
    assert not line.may
    yield line, told.message_id


@pytest.mark.parametrize("status", [0x0000, 0x0001, 0x0107, 0xB000, 0xB007])
def test_success_and_warnings_settle_a_report(world: World, status: int) -> None:
    with telling(world) as (line, message_id):
        assert line.heard(response(message_id, status))
        assert line.may
        line.over()
    assert states(world.database) == [CommitmentState.REPORTED]


@pytest.mark.parametrize("status", [0x0110, 0x0112, 0x0117, 0x0211, 0xA700, 0xC000, 0xFE00])
def test_failures_do_not(world: World, status: int) -> None:
    assert not is_taken(status)
    with telling(world) as (line, message_id):
        assert line.heard(response(message_id, status))
        line.over()
    assert states(world.database) == [CommitmentState.WAITING]


def test_what_answers_something_else_is_not_an_answer(world: World) -> None:
    with telling(world) as (line, message_id):
        assert not line.heard(response(message_id + 1))
        assert not line.heard(response(message_id, field=command.C_ECHO_RSP))
        assert states(world.database) == [CommitmentState.SENDING]
        line.over()
        assert not line.heard(response(message_id))
    assert states(world.database) == [CommitmentState.WAITING]


@pytest.mark.parametrize("contexts", [{}, {1: Context(DX, EXPLICIT)}])
def test_without_the_class_nothing_is_told(world: World, contexts: dict[int, Context]) -> None:
    scp = desk(world.database, world.archive, world.clock)
    request(scp)
    line = Telling(*HERE, contexts, scp)
    assert not line.may
    assert line.next() is None
    line.over()
    assert states(world.database) == [CommitmentState.WAITING]


def test_a_request_without_end_is_heard_and_not_kept_in_memory(world: World) -> None:
    asked = Command(
        {
            command.MESSAGE_ID: b"\1\0",
            command.ACTION_TYPE_ID: b"\1\0",
            command.REQUESTED_SOP_CLASS_UID: SOP_CLASS_UID.encode(),
            command.REQUESTED_SOP_INSTANCE_UID: SOP_INSTANCE_UID.encode(),
        }
    )
    message = Request(asked, CONTEXTS[5], *HERE, desk(world.database, world.archive, world.clock))
    for _ in range(100):
        message.write(memoryview(bytes(1 << 20)))
    assert len(message._data_set) <= 3 << 20
    assert parse(message.finish()).number(command.STATUS) == 0x0213
