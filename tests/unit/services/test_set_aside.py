"""What is refused and kept: who hears of it, what it leaves untouched; neither crash nor race changes that (F22, F23)."""

import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.unit.database.stores import sql_database
from tests.unit.domain.make import POLICY
from tests.unit.services.world import World
from triage.archive.files import FileArchive
from triage.archive.memory import MemoryArchive
from triage.domain.audit import Action, AuditRecord
from triage.domain.doubt import Doubt
from triage.domain.errors import DataSetMismatch, StorageFull
from triage.domain.level import Level
from triage.domain.reading import LEASE, Step
from triage.domain.reason import Reason
from triage.domain.worklist import level_words, why
from triage.imaging.header import picture_of
from triage.services.reading import take
from triage.services.records import study_record
from triage.services.set_aside import MOST
from triage.services.verify import verify

STRANGER = {"patient_id": "SECRET-2", "patient_name": "Secret^Bob", "accession_number": "SECRET-ACC"}
SECOND = films.film(sop_uid="1.2.3.1.2", **STRANGER)


def world_with(*contents: bytes) -> World:
    world = World()
    for content in contents:
        world.store(content)
    while world.step():
        pass
    return world


def refuse(world: World, content: bytes, **claims: Any) -> None:
    with pytest.raises(DataSetMismatch):
        world.store(content, **claims)
    while world.step():
        pass


def conflicts(world: World) -> list[AuditRecord]:
    with world.database.read() as tx:
        return [record for record in tx.audit() if record.action == Action.CONFLICT.value]


def test_the_kept_study_of_a_conflict_is_not_assessed_and_says_why() -> None:
    world = world_with(films.film(bright=0.1))
    assert world.study().network_level is Level.NOT_FLAGGED
    refuse(world, SECOND)
    study = world.study()
    assert (study.level, study.reason, study.probability) == (Level.NOT_ASSESSED, Reason.IDENTITY_CONFLICT, None)
    assert study.key == study.arrived_at - POLICY.not_assessed
    assert "another patient's film came under its study UID" in why(study, world.clock())


def test_a_flag_stays_and_the_mark_stands_beside_it() -> None:
    world = world_with(films.film(bright=0.9))
    before = world.study()
    refuse(world, SECOND)
    study = world.study()
    assert (study.level, study.probability, study.key) == (Level.FLAGGED, before.probability, before.key)
    assert study.doubt is Doubt.IDENTITY_CONFLICT
    assert "another patient's film" in level_words(study)


def test_a_study_that_was_read_comes_back_when_a_film_is_refused_and_only_for_a_new_one() -> None:
    world = world_with(films.film(bright=0.9))

    def read() -> None:
        take(world.database, "1.2.3", Step(action=Action.READ, actor="dr"), POLICY, world.clock, LEASE)
        assert world.list() == []

    read()
    refuse(world, SECOND)
    assert world.list() == ["1.2.3"], "its reader did not know"
    read()
    refuse(world, SECOND)
    assert world.list() == [], "the same object again is no news"
    refuse(world, films.film(sop_uid="1.2.3.1.3", **STRANGER))
    assert world.list() == ["1.2.3"]


def test_a_conflict_that_arrives_before_the_network_has_looked() -> None:
    world = World()
    world.store(films.film(bright=0.1))
    refuse(world, SECOND)
    assert (world.study().network_level, world.study().reason) == (Level.NOT_ASSESSED, Reason.IDENTITY_CONFLICT)


def test_a_late_image_does_not_lift_the_mark() -> None:
    world = world_with(films.film(bright=0.1))
    refuse(world, SECOND)
    world.store(films.film(sop_uid="1.2.3.1.4", bright=0.1))
    assert world.study().network_level is Level.PENDING
    while world.step():
        pass
    assert (world.study().network_level, world.study().reason) == (Level.NOT_ASSESSED, Reason.IDENTITY_CONFLICT)
    assert world.gaps() == {}


def test_the_audit_has_one_record_an_object_without_a_patient() -> None:
    world = world_with(films.film())
    for _ in range(3):
        refuse(world, SECOND)
    (record,) = conflicts(world)
    assert (record.actor, record.subject) == ("system", "1.2.3")
    assert record.entry.details == {
        "doubt": "identity_conflict",
        "cause": "the study belongs to another patient",
        "digest": films.digest(SECOND),
        "sender": "MODALITY",
    }


def test_nothing_of_the_other_patient_is_told() -> None:
    world = world_with(films.film())
    refuse(world, SECOND)
    with world.database.read() as tx:
        told = str(study_record(tx, "1.2.3", world.clock())) + str(tx.quarantined()) + str(conflicts(world))
    assert "another patient" in told
    assert "secret" not in told.lower()


# SOP Instance UID, series and accession used again


def kept(world: World, content: bytes) -> bool:
    with world.archive.open(films.digest(content)) as stream:
        return stream.read() == content and world.archive.is_intact(films.digest(content))


FIRST = films.film(bright=0.1)
USED_AGAIN: dict[str, tuple[bytes, Doubt]] = {
    "other pixels": (films.film(bright=0.9), Doubt.FILM_SET_ASIDE),
    "a corrected name": (films.film(bright=0.1, patient_name="Dough^Jane"), Doubt.FILM_SET_ASIDE),
    "another series": (films.film(bright=0.1, series_uid="1.2.3.9"), Doubt.FILM_SET_ASIDE),
    "another patient": (films.film(bright=0.1, **STRANGER), Doubt.IDENTITY_CONFLICT),
}


@pytest.mark.parametrize("name", USED_AGAIN)
def test_a_sop_instance_uid_used_again_leaves_the_first_and_marks_the_study(name: str) -> None:
    again, doubt = USED_AGAIN[name]
    world = world_with(FIRST)
    refuse(world, again)
    study = world.study()
    assert kept(world, FIRST)
    assert (study.images, study.doubt, study.network_level) == (1, doubt, Level.NOT_ASSESSED)
    assert list(world.archive.digests_aside()) == [films.digest(again)]
    assert world.gaps() == {}


ROUTED = {
    "InstitutionName": "Somewhere",
    "InstanceCreationTime": "101010",
    "StationName": "ROUTER",
    "ReferringPhysicianName": "X",
}


def test_the_same_picture_by_another_way_is_refused_and_marks_nothing() -> None:
    world = world_with(FIRST)
    for number in range(5):
        refuse(world, films.film(bright=0.1, **ROUTED, InstanceNumber=None, InstitutionAddress=str(number)))
    study = world.study()
    assert kept(world, FIRST)
    assert (study.images, study.doubt, study.network_level) == (1, None, Level.NOT_FLAGGED)
    assert len(list(world.archive.digests_aside())) == 1, "copies pile up"
    assert len(conflicts(world)) == 5
    assert world.gaps() == {}


@pytest.mark.parametrize(
    "other",
    [
        {"PixelData": films.pixels(64, 64, 0.9).tobytes()},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"WindowCenter": 17, "WindowWidth": 5},
        {"view": "LL"},
        {"modality": "CR"},
        {"body_part": "HAND"},
        {"age": "009Y"},
        {"PatientBirthDate": "20250101"},
        {"patient_name": "Dough^Jane"},
    ],
    ids=str,
)
def test_what_shows_or_says_something_else_of_the_picture_marks_the_study(other: dict[str, Any]) -> None:
    world = world_with(FIRST)
    refuse(world, films.film(**{"bright": 0.1, **other}))
    assert world.study().doubt is Doubt.FILM_SET_ASIDE


def test_the_same_picture_as_that_of_a_deflated_or_truncated_object_cannot_be_told() -> None:
    whole = FIRST
    assert picture_of(BytesIO(whole)) is not None
    assert picture_of(BytesIO(whole)) != picture_of(BytesIO(whole[:-2]))
    assert picture_of(BytesIO(films.film(PixelData=None))) is None
    assert picture_of(BytesIO(b"")) is None


def test_retries_with_changing_bytes_bring_a_read_study_back_once_and_do_not_pile_up() -> None:
    world = world_with(FIRST)
    refuse(world, films.film(bright=0.2))
    take(world.database, "1.2.3", Step(action=Action.READ, actor="dr"), POLICY, world.clock, LEASE)
    for number in range(3, 9):
        again = films.film(bright=number / 10)
        refuse(world, again)
        refuse(world, again)
    assert world.list() == [], "the same film again is no news"
    assert len(list(world.archive.digests_aside())) == MOST
    assert len(conflicts(world)) == 7, "each is accounted for once"
    assert [record.entry.details.get("kept") for record in conflicts(world)] == [None] * MOST + ["no"] * 4
    assert world.gaps() == {}
    assert world.reconcile().quarantined == []


def test_a_film_that_is_corrected_into_another_patients_study_makes_the_first_study_doubtful() -> None:
    world = world_with(FIRST)
    refuse(world, films.film("1.9", "1.2.3.1.1", bright=0.1, patient_id="P-9", patient_name="Roe^Ann"))
    study = world.study()
    assert kept(world, FIRST)
    assert (study.doubt, study.network_level) == (Doubt.IDENTITY_CONFLICT, Level.NOT_ASSESSED)
    assert world.gaps() == {}


def test_a_sop_instance_uid_used_again_by_another_study_of_the_patient_marks_both() -> None:
    world = world_with(FIRST)
    refuse(world, films.film("1.9", "1.2.3.1.1", bright=0.1))
    assert (world.study().doubt, world.study().network_level) == (Doubt.FILM_SET_ASIDE, Level.NOT_ASSESSED)


def test_a_sop_instance_uid_used_again_by_another_study_marks_both_studies() -> None:
    world = world_with(FIRST, films.film("1.9", "1.9.1.1", bright=0.1, patient_id="P-9"))
    refuse(world, films.film("1.9", "1.2.3.1.1", bright=0.9, patient_id="P-9"))
    assert kept(world, FIRST)
    assert (world.study().doubt, world.study().network_level) == (Doubt.IDENTITY_CONFLICT, Level.NOT_ASSESSED)
    other = world.study("1.9")
    assert (other.images, other.doubt, other.reason) == (1, Doubt.FILM_SET_ASIDE, Reason.FILM_SET_ASIDE)
    assert world.gaps() == {}


def test_a_study_that_begins_after_one_of_its_films_was_refused_says_so() -> None:
    world = world_with(FIRST)
    refuse(world, films.film("1.9", "1.2.3.1.1", bright=0.9, patient_id="P-9"))
    assert world.list() == ["1.2.3"]
    world.store(films.film("1.9", "1.9.1.1", bright=0.1, patient_id="P-9"))
    while world.step():
        pass
    assert (world.study("1.9").network_level, world.study("1.9").reason) == (Level.NOT_ASSESSED, Reason.FILM_SET_ASIDE)


def test_uids_that_differ_between_command_and_data_set_mark_the_study() -> None:
    world = world_with(FIRST)
    refuse(world, films.film(sop_uid="1.2.3.1.2", bright=0.9), sop_instance_uid="9.9")
    assert (world.study().doubt, world.study().network_level) == (Doubt.FILM_SET_ASIDE, Level.NOT_ASSESSED)
    assert world.gaps() == {}


def test_the_same_series_under_two_studies_is_two_series() -> None:
    world = world_with(FIRST, films.film("1.9", "1.9.1.1", series_uid="1.2.3.1", patient_id="P-9", bright=0.1))
    assert world.list() == ["1.2.3", "1.9"]
    assert [world.study(uid).doubt for uid in ("1.2.3", "1.9")] == [None, None]
    assert world.gaps() == {}


@pytest.mark.parametrize(
    "other",
    [
        {"patient_id": "P-2"},  # the accession number of another patient
        {"patient_id": "P-2", "patient_name": "Smith^Bob"},
        {"patient_name": "Smith^Bob"},  # the same number, another name
        {"patient_id": None},
    ],
    ids=str,
)
def test_nothing_but_the_study_uid_makes_films_one_study(other: dict[str, Any]) -> None:
    world = world_with(FIRST, films.film("1.9", "1.9.1.1", bright=0.1, **other))
    assert [world.study(uid).images for uid in ("1.2.3", "1.9")] == [1, 1]
    assert [world.study(uid).doubt for uid in ("1.2.3", "1.9")] == [None, None]


def test_a_picture_sent_under_another_uid_is_another_image() -> None:
    world = world_with(FIRST, films.film(sop_uid="1.2.3.1.2", bright=0.1), FIRST)
    study = world.study()
    assert (study.images, study.images_covered, study.network_level) == (2, 2, Level.NOT_FLAGGED)


# crashes and races


class Stops(MemoryArchive):
    """An archive that dies before it moves an object."""

    def set_aside(self, digest: str) -> None:
        raise StorageFull("the pretended disk is gone")


def test_a_crash_between_the_mark_and_the_move_is_mended_at_the_next_start() -> None:
    stops = Stops()
    world = World(stops)
    world.store(films.film(bright=0.1))
    with pytest.raises(StorageFull):
        world.store(SECOND)
    assert world.study().doubt is Doubt.IDENTITY_CONFLICT
    stops.__class__ = MemoryArchive  # started anew
    assert world.reconcile().quarantined == [films.digest(SECOND)]
    assert world.gaps() == {}
    assert len(conflicts(world)) == 1
    assert world.reconcile().quarantined == []


def test_two_objects_of_one_uid_at_the_same_instant_have_one_winner(tmp_path: Path) -> None:
    database = sql_database(tmp_path)
    world = World(FileArchive(tmp_path / "instances", 0), database)
    races = 8
    for race in range(races):
        contents = [films.film(f"1.7.{race}", f"1.7.{race}.1.1", rows=32, columns=32, bright=bright) for bright in (0.2, 0.8)]
        gate, outcomes = threading.Barrier(2), []

        def send(content: bytes, gate: threading.Barrier = gate, outcomes: list[bool] = outcomes) -> None:
            gate.wait()
            try:
                world.store(content)
                outcomes.append(True)
            except DataSetMismatch:
                outcomes.append(False)

        threads = [threading.Thread(target=send, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == [False, True]
        assert world.study(f"1.7.{race}").doubt is Doubt.FILM_SET_ASIDE
    assert world.counts() == (races, races, 0, races)
    assert world.gaps() == {}
    database.close()


def test_verification_names_doubts_until_they_are_read() -> None:
    world = world_with(FIRST)
    refuse(world, SECOND)
    account = verify(world.archive, world.database)
    assert ([one.subject for one in account.doubts], account.doubts_read) == (["1.2.3"], 0)
    take(world.database, "1.2.3", Step(action=Action.READ, actor="dr"), POLICY, world.clock, LEASE)
    account = verify(world.archive, world.database)
    assert (account.doubts, account.doubts_read, account.gaps) == ([], 1, [])


def test_a_study_without_the_mark_of_what_was_set_aside_is_a_gap() -> None:
    world = world_with(films.film(bright=0.9))
    refuse(world, SECOND)
    with world.database.write() as tx:
        tx.put_study(replace(world.study(), doubt=None))
    assert world.gaps() == {"set_aside_not_on_its_study": ["1.2.3"]}
