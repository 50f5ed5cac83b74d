"""The PACS routes the study back to us, reports and all: DCMTK and Orthanc hear that it went well, and no loop begins."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.films import film
from tests.integration.conftest import Serve
from tests.integration.service import Service
from tests.integration.test_commitment_orthanc import free_ports, orthanc
from tests.unit.reporting.results import DEVICE, STUDY, header, scored
from tests.unit.services.test_came_back import report
from triage.dimse.result_scu import DicomTransport
from triage.domain.delivery import DicomObject
from triage.domain.destination import Destination
from triage.domain.result import Result
from triage.reporting.structured_report import structured_report

pytestmark = pytest.mark.peer
REPORTS = 3


def made(result: Result, predecessors: tuple[Result, ...]) -> list[DicomObject]:
    return [structured_report(result, predecessors, [header()], DEVICE)]


def told_once(service: Service) -> bool:
    return len(service.logged("our own results come back and are dropped")) == 1


def kept(service: Service) -> list[str]:
    return [row["sop_instance_uid"] for row in service.rows("SELECT sop_instance_uid FROM instance")]


@pytest.mark.skipif(shutil.which("storescu") is None, reason="no DCMTK: install it (Debian: dcmtk)")
def test_dcmtk_sends_ours_and_a_strangers(serve: Serve, tmp_path: Path) -> None:
    service = serve("intake")
    contents = [film(STUDY), *(made(scored(number=number), ())[0].content for number in range(1, REPORTS + 1))]
    contents.append(report(DeviceUID="1.2.3.4", ManufacturerModelName="Another", SOPInstanceUID="1.2.3.99"))
    paths = [tmp_path / f"{number}.dcm" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    command = ["storescu", "-v", "-nh", "-aec", "TRIAGE", "127.0.0.1", str(service.dimse_port), *map(str, paths)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
    answers = re.findall(r"Received Store Response \((.*?)\)", said)
    print(answers)
    assert answers == ["Success"] * (1 + REPORTS) + ["Refused: SOPClassNotSupported"]
    assert kept(service) == [f"{STUDY}.1.1"]
    assert told_once(service)


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
def test_there_and_back_again(serve: Serve, tmp_path: Path) -> None:
    dicom_port, http_port = free_ports(2)
    service = serve("intake")
    with orthanc(tmp_path / "orthanc", dicom_port, http_port, service.dimse_port) as pacs:
        name = pacs.post("/instances", film(STUDY))["ID"]
        out = DicomTransport(Destination("ORTHANC", "127.0.0.1", dicom_port), ae_title="TRIAGE", within_seconds=20, make=made)
        assert out.send(scored(), ()).status == "0x0000"
        (study,) = pacs.get("/studies")
        assert len(pacs.get(f"/studies/{study}")["Series"]) == 2
        back = pacs.post("/modalities/triage/store", {"Resources": [study], "Synchronous": True})
        assert (back["InstancesCount"], back["FailedInstancesCount"]) == (2, 0)
        assert name in pacs.get("/instances")
    assert kept(service) == [f"{STUDY}.1.1"]
    assert told_once(service)
    assert [row["images"] for row in service.rows("SELECT images FROM study")] == [1]
