"""Storage commitment: no object is committed that is not kept whole (F24), nobody who asked is forgotten."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import films
from tests.unit.database.stores import sql_database
from tests.unit.services.world import World
from triage.archive.files import FileArchive
from triage.domain import commitment as rules
from triage.domain.audit import Action
from triage.domain.commitment import (
    KEPT_FOR,
    MAX_BACKOFF,
    MOST_OPEN,
    TRIED_FOR,
    ActionInformation,
    Commitment,
    CommitmentState,
    Failure,
    Reference,
    Report,
    TooManyReferences,
    backoff,
)
from triage.domain.errors import DataSetMismatch, IndexUnavailable
from triage.domain.instance import SAME_PICTURE
from triage.services import commitment as steps

SUPPORTED = {films.DX, "1.2.840.10008.5.1.4.1.1.7"}
SOP = "1.2.3.1.1"
FILM = films.film(sop_uid=SOP)
HERE = {"calling_ae_title": "MODALITY", "address": "192.0.2.1"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Files on a disk, rows in SQLite."""
    database = sql_database(tmp_path)
    yield World(FileArchive(tmp_path / "instances", 0), database)
    database.close()


def accept(world: World, *references: tuple[str, str], transaction: str = "1.9", **who: str) -> Commitment:
    asked = ActionInformation(transaction, tuple(Reference(*pair) for pair in references or [(films.DX, SOP)]))
    return steps.accept(asked, database=world.database, clock=world.clock, **(HERE | who))


def judge(world: World, *references: tuple[str, str], **who: str) -> Report:
    return steps.judge(accept(world, *references, **who), archive=world.archive, database=world.database, supported=SUPPORTED)


def verdict(world: World, sop_class_uid: str = films.DX, sop_instance_uid: str = SOP, **who: str) -> Failure | None:
    (one,) = judge(world, (sop_class_uid, sop_instance_uid), **who).verdicts
    return one.failure


def kept(world: World) -> Path:
    assert isinstance(world.archive, FileArchive)
    return world.archive.path(films.digest(FILM))


def stored(world: World) -> None:
    world.store(FILM)


def nothing(world: World) -> None:
    pass


def one_bit_flipped(world: World) -> None:
    world.store(FILM)
    content = bytearray(kept(world).read_bytes())
    content[-1] ^= 1
    kept(world).write_bytes(content)


def cut_off(world: World) -> None:
    world.store(FILM)
    kept(world).write_bytes(FILM[:-1])


def a_byte_more(world: World) -> None:
    world.store(FILM)
    kept(world).write_bytes(FILM + b"\0")


def another_syntax_in_its_head(world: World) -> None:
    """The digest covers the data set only; with such a head the file would be read wrongly."""
    world.store(FILM)
    content = FILM.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1)
    assert content != FILM
    kept(world).write_bytes(content)


def no_head(world: World) -> None:
    world.store(FILM)
    kept(world).write_bytes(bytes(132) + FILM[132:])


def empty(world: World) -> None:
    world.store(FILM)
    kept(world).write_bytes(b"")


def gone(world: World) -> None:
    world.store(FILM)
    kept(world).unlink()


def a_folder(world: World) -> None:
    world.store(FILM)
    kept(world).unlink()
    kept(world).mkdir()


def of_another_patient(world: World) -> None:
    """Refused: quarantined, never indexed."""
    world.store(films.film(sop_uid="1.2.3.1.7"))
    with pytest.raises(DataSetMismatch):
        world.store(films.film(sop_uid=SOP, patient_id="P-2", patient_name="Roe^Bob"))


def still_writing(world: World) -> None:
    meta, data_set = films.split(FILM)
    incoming = world.archive.receive(meta, len(FILM))
    incoming.write(data_set)
    incoming.sync()


def kept_not_indexed(world: World) -> None:
    """The crash between rename and commit."""
    meta, data_set = films.split(FILM)
    incoming = world.archive.receive(meta, len(FILM))
    incoming.write(data_set)
    incoming.sync()
    incoming.keep()


def under_another_class(world: World) -> None:
    world.store(films.film(sop_uid=SOP, sop_class_uid="1.2.840.10008.5.1.4.1.1.7"))


def other_bytes_set_aside(world: World) -> None:
    world.store(FILM)
    with pytest.raises(DataSetMismatch):
        world.store(films.film(sop_uid=SOP, bright=0.7))


def disk_failed(world: World) -> None:
    world.store(FILM)
    assert isinstance(world.archive, FileArchive)
    world.archive.fail("the disk reported an input/output error")


CASES: dict[str, tuple[Callable[[World], None], Failure | None]] = {
    "stored": (stored, None),
    "absent": (nothing, Failure.NO_SUCH_INSTANCE),
    "one bit flipped": (one_bit_flipped, Failure.PROCESSING_FAILURE),
    "cut off": (cut_off, Failure.PROCESSING_FAILURE),
    "another transfer syntax in its head": (another_syntax_in_its_head, Failure.PROCESSING_FAILURE),
    "no DICM": (no_head, Failure.PROCESSING_FAILURE),
    "a byte more": (a_byte_more, Failure.PROCESSING_FAILURE),
    "empty file": (empty, Failure.PROCESSING_FAILURE),
    "file gone": (gone, Failure.PROCESSING_FAILURE),
    "unreadable": (a_folder, Failure.PROCESSING_FAILURE),
    "quarantined": (of_another_patient, Failure.NO_SUCH_INSTANCE),
    "still being written": (still_writing, Failure.NO_SUCH_INSTANCE),
    "kept, not indexed yet": (kept_not_indexed, Failure.NO_SUCH_INSTANCE),
    "under another class": (under_another_class, Failure.CLASS_INSTANCE_CONFLICT),
    "other bytes under its UID were set aside": (other_bytes_set_aside, Failure.PROCESSING_FAILURE),
    "the disk failed": (disk_failed, Failure.PROCESSING_FAILURE),
}


@pytest.mark.parametrize(("case", "failure"), CASES.values(), ids=CASES)
def test_only_what_is_kept_whole_is_committed(world: World, case: Callable[[World], None], failure: Failure | None) -> None:
    case(world)
    assert verdict(world) is failure


def test_many_flipped_bits_none_committed(world: World) -> None:
    """F24: wrong commits = 0; any bit of the data set counts."""
    world.store(FILM)
    chance, wrong = random.Random(7), 0
    begin = len(FILM) - len(films.data_set_bytes(FILM))
    for _ in range(200):
        content = bytearray(FILM)
        place = chance.randrange(begin, len(FILM))
        content[place] ^= 1 << chance.randrange(8)
        kept(world).write_bytes(content)
        wrong += verdict(world) is None
    kept(world).write_bytes(FILM)
    assert verdict(world) is None
    print(f"flipped bits: 200, committed all the same: {wrong}")
    assert wrong == 0


def test_a_class_that_is_not_stored_here_says_so(world: World) -> None:
    assert verdict(world, "1.2.840.10008.5.1.4.1.1.2") is Failure.CLASS_NOT_SUPPORTED
    world.store(FILM)
    assert verdict(world, "1.2.840.10008.5.1.4.1.1.2") is Failure.CLASS_INSTANCE_CONFLICT


def test_every_object_gets_its_own_verdict(world: World) -> None:
    world.store(FILM)
    report = judge(world, (films.DX, SOP), (films.DX, "1.2.3.1.2"), ("1.2.840.10008.5.1.4.1.1.7", SOP))
    assert [one.failure for one in report.verdicts] == [None, Failure.NO_SUCH_INSTANCE, Failure.CLASS_INSTANCE_CONFLICT]
    assert report.event_type_id == 2
    assert report.committed == (Reference(films.DX, SOP),)
    assert judge(world, (films.DX, SOP), transaction="1.10").event_type_id == 1


def test_what_is_refused_to_one_sender_is_not_committed_to_it(world: World) -> None:
    """The same picture under another header: stored is the first; its sender may rely on that, the second one may not."""
    world.store(FILM)
    with pytest.raises(DataSetMismatch, match=SAME_PICTURE):
        world.store(films.film(sop_uid=SOP, accession_number="ACC-2"), calling_ae_title="PACS")
    assert verdict(world) is None
    assert verdict(world, calling_ae_title="PACS", transaction="1.10") is Failure.PROCESSING_FAILURE


def test_another_use_of_a_transaction_uid_is_refused_object_by_object(world: World) -> None:
    world.store(FILM)
    assert verdict(world) is None
    report = judge(world, (films.DX, SOP), (films.DX, "1.2.3.1.2"))
    assert {one.failure for one in report.verdicts} == {Failure.DUPLICATE_TRANSACTION}
    assert verdict(world) is None
    assert verdict(world, calling_ae_title="OTHER") is None


def test_the_verdict_is_of_the_moment_in_which_it_is_told(world: World) -> None:
    """Between two tries a file was damaged: the second report does not commit it."""
    world.store(FILM)
    asked = accept(world)
    first = steps.judge(asked, archive=world.archive, database=world.database, supported=SUPPORTED)
    kept(world).write_bytes(FILM[:-1])
    second = steps.judge(asked, archive=world.archive, database=world.database, supported=SUPPORTED)
    assert [one.event_type_id for one in (first, second)] == [1, 2]


# what becomes of a request


def claim(world: World, *titles: str) -> Commitment:
    found = steps.claim(titles or ("MODALITY",), world.database, world.clock)
    assert found is not None
    return found


def tell(world: World, commitment: Commitment) -> Report:
    report = steps.judge(commitment, archive=world.archive, database=world.database, supported=SUPPORTED)
    assert steps.delivered(report, database=world.database, clock=world.clock)
    return report


def put_off(world: World, commitment: Commitment, *, chance: float = 0.0, unreachable: bool = False) -> None:
    steps.undelivered(commitment, "silence", chance=chance, unreachable=unreachable, database=world.database, clock=world.clock)


def states(world: World, transaction: str = "1.9") -> list[CommitmentState]:
    with world.database.read() as tx:
        return tx.commitments.state_of("MODALITY", transaction)


def audited(world: World) -> list[dict[str, str]]:
    with world.database.read() as tx:
        entries = [record.entry for record in tx.audit() if record.action == Action.COMMITMENT.value]
    return [{"subject": entry.subject, **entry.details} for entry in entries]


def test_a_request_is_told_and_audited_once() -> None:
    world = World()
    world.store(FILM)
    accept(world, (films.DX, SOP), (films.DX, "1.2.3.9"))
    world.clock.forward(seconds=5)
    held = claim(world)
    report = tell(world, held)
    assert not steps.delivered(report, database=world.database, clock=world.clock)
    assert states(world) == [CommitmentState.REPORTED]
    assert audited(world) == [{"subject": "1.9", "sender": "MODALITY", "committed": "1", "failed": "1"}]


def test_without_the_database_nothing_is_accepted() -> None:
    world = World()
    world.database.down = True  # type: ignore[attr-defined]
    with pytest.raises(IndexUnavailable):
        accept(world)
    world.database.down = False  # type: ignore[attr-defined]
    assert states(world) == []


def test_a_requestor_cannot_fill_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(steps, "MOST_OPEN", 3)
    for number in range(3):
        accept(world, transaction=f"1.{number}")
    with pytest.raises(TooManyReferences):
        accept(world, transaction="1.9")
    accept(world, calling_ae_title="OTHER")
    monkeypatch.setattr(steps, "MOST_OPEN_REFERENCES", 5)
    with pytest.raises(TooManyReferences):
        accept(world, (films.DX, "1.1"), (films.DX, "1.2"), calling_ae_title="THIRD")
    accept(world, calling_ae_title="THIRD")
    world.clock.forward(hours=24)
    steps.give_up(world.database, world.clock)
    accept(world, transaction="1.9")
    assert MOST_OPEN >= 100


def test_a_report_is_tried_ever_less_often_and_given_up_in_the_end() -> None:
    world = World()
    accept(world)
    tries = []
    while not steps.give_up(world.database, world.clock):
        held = steps.claim(["MODALITY"], world.database, world.clock)
        if held is not None:
            tries.append(world.clock())
            put_off(world, held)
        world.clock.forward(seconds=5)
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(tries)]
    print(f"{len(tries)} tries in {(tries[-1] - tries[0]) / timedelta(hours=1):.1f} h, waits {waits[:10]} s …")
    assert waits == sorted(waits)
    assert waits[0] == 10
    assert waits[-1] == MAX_BACKOFF.total_seconds()
    assert states(world) == [CommitmentState.GIVEN_UP]
    assert audited(world) == [{"subject": "1.9", "sender": "MODALITY", "objects": "1", "told": "no", "tries": str(len(tries))}]
    assert steps.give_up(world.database, world.clock) == []


def test_whoever_cannot_be_reached_is_not_called_for_each_request() -> None:
    world = World()
    for number in range(50):
        accept(world, transaction=f"1.{number}")
    world.clock.forward(seconds=5)
    put_off(world, claim(world), unreachable=True)
    assert steps.claim(["MODALITY"], world.database, world.clock) is None
    world.clock.forward(seconds=10)
    assert claim(world).attempts >= 1


def test_what_a_dead_process_was_telling_is_told_again() -> None:
    world = World()
    accept(world)
    world.clock.forward(seconds=5)
    dead = claim(world)
    assert steps.recover(world.database, world.clock) == 1
    again = claim(world)
    assert again.number == dead.number
    assert not steps.undelivered(dead, "late", chance=0.0, unreachable=False, database=world.database, clock=world.clock)
    tell(world, again)


def test_what_is_over_is_remembered_for_a_while() -> None:
    world = World()
    accept(world)
    world.clock.forward(seconds=5)
    tell(world, claim(world))
    world.clock.now += KEPT_FOR
    assert steps.forget(world.database, world.clock) == 0
    world.clock.forward(seconds=1)
    assert steps.forget(world.database, world.clock) == 1


def test_a_broken_audit_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from triage.database.memory import MemoryTransaction
    from triage.domain.errors import AuditBroken

    def broken(*_: object) -> None:
        raise AuditBroken("the end was tampered with")

    world = World()
    accept(world)
    world.clock.forward(seconds=5)
    monkeypatch.setattr(MemoryTransaction, "append_audit", broken)
    tell(world, claim(world))
    assert states(world) == [CommitmentState.REPORTED]


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_backoff_grows_is_capped_and_spreads(attempts: int, chance: float) -> None:
    wait = backoff(attempts, chance)
    assert rules.FIRST_BACKOFF / 2 <= wait <= MAX_BACKOFF
    assert backoff(attempts, 0) / 2 <= wait <= backoff(attempts, 0) <= backoff(attempts + 1, 0)


def test_the_grace_of_a_fresh_request_ends_well_before_it_is_given_up() -> None:
    assert timedelta(seconds=2) <= rules.GRACE < rules.LEASE < TRIED_FOR < KEPT_FOR
