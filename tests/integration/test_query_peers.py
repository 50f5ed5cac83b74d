"""Real peers ask for the list and fetch films: DCMTK's findscu, getscu and movescu, and Orthanc on the same films."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.films import digest, film
from tests.integration.conftest import running
from tests.integration.dcmtk import StoreScp, findscu, retrieve
from tests.integration.modality import Modality, associate
from tests.integration.service import Service
from tests.integration.test_commitment_orthanc import Orthanc, free_ports
from tests.unit.domain.make import POLICY
from triage.archive.part10 import data_set_offset
from triage.database.engine import SqlDatabase, open_engine
from triage.domain.identifiers import digest_of
from triage.domain.study import Reading, ReadingState, placed

pytestmark = [pytest.mark.peer, pytest.mark.skipif(shutil.which("findscu") is None, reason="DCMTK is not installed")]

CR = "1.2.840.10008.5.1.4.1.1.1"
NAMES = ["Doe^Jane", "DOE^JOHN", "Doe", "Müller^Jörg", "O'Neil^Ann", "Roe^Richard^^Dr", "Yamada^Tarou=山田^太郎"]


def films() -> dict[str, bytes]:
    """About twenty films of eleven studies, by SOP Instance UID, in the order in which they come."""
    made = {}
    for number in range(11):
        name = NAMES[number % len(NAMES)]
        study = {
            "patient_id": f"P{number % 6}" if number != 9 else None,
            "patient_name": name,
            "accession_number": f"ACC-{number:03}" if number % 4 else None,
            "StudyDate": f"202601{10 + number}" if number != 7 else None,
            "StudyTime": f"{8 + number:02}3000" if number % 2 else f"{8 + number:02}15",
            "StudyID": str(number),
            "PatientBirthDate": "19500101",
            "PatientSex": "F" if number % 2 else "M",
            "ReferringPhysicianName": "House^Gregory",
            "SpecificCharacterSet": "ISO_IR 192",
        }
        for image in range(1 + number % 3):
            modality = "CR" if (number + image) % 2 else "DX"
            uid = f"1.2.826.0.1.99.{number}.{image + 1}.1"
            made[uid] = film(
                f"1.2.826.0.1.99.{number}",
                uid,
                series_uid=f"1.2.826.0.1.99.{number}.{image + 1}",
                modality=modality,
                sop_class_uid=CR if modality == "CR" else "1.2.840.10008.5.1.4.1.1.1.1",
                SeriesNumber=image + 1,
                InstanceNumber=image + 1,
                StudyDescription="Thorax p.a." if number % 3 else "Chest",
                SeriesDescription=f"view {image}",
                **{key: value for key, value in study.items() if key != "StudyDescription"},
            )
    return made


FILMS = films()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("query")
    move, orthanc, http = free_ports(3)
    settings = {
        "dimse__query_peers": "VIEWER@127.0.0.1,ORTHANC",
        "dimse__retrieve_peers": "VIEWER@127.0.0.1",
        "dimse__move_destinations": f"ARCHIVE@127.0.0.1:{move}",
    }
    service = Service(folder / "home", ("intake",), settings=settings)
    service.ports = move, orthanc, http  # type: ignore[attr-defined]
    with running(service):
        association = associate(
            service.dimse_port, contexts=[(CR, "1.2.840.10008.1.2.1"), ("1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.1.2.1")]
        )
        modality = Modality(association, folder)
        assert [modality.store(one) for one in FILMS.values()] == [0] * len(FILMS)
        association.release()
        yield service


@pytest.fixture(scope="module")
def database(service: Service) -> Iterator[SqlDatabase]:
    database = SqlDatabase(open_engine(service.database_url))
    yield database
    database.close()


def uids(answers: list[Dataset], keyword: str = "StudyInstanceUID") -> list[str]:
    return [str(one[keyword].value) for one in answers]


def study_uid(number: int) -> str:
    return f"1.2.826.0.1.99.{number}"


def test_the_answers_come_in_triage_order(service: Service, database: SqlDatabase) -> None:
    assert uids(findscu(service.dimse_port, "StudyInstanceUID")) == [study_uid(number) for number in range(11)]
    with database.write() as tx:
        stat, read = tx.study(study_uid(8)), tx.study(study_uid(0))
        assert stat is not None
        assert read is not None
        before = [stat, read]
        tx.put_study(placed(replace(stat, stat=True), POLICY))
        tx.put_study(replace(read, reading=Reading(state=ReadingState.READ, reader="r", since=read.arrived_at)))
    answers = findscu(service.dimse_port, "StudyInstanceUID", "0032,4000")
    with database.write() as tx:
        for study in before:
            tx.put_study(study)
    assert uids(answers) == [study_uid(number) for number in (8, *range(1, 8), 9, 10, 0)]
    assert answers[0][0x0032, 0x4000].value == "AI triage: STAT, analysing (notification only)"


def test_one_answer_in_full(service: Service) -> None:
    keys = ("PatientName", "PatientID", "StudyDate", "StudyTime", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")
    (one,) = findscu(service.dimse_port, f"StudyInstanceUID={study_uid(3)}", *keys, "AccessionNumber", "InstitutionName")
    assert str(one.PatientName) == "Müller^Jörg"
    assert one.SpecificCharacterSet == "ISO_IR 100"
    assert (one.PatientID, one.StudyDate, one.StudyTime) == ("P3", "20260113", "113000")
    assert (one.ModalitiesInStudy, one.NumberOfStudyRelatedInstances) == ("CR", 1)
    assert one.AccessionNumber == "ACC-003"
    assert one.RetrieveAETitle == "TRIAGE"
    assert one.InstanceAvailability == "ONLINE"
    assert "InstitutionName" not in one, "it is a key of series"
    assert "StudyComments" not in one, "nobody asked for it"


def test_each_level_of_both_roots(service: Service) -> None:
    port, study = service.dimse_port, f"StudyInstanceUID={study_uid(2)}"
    assert len(findscu(port, study, "SeriesInstanceUID", level="SERIES")) == 3
    series = f"SeriesInstanceUID={study_uid(2)}.2"
    (image,) = findscu(port, study, series, "SOPInstanceUID", "InstanceNumber", "Rows", level="IMAGE")
    assert (image.SOPInstanceUID, image.InstanceNumber, image.Rows) == (f"{study_uid(2)}.2.1", 2, 64)
    patients = findscu(port, "PatientID", "PatientName", level="PATIENT", root="-P")
    assert sorted(str(one.PatientID) for one in patients) == ["", "P0", "P1", "P2", "P3", "P4", "P5"]
    assert len(findscu(port, "PatientID=P1", "StudyInstanceUID", level="STUDY", root="-P")) == 2


QUERIES = [
    ("PatientName=Doe*",),
    ("PatientName=doe^j*",),
    ("PatientName=*J?RG",),
    ("PatientName=DOE^JANE",),
    ("PatientID=P1",),
    ("PatientID=P?",),
    ("PatientID=p1",),
    ("AccessionNumber=ACC-00*",),
    ("AccessionNumber=ACC-001",),
    ("AccessionNumber=",),
    ("StudyDate=20260112",),
    ("StudyDate=20260112-20260115",),
    ("StudyDate=-20260112",),
    ("StudyDate=20260118-",),
    ("StudyTime=1000-1230",),
    ("ModalitiesInStudy=CR",),
    ("ModalitiesInStudy=CR\\DX",),
    ("StudyDescription=*horax*",),
    ("StudyDescription=chest",),
    (f"StudyInstanceUID={study_uid(1)}\\{study_uid(5)}\\1.2.3",),
    ("PatientSex=F", "StudyDate=20260115-"),
    ("ReferringPhysicianName=house*",),
    ("StudyID=4",),
]


EXPLAINED = {("PatientName=*J?RG",): "Orthanc compares names without the letters that are not ASCII: there is none for the ?"}


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
def test_the_answers_are_those_of_orthanc(service: Service, tmp_path: Path) -> None:
    _, dicom, http = service.ports  # type: ignore[attr-defined]
    peer = Orthanc(tmp_path / "orthanc", dicom, http, service.dimse_port)
    try:
        for one in FILMS.values():
            assert peer.post("/instances", one)
        different = {}
        for keys in QUERIES:
            wanted = keys if keys[0].startswith("StudyInstanceUID") else (*keys, "StudyInstanceUID")
            ours = set(uids(findscu(service.dimse_port, *wanted)))
            theirs = set(uids(findscu(dicom, *wanted, called="ORTHANC", calling="TRIAGE")))
            print(f"{keys}: {len(ours)} and {len(theirs)}")
            if ours != theirs:
                different[keys] = (sorted(ours), sorted(theirs))
        assert different.keys() == EXPLAINED.keys(), different
    finally:
        peer.stop()


def kept(folder: Path) -> dict[str, str]:
    """Digests of data sets by SOP Instance UID."""
    found = {}
    for path in folder.iterdir():
        with path.open("rb") as stream:
            offset = data_set_offset(stream)
        found[str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)] = digest_of(path.read_bytes()[offset:])
    return found


SENT = {uid: digest(one) for uid, one in FILMS.items()}


def test_films_are_fetched_byte_for_byte(service: Service, tmp_path: Path) -> None:
    told = retrieve(
        "getscu",
        service.dimse_port,
        tmp_path / "get",
        f"StudyInstanceUID={study_uid(2)}",
        options=("+B", "-od", str(tmp_path / "get")),
    )
    fetched = kept(tmp_path / "get")
    assert len(fetched) == 3, told
    assert fetched.items() <= SENT.items()


def test_films_are_moved_byte_for_byte(service: Service, tmp_path: Path) -> None:
    with StoreScp(service.ports[0], tmp_path / "archive") as archive:  # type: ignore[attr-defined]
        told = retrieve(
            "movescu", service.dimse_port, tmp_path / "x", f"StudyInstanceUID={study_uid(5)}\\{study_uid(8)}",
            options=("-aem", "ARCHIVE"),
        )  # fmt: skip
        moved = kept(archive.folder)
        assert len(moved) == 6, told
        assert moved.items() <= SENT.items()
    audited = {(row["subject"], row["details"]) for row in service.rows("SELECT * FROM audit WHERE action = 'export'")}
    assert (study_uid(8), '{"to": "ARCHIVE", "via": "C-MOVE"}') in audited
    assert ("worklist", '{"via": "C-FIND"}') in audited


def test_an_unknown_destination_is_told(service: Service, tmp_path: Path) -> None:
    told = retrieve(
        "movescu", service.dimse_port, tmp_path / "x", f"StudyInstanceUID={study_uid(5)}", options=("-d", "-aem", "ELSEWHERE")
    )
    assert "a801" in told.lower(), told


def test_a_peer_that_is_not_named_is_offered_nothing(service: Service) -> None:
    with pytest.raises(AssertionError, match=r"(?i)no (acceptable )?presentation context"):
        findscu(service.dimse_port, "StudyInstanceUID", calling="STRANGER")
