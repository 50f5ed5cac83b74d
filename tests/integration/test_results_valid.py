"""Results before strangers' judges: dicom3tools, DCMTK, highdicom, and a PACS that has to file them into the study."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from pydicom import dcmread

from tests.films import film
from tests.integration.test_commitment_orthanc import free_ports, orthanc
from tests.size import size
from tests.unit.reporting.results import DEVICE, EXAMPLE, KINDS, STUDY, films, results, scored
from triage.domain.delivery import DicomObject
from triage.domain.result import Result, ResultImage
from triage.reporting.header import film_header
from triage.reporting.presentation_state import presentation_state
from triage.reporting.secondary_capture import page
from triage.reporting.structured_report import structured_report

SAMPLES = sorted((Path(__file__).parents[2] / "sample_dicom").glob("*.dcm"))
DOCUMENT = SAMPLES[0].parents[1] / "docs" / "results-sr.md"
pytestmark = pytest.mark.peer
dicom3tools = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools are not installed")


def errors(folder: Path, made: DicomObject) -> list[str]:
    """What dciodvfy holds against an object."""
    path = folder / "judged.dcm"
    path.write_bytes(made.content)
    judged = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, timeout=60, check=False)
    lines = (judged.stderr + judged.stdout).decode("latin-1").splitlines()
    return [line for line in lines if line.startswith(("Error", "Abort"))]


def mismatches(folder: Path, *files: bytes) -> list[str]:
    """What dcentvfy finds different in what must be the same."""
    paths = [folder / f"entity{number}.dcm" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    judged = subprocess.run(["dcentvfy", *map(str, paths)], capture_output=True, timeout=60, check=False)
    return [line for line in (judged.stderr + judged.stdout).decode("latin-1").splitlines() if line.startswith("Error")]


def report_of(result: Result, *films: bytes, predecessors: Sequence[Result] = ()) -> DicomObject:
    return structured_report(result, predecessors, [film_header(BytesIO(one)) for one in films], DEVICE)


def about(films: Sequence[bytes]) -> Result:
    """A result on films as they are."""
    read = [dcmread(BytesIO(one), stop_before_pixels=True) for one in films]
    images = tuple(
        ResultImage(
            sop_instance_uid=one.SOPInstanceUID,
            sop_class_uid=one.SOPClassUID,
            series_instance_uid=one.SeriesInstanceUID,
            digest="",
            probability=0.7,
        )
        for one in read
    )
    return replace(scored(0.7), study_instance_uid=read[0].StudyInstanceUID, images=images)


@dicom3tools
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_valid(kind: str, tmp_path: Path) -> None:
    films = [film(STUDY, f"{STUDY}.1.{number}") for number, _ in enumerate(KINDS[kind].images, start=1)]
    assert errors(tmp_path, report_of(KINDS[kind], *films)) == []
    assert errors(tmp_path, report_of(KINDS[kind], *films, predecessors=(scored(0.1), scored(0.2, number=2)))) == []


@dicom3tools
@pytest.mark.parametrize("kind", KINDS)
def test_pages_and_presentation_states_are_valid_and_name_the_same(kind: str, tmp_path: Path) -> None:
    shown = {"WindowCenter": "2048", "WindowWidth": "4096", "RescaleIntercept": "0", "RescaleSlope": "1", "RescaleType": "US"}
    films = [film(STUDY, f"{STUDY}.1.{number}", **shown) for number, _ in enumerate(KINDS[kind].images, start=1)]
    headers = [film_header(BytesIO(one)) for one in films]
    made = [page(KINDS[kind], [scored(0.1)], headers, DEVICE), presentation_state(KINDS[kind], headers, DEVICE)]
    assert (made[1] is not None) == (KINDS[kind].probability is not None)
    for one in filter(None, made):
        assert errors(tmp_path, one) == []
        assert not films or mismatches(tmp_path, *films, one.content) == []


@dicom3tools
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_reports_on_real_films_are_valid_and_name_the_same_patient_and_study(sample: Path, tmp_path: Path) -> None:
    content = sample.read_bytes()
    report = report_of(about([content]), content)
    assert errors(tmp_path, report) == []
    assert mismatches(tmp_path, content, report.content) == []
    state = presentation_state(about([content]), [film_header(BytesIO(content))], DEVICE)
    assert state is None or errors(tmp_path, state) == []


NAMES = {
    "ISO_IR 100": "Müller^Jürgen",
    "ISO_IR 144": "Люкceмбypг",
    "ISO_IR 126": "Διονυσιος",
    "ISO_IR 192": "Wang^XiaoDong=王^小东",
    "GB18030": "Wang^XiaoDong=王^小东",
    "GBK": "Wang^XiaoDong=王^小东",
    "ISO 2022 IR 100": "Müller^Jürgen",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
    "": "Doe^Jane",
}


@dicom3tools
@pytest.mark.parametrize("terms", NAMES)
def test_names_in_other_scripts_stay_byte_for_byte(terms: str, tmp_path: Path) -> None:
    given = {"SpecificCharacterSet": terms.split("\\")} if terms else {}
    written = film(STUDY, f"{STUDY}.1.1", patient_name=NAMES[terms], StudyDescription="Thorax", **given)
    report = report_of(about([written]), written)
    assert str(dcmread(BytesIO(report.content)).PatientName) == NAMES[terms]
    assert errors(tmp_path, report) == []
    assert mismatches(tmp_path, written, report.content) == []


@dicom3tools
def test_two_films_and_absent_values_name_the_same(tmp_path: Path) -> None:
    bare = {"patient_name": None, "age": None, "accession_number": None, "StudyDescription": None, "PatientID": "P-1"}
    films = [film(STUDY, f"{STUDY}.1.{number}", **bare) for number in (1, 2)]
    report = report_of(about(films), *films)
    assert errors(tmp_path, report) == []
    assert mismatches(tmp_path, *films, report.content) == []


@dicom3tools
@settings(max_examples=size(15, 300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(results(), films())
def test_whatever_a_header_holds_the_report_is_valid(tmp_path: Path, result: Result, given: bytes) -> None:
    films = [film_header(BytesIO(given))] * len(result.images)
    assert errors(tmp_path, structured_report(result, [], films, DEVICE)) == []
    assert errors(tmp_path, page(result, [], films, DEVICE)) == []


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="DCMTK is not installed")
def test_dcmtk_reads_it_and_says_nothing_against_it(tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    path.write_bytes(report_of(KINDS["two_films"], film(STUDY, f"{STUDY}.1.1")).content)
    read = subprocess.run(["dsrdump", "+Pl", str(path)], capture_output=True, text=True, timeout=60, check=False)
    print(read.stdout)
    assert (read.returncode, read.stderr) == (0, "")
    for shown in (
        "PRELIMINARY",
        "Notification only. Not for diagnostic use.",
        '"70.0" (%,UCUM,"Percent")',
        "Images scored: 1 of 2.",
    ):
        assert shown in read.stdout


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="DCMTK is not installed")
def test_the_example_of_the_documentation_is_current(tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    path.write_bytes(report_of(EXAMPLE, film(STUDY, f"{STUDY}.1.1"), predecessors=[scored(0.2)]).content)
    read = subprocess.run(["dsrdump", "+Pl", str(path)], capture_output=True, text=True, timeout=60, check=True)
    assert read.stdout.strip() in DOCUMENT.read_text(encoding="utf-8"), read.stdout


def test_highdicom_finds_the_measurement_again() -> None:
    from highdicom.sr import srread

    report = srread(BytesIO(report_of(KINDS["flagged"], film(STUDY, f"{STUDY}.1.1")).content))
    (group,) = report.content.get_image_measurement_groups()
    certainty, operating_point = group.get_measurements()
    assert (certainty.name.value, round(certainty.value, 6), operating_point.value) == ("111012", 91.0, 50.0)
    assert group.finding_sites[0].value.value == "51185008"
    assert group.get_qualitative_evaluations()[-1].value.meaning == "Flagged by this model for earlier reading"


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
def test_a_pacs_files_it_into_the_study(tmp_path: Path) -> None:
    content = SAMPLES[1].read_bytes()
    report = report_of(about([content]), content)
    dicom_port, http_port = free_ports(2)
    with orthanc(tmp_path / "orthanc", dicom_port, http_port, 1) as pacs:
        for sent in (content, report.content, report.content):
            assert pacs.post("/instances", sent)["Status"] in ("Success", "AlreadyStored")
        (study,) = (pacs.get(f"/studies/{name}") for name in pacs.get("/studies"))
        assert len(study["Series"]) == 2
        assert len(pacs.get("/patients")) == 1
        kinds = sorted(pacs.get(f"/series/{name}")["MainDicomTags"]["Modality"] for name in study["Series"])
    assert "SR" in kinds
