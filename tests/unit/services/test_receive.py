"""Taking a film in: durable, then indexed and listed; every refusal leaves what was there untouched."""

from dataclasses import fields
from typing import Any

import pytest

from tests import films
from tests.unit.services.world import MovingDatabase, World
from triage.archive.memory import MemoryArchive, MemoryIncoming
from triage.domain.errors import (
    DataSetMismatch,
)
from triage.domain.jobs import JobState
from triage.domain.level import Level

FILM = films.film()
DIGEST = films.digest(FILM)
OTHER_BYTES = films.film(bright=0.75)


def causes(world: World) -> list[str]:
    with world.database.read() as tx:
        return [one.cause for one in tx.quarantined()]


def test_a_film_that_was_received_is_kept_indexed_listed_and_due() -> None:
    world = World()
    instance = world.store(FILM)
    assert instance.digest == DIGEST
    assert instance.size_bytes == len(FILM)
    assert world.archive.is_intact(DIGEST)
    with world.database.read() as tx:
        assert tx.instance("1.2.3.1.1") == instance
        assert tx.jobs.state_of("1.2.3") is JobState.WAITING
        assert [study.level for study in tx.worklist()] == [Level.PENDING]
    assert world.gaps() == {}


def test_the_row_holds_what_the_header_and_the_sender_say() -> None:
    instance = World().store(FILM)
    values = {field.name: getattr(instance, field.name) for field in fields(instance)}
    assert values.pop("received_at") == World().clock()
    assert values == {
        "sop_instance_uid": "1.2.3.1.1",
        "sop_class_uid": films.DX,
        "series_instance_uid": "1.2.3.1",
        "study_instance_uid": "1.2.3",
        "transfer_syntax_uid": films.EXPLICIT_LITTLE,
        "digest": DIGEST,
        "size_bytes": len(FILM),
        "calling_ae_title": "MODALITY",
    }


def test_the_object_is_durable_before_the_index_hears_of_it() -> None:
    happened: list[str] = []

    class Incoming(MemoryIncoming):
        def sync(self) -> str:
            happened.append("sync")
            return super().sync()

        def keep(self) -> None:
            super().keep()
            happened.append("keep")

    class Archive(MemoryArchive):
        def receive(self, file_meta: bytes, expected_bytes: int) -> MemoryIncoming:
            return Incoming(self, file_meta)

    class Database(MovingDatabase):
        def write(self):  # type: ignore[no-untyped-def]
            happened.append("index")
            return super().write()

    World(Archive(), Database()).store(FILM)
    assert happened == ["sync", "keep", "index"]


def test_the_same_film_again_is_fine_and_changes_nothing() -> None:
    world = World()
    first = world.store(FILM)
    world.clock.forward(minutes=5)
    assert world.store(FILM, calling_ae_title="OTHER") == first
    assert world.counts() == (1, 0, 0, 1)
    assert world.study().images == 1


def test_a_second_image_of_the_study_joins_it() -> None:
    world = World()
    world.store(FILM)
    arrived_at = world.study().arrived_at
    world.clock.forward(minutes=5)
    world.store(films.film(sop_uid="1.2.3.1.2"))
    assert (world.study().images, world.study().arrived_at) == (2, arrived_at)
    assert world.gaps() == {}


def test_other_bytes_under_a_known_uid_are_set_aside_and_the_first_stays() -> None:
    world = World()
    first = world.store(FILM)
    with pytest.raises(DataSetMismatch):
        world.store(OTHER_BYTES)
    assert world.counts() == (1, 1, 0, 1)
    assert list(world.archive.digests_aside()) == [films.digest(OTHER_BYTES)]
    with world.archive.open(DIGEST) as stream:
        assert stream.read() == FILM
    with world.database.read() as tx:
        assert tx.instance(first.sop_instance_uid) == first
        assert world.study().images == 1
    assert len(causes(world)) == 1
    assert world.gaps() == {}


def test_other_bytes_sent_twice_are_accounted_for_once() -> None:
    world = World()
    world.store(FILM)
    for _ in range(2):
        with pytest.raises(DataSetMismatch):
            world.store(OTHER_BYTES)
    assert world.counts() == (1, 1, 0, 1)
    assert len(causes(world)) == 1


@pytest.mark.parametrize("other", [{"patient_id": "P-2"}, {"patient_id": "P-2", "IssuerOfPatientID": "HOSPITAL-B"}])
def test_another_patient_under_a_known_study_uid_is_set_aside(other: dict[str, Any]) -> None:
    world = World()
    world.store(FILM)
    with pytest.raises(DataSetMismatch):
        world.store(films.film(sop_uid="1.2.3.1.2", **other))
    assert world.counts() == (1, 1, 0, 1)
    assert world.study().images == 1
    assert world.study().facts.patient_id == "P-1"


@pytest.mark.parametrize("other", [{"patient_id": None}, {"IssuerOfPatientID": "HOSPITAL-B"}])
def test_what_one_film_leaves_out_contradicts_nothing(other: dict[str, Any]) -> None:
    world = World()
    world.store(FILM)
    world.store(films.film(sop_uid="1.2.3.1.2", **other))
    assert world.study().images == 2
    assert world.study().facts.patient_id == "P-1"


def test_a_name_left_out_at_first_is_filled_in_and_then_holds() -> None:
    world = World()
    world.store(films.film(sop_uid="1.2.3.1.1", patient_id=None))
    world.store(films.film(sop_uid="1.2.3.1.2", patient_id="P-1"))
    with pytest.raises(DataSetMismatch):
        world.store(films.film(sop_uid="1.2.3.1.3", patient_id="P-2"))
    assert world.study().facts.patient_id == "P-1"


@pytest.mark.parametrize("claim", [{"sop_instance_uid": "9.9"}, {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.1"}])
def test_uids_that_differ_between_command_and_data_set_are_set_aside(claim: dict[str, str]) -> None:
    world = World()
    with pytest.raises(DataSetMismatch):
        world.store(FILM, **claim)
    assert world.counts() == (0, 1, 0, 0)
    assert causes(world) == ["the UIDs of command set and data set differ"]
    assert world.list() == []
    assert world.gaps() == {}
