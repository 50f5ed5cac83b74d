"""Where DICOM TLS is set, reports go by it, and to nobody but the application entity that they are for."""

import ssl
from pathlib import Path

import pytest

from tests.certificates import Hospital
from tests.integration.commitment import Heard, ask, asking, listening
from tests.integration.conftest import Serve
from tests.integration.objects import DX
from tests.integration.service import until
from tests.integration.test_commitment import free_port, rows


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    made = Hospital(tmp_path_factory.mktemp("hospital"))
    made.issue("server", "TRIAGE", hosts=["127.0.0.1"])
    made.issue("CT1")
    made.issue("CT2")
    return made


def context(hospital: Hospital, name: str, purpose: int) -> ssl.SSLContext:
    made = ssl.SSLContext(purpose)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(hospital.ca)
    made.load_cert_chain(hospital.folder / f"{name}.pem", hospital.folder / f"{name}.key")
    return made


def settings(folder: Path, port: int) -> dict[str, str]:
    files = {"certificate": "server.pem", "key": "server.key", "ca": "ca.pem"}
    tls = {f"dimse__tls__{name}": str(folder / file) for name, file in files.items()}
    return {**tls, "dimse__commitment_peers": f"CT1@127.0.0.1:{port}"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the wrong peer's, whom we hang up on
def test_a_report_goes_by_tls_to_the_right_entity_alone(serve: Serve, hospital: Hospital) -> None:
    port, heard, wrong = free_port(), Heard(), Heard()
    service = serve("intake", settings=settings(hospital.folder, port))
    client = context(hospital, "CT1", ssl.PROTOCOL_TLS_CLIENT)
    with listening("CT1", wrong, port, context(hospital, "CT2", ssl.PROTOCOL_TLS_SERVER)):
        with asking(service.dimse_port, Heard(), calling="CT1", tls=client) as association:
            assert ask(association, "1.9.1", [(DX, "1.2.3")]) == 0x0000
        until(lambda: rows(service, "1.9.1")[0]["error"], 20, "a try that failed")
    error = rows(service, "1.9.1")[0]["error"]
    print(error)
    assert "no DICOM TLS" in error
    with listening("CT1", heard, port, context(hospital, "CT1", ssl.PROTOCOL_TLS_SERVER)):
        assert heard.wait("1.9.1", 60)["failed"] == {"1.2.3": 0x0112}
    assert wrong.reports == []
