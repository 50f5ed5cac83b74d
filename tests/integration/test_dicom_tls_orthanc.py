"""DICOM TLS with Orthanc, both ways: it stores to us, and ``triage send --tls`` stores to it."""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Hospital
from tests.integration.conftest import Serve
from tests.integration.objects import film, study_uid
from tests.integration.service import until
from tests.integration.test_dicom_tls import settings
from triage.cli.serve import free_port

START_WITHIN = 60.0

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("Orthanc") is None, reason="no Orthanc: install it (Debian: orthanc)"),
]


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    made = Hospital(tmp_path / "hospital")
    made.issue("server", "TRIAGE", hosts=["127.0.0.1"])
    made.issue("ORTHANC")
    return made


class Orthanc:
    """Its web address, its DICOM port, and what runs it."""

    def __init__(self, folder: Path, hospital: Hospital, triage_port: int) -> None:
        self.port, http_port = free_port(), free_port()
        self._address = f"http://127.0.0.1:{http_port}"
        configuration = {
            "StorageDirectory": str(folder / "orthanc"),
            "HttpPort": http_port,
            "DicomPort": self.port,
            "DicomAet": "ORTHANC",
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(hospital.folder / "ORTHANC.pem"),
            "DicomTlsPrivateKey": str(hospital.folder / "ORTHANC.key"),
            "DicomTlsTrustedCertificates": str(hospital.ca),
            "DicomTlsRemoteCertificateRequired": True,
            "DicomModalities": {"triage": {"AET": "TRIAGE", "Host": "127.0.0.1", "Port": triage_port, "UseDicomTls": True}},
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration))
        self.log = folder / "orthanc.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)

    def ask(self, path: str, said: str | None = None) -> Any:
        request = urllib.request.Request(self._address + path, data=None if said is None else said.encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(OSError):
            return bool(self.ask("/system"))
        return False


@pytest.fixture
def running(serve: Serve, hospital: Hospital, tmp_path: Path) -> Iterator[tuple[Any, Orthanc]]:
    service = serve("intake", settings=settings(hospital))
    orthanc = Orthanc(tmp_path, hospital, service.dimse_port)
    try:
        until(orthanc.is_up, START_WITHIN, "Orthanc up")
        yield service, orthanc
    finally:
        orthanc.process.terminate()
        orthanc.process.wait(30)


def test_a_film_goes_to_orthanc_and_comes_back(running: tuple[Any, Orthanc], tmp_path: Path) -> None:
    service, orthanc = running
    (tmp_path / "film.dcm").write_bytes(film(800))
    command = [sys.executable, "-m", "triage", "send", str(tmp_path / "film.dcm"), "--tls", "--home", str(service.home)]
    sent = subprocess.run(
        [*command, "--to", f"ORTHANC@127.0.0.1:{orthanc.port}"],
        env=service.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    (instance,) = orthanc.ask("/instances")
    answer = orthanc.ask("/modalities/triage/store", instance)
    assert (answer["InstancesCount"], answer["FailedInstancesCount"]) == (1, 0)
    (row,) = service.rows("SELECT calling_ae_title FROM instance WHERE study_instance_uid = ?", study_uid(800))
    assert row["calling_ae_title"] == "ORTHANC"
    impostor = subprocess.run(
        [*command, "--to", f"PACS@localhost:{orthanc.port}"],
        env=service.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert impostor.returncode == 1
    assert "no DICOM TLS: its certificate names neither PACS nor localhost" in impostor.stderr
