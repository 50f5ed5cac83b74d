"""From a received film to an answer: what its header told, counted and computed values, headers that are read later."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests import films
from tests.films import film
from tests.unit.domain.make import POLICY
from tests.unit.services.queries import ask, uids
from tests.unit.services.world import World
from triage.database.anchor import FileAnchor
from triage.domain.instance import Instance
from triage.domain.matching import MalformedKey
from triage.domain.query import MOST_KEYS, understood
from triage.domain.query_keys import KEYS, QueryLevel, supported
from triage.domain.study import placed
from triage.imaging.header import read_header
from triage.scheduler import Bells
from triage.services.attributes import read_headers
from triage.services.query import find

DAY = {"StudyDate": "20260102", "StudyTime": "101112"}


@pytest.fixture
def world() -> World:
    world = World()
    world.store(film("1.1", "1.1.1.1", series_uid="1.1.1", **DAY, SeriesNumber=1, InstanceNumber=7, StudyID="S"))
    world.clock.forward(minutes=1)
    world.store(film("1.1", "1.1.2.1", series_uid="1.1.2", modality="CR", sop_class_uid="1.2.840.10008.5.1.4.1.1.1"))
    world.clock.forward(minutes=1)
    world.store(film("1.2", "1.2.1.1", patient_id="P-2", patient_name="Roe^Richard", accession_number="ACC-2"))
    return world


def test_a_study_is_told_with_what_was_counted(world: World) -> None:
    (one,) = ask(world.database, StudyInstanceUID="1.1")
    told = one.attributes
    assert told["PatientName"] == ("Doe^Jane",)
    assert told["StudyDate"] == ("20260102",)
    assert told["ModalitiesInStudy"] == ("DX", "CR")
    assert told["NumberOfStudyRelatedSeries"] == ("2",)
    assert told["NumberOfStudyRelatedInstances"] == ("2",)
    assert told["SOPClassesInStudy"] == (films.DX, "1.2.840.10008.5.1.4.1.1.1")
    assert told["InstanceAvailability"] == ("ONLINE",)
    assert told["RetrieveAETitle"] == ("TRIAGE",)
    assert told["StudyComments"] == ("AI triage: analysing (notification only)",)


def test_the_film_that_came_first_tells_of_its_study(world: World) -> None:
    world.clock.forward(minutes=1)
    world.store(film("1.1", "1.1.2.2", series_uid="1.1.2", StudyDescription="Other", StudyTime="235959", InstitutionName="H"))
    (one,) = ask(world.database, StudyInstanceUID="1.1")
    assert (one.attributes["StudyDescription"], one.attributes["StudyTime"]) == (("Chest",), ("101112",))
    assert uids(world.database, StudyDescription="Other") == ["1.1"], "it is found by what any of its films says"


def test_series_and_images_come_with_their_study(world: World) -> None:
    assert uids(world.database, "SERIES", StudyInstanceUID="1.1") == ["1.1.1", "1.1.2"]
    (series,) = ask(world.database, "SERIES", StudyInstanceUID="1.1", Modality="CR")
    assert series.attributes["SeriesInstanceUID"] == ("1.1.2",)
    assert series.attributes["StudyID"] == ("S",)
    (image,) = ask(world.database, "IMAGE", SeriesInstanceUID="1.1.1")
    assert image.attributes["InstanceNumber"] == ("7",)
    assert image.attributes["Rows"] == ("64",)
    assert image.attributes["AvailableTransferSyntaxUID"] == (films.EXPLICIT_LITTLE,)
    assert uids(world.database, "IMAGE", PatientID="P-2") == ["1.2.1.1"]


def test_patients_come_once_each(world: World) -> None:
    world.clock.forward(minutes=1)
    world.store(film("1.3", "1.3.1.1"))
    assert uids(world.database, "PATIENT") == ["P-1", "P-2"]
    assert uids(world.database, "PATIENT", PatientName="roe*") == ["P-2"]


def test_two_without_a_patient_id_are_two_patients(world: World) -> None:
    for number in (4, 5):
        world.store(film(f"1.{number}", f"1.{number}.1.1", patient_id=None, patient_name="Nemo"))
    assert len(ask(world.database, "PATIENT", PatientName="nemo")) == 2


def test_the_answer_is_in_triage_order_at_once(world: World) -> None:
    assert uids(world.database) == ["1.1", "1.2"]
    with world.database.write() as tx:
        study = tx.study("1.2")
        assert study is not None
        tx.put_study(placed(replace(study, stat=True), POLICY))
    assert uids(world.database) == ["1.2", "1.1"]
    comments = ask(world.database)[0].attributes["StudyComments"]
    assert comments == ("AI triage: STAT, analysing (notification only)",)


def test_who_becomes_read_meanwhile_is_not_lost_and_not_told_twice(world: World) -> None:
    """The list moves while somebody fetches it."""
    query = understood(QueryLevel.STUDY, {})
    answers = find(world.database, query)
    first = next(answers).study_instance_uid
    with world.database.write() as tx:
        study = tx.study("1.2")
        assert study is not None
        tx.put_study(placed(replace(study, stat=True), POLICY))
    assert [first, *(one.study_instance_uid for one in answers)] == ["1.1", "1.2"]


def test_date_and_time_are_one_range_where_asked(world: World) -> None:
    asked = {"StudyDate": "20260101-20260103", "StudyTime": "110000-120000"}
    assert uids(world.database, **asked) == []
    assert uids(world.database, combine=True, **asked) == ["1.1"]


@pytest.mark.parametrize(("level", "keyword"), [("STUDY", "Modality"), ("STUDY", "Nonsense"), ("SERIES", "InstanceNumber")])
def test_keys_that_mean_nothing_there_are_named_and_ignored(world: World, level: str, keyword: str) -> None:
    query = understood(QueryLevel(level), {keyword: "X", "PatientID": "P-2"})
    assert query.ignored == (keyword,)
    assert len(ask(world.database, level, **{keyword: "X", "PatientID": "P-2"})) == 1


def test_too_many_keys_are_refused() -> None:
    with pytest.raises(MalformedKey):
        understood(QueryLevel.STUDY, {f"K{number}": "" for number in range(MOST_KEYS + 1)})


def test_every_stored_key_can_be_asked_for_and_is_told() -> None:
    assert {key.keyword for key in supported(QueryLevel.IMAGE)} == set(KEYS)
    assert "normal" not in str(KEYS).lower()


def forgotten(world: World) -> list[Instance]:
    """As a database of before: no attributes."""
    state = world.database._state  # type: ignore[attr-defined]
    state.attributes.clear()
    with world.database.read() as tx:
        return tx.queries.unread_headers("", 100)


def test_headers_of_before_are_read_later_in_slices(world: World) -> None:
    before = ask(world.database)
    assert len(forgotten(world)) == 3
    assert uids(world.database) == ["1.1", "1.2"], "nobody is left out meanwhile"
    first = read_headers(world.archive, world.database, 2)
    assert (first.read, first.unreadable, first.last) == (2, 0, "1.1.2.1")
    rest = read_headers(world.archive, world.database, 2, first.last)
    assert (rest.read, rest.last) == (1, "")
    assert ask(world.database) == before
    assert read_headers(world.archive, world.database, 2).read == 0


def test_a_film_that_cannot_be_read_hides_no_study_and_stops_no_other(world: World) -> None:
    film_of = {one.sop_instance_uid: one for one in forgotten(world)}
    world.archive.set_aside(film_of["1.1.1.1"].digest)
    done = read_headers(world.archive, world.database, 10)
    assert (done.read, done.unreadable) == (2, 1)
    assert uids(world.database, StudyDate="20200101-", PatientID="P-1") == ["1.1"], "its day is not known yet"
    assert uids(world.database, PatientID="P-1") == ["1.1"]
    world.archive.take_back(film_of["1.1.1.1"].digest)
    assert read_headers(world.archive, world.database, 10).read == 1
    assert uids(world.database, StudyDate="20200101-") == ["1.1"]


def test_a_film_that_is_replaced_while_its_header_is_read_does_not_lend_its_attributes(world: World) -> None:
    """A replacement is often the correction of exactly this: whose film it is."""
    first = {one.sop_instance_uid: one for one in forgotten(world)}["1.2.1.1"]

    class Disk:
        def open(self, digest: str) -> Any:
            if digest == first.digest:
                with world.database.write() as tx:
                    tx.remove_instance(first.sop_instance_uid)
                    tx.add_instance(replace(first, digest="f" * 64))
            return world.archive.open(digest)

    read_headers(Disk(), world.database, 10)  # type: ignore[arg-type]
    with world.database.read() as tx:
        (found,) = tx.queries.found(["1.2"])
    assert [film.attributes for film in found.films] == [None]


def test_a_study_is_found_by_what_any_film_of_it_says(world: World) -> None:
    """Two orders in one study, a night between, a marriage between."""
    second = film(
        "1.1",
        "1.1.2.2",
        series_uid="1.1.2",
        modality="CR",
        patient_name="Roe^Jane",
        accession_number="ACC-9",
        StudyDate="20260103",
    )
    world.store(second)
    for keys in ({"AccessionNumber": "ACC-9"}, {"PatientName": "roe^j*"}, {"StudyDate": "20260103-"}):
        assert "1.1" in uids(world.database, **keys), keys
    assert "P-1" in uids(world.database, "PATIENT", PatientName="roe^jane")
    (first,) = ask(world.database, AccessionNumber="ACC-9")
    assert first.attributes["StudyDate"] == ("20260102",), "the first film tells"
    assert uids(world.database, StudyDate="20260104-") == []


NAME = {"patient_name": "Yamada^Tarou=山田^太郎", "SpecificCharacterSet": "ISO_IR 192"}


@pytest.mark.parametrize("unread", [("1.1.1.1",), ("1.1.2.1",), ("1.1.1.1", "1.1.2.1")])
def test_no_value_of_another_film_hides_one_whose_header_is_to_be_read_yet(unread: tuple[str, ...]) -> None:
    world = World()
    world.store(film("1.1", "1.1.1.1", series_uid="1.1.1", **NAME))
    world.clock.forward(minutes=1)
    computed = "1.2.840.10008.5.1.4.1.1.1"
    world.store(film("1.1", "1.1.2.1", series_uid="1.1.2", modality="CR", sop_class_uid=computed, **DAY, **NAME))
    world.clock.forward(minutes=1)
    world.store(film("1.2", "1.2.1.1", patient_id="P-2", patient_name="Roe^Richard"))
    asked: list[tuple[str, dict[str, str], str]] = [
        ("STUDY", {"PatientName": "山田*"}, "1.1"),
        ("STUDY", {"ModalitiesInStudy": "CR"}, "1.1"),
        ("STUDY", {"StudyDate": "20260102"}, "1.1"),
        ("SERIES", {"StudyInstanceUID": "1.1", "Modality": "CR"}, "1.1.2"),
        ("SERIES", {"StudyInstanceUID": "1.1", "Modality": "DX"}, "1.1.1"),
        ("PATIENT", {"PatientName": "山田*"}, "P-1"),
    ]
    for level, keys, wanted in asked:
        assert uids(world.database, level, **keys) == [wanted]
    for uid in unread:
        del world.database._state.attributes[uid]  # type: ignore[attr-defined]
    for level, keys, wanted in asked:
        assert wanted in uids(world.database, level, **keys), keys
    assert uids(world.database, PatientID="P-2") == ["1.2"], "another patient's study is in no answer"
    assert "1.1" in uids(world.database, StudyDate="19991231"), "the film may say so"


def test_hostile_values_are_bounded_and_printable() -> None:
    odd = film(
        PatientName="A" * 5000,
        StudyDescription="a\nb\x7f\u202ec",
        SpecificCharacterSet="ISO_IR 192",
        ReferringPhysicianName="Müller^Jörg",
        PatientID="P\\Q",
        ImageType=["X"] * 500,
    )
    told = read_header(BytesIO(odd)).attributes
    assert told["PatientName"] == ("A" * 256,)
    assert told["StudyDescription"] == ("abc",)
    assert told["ReferringPhysicianName"] == ("Müller^Jörg",)
    assert told["PatientID"] == ("P\\Q",), "one value: it is not taken for that of P"
    assert told["ImageType"] == ("X",) * 16


@pytest.mark.parametrize("character_set", ["ISO_IR 100", "ISO_IR 192", "\\ISO 2022 IR 100"])
def test_implicit_representation_and_other_character_sets(character_set: str) -> None:
    dataset = dcmread(BytesIO(film(PatientName="Müller^Jörg", SpecificCharacterSet=character_set, Rows=300, **DAY)))
    stream = BytesIO()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    dataset.save_as(stream, enforce_file_format=True, implicit_vr=True)
    told = read_header(BytesIO(stream.getvalue())).attributes
    assert (told["PatientName"], told["Rows"], told["StudyDate"]) == (("Müller^Jörg",), ("300",), ("20260102",))


def test_the_scheduler_reads_the_headers_of_before(world: World, tmp_path: Path) -> None:
    assert len(forgotten(world)) == 3
    bells = Bells(
        database=world.database,
        archive=world.archive,
        head_starts=POLICY,
        clock=world.clock,
        anchor=FileAnchor(tmp_path / "audit.head"),
    )
    next(step for name, _, step in bells.jobs if name == "headers")()
    with world.database.read() as tx:
        assert tx.queries.unread_headers("", 10) == []
