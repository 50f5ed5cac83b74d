"""C-FIND and C-GET over DICOM TLS: the answers, C-CANCEL between them, the bytes; and who has no right to ask."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt

from tests.certificates import Hospital
from tests.films import DX, EXPLICIT_LITTLE, data_set_bytes, film
from tests.integration.conftest import running
from tests.integration.service import Service
from tests.integration.test_dicom_tls import ours, settings

pytestmark = [
    pytest.mark.soak,
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("findscu") is None, reason="DCMTK is not installed"),
]

FILMS = 12
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    made = Hospital(tmp_path_factory.mktemp("hospital"))
    made.issue("server", "TRIAGE", hosts=["127.0.0.1"])
    for name in ("CT1", "VIEWER"):
        made.issue(name)
    return made


@pytest.fixture(scope="module")
def service(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("tls")
    named = {"dimse__query_peers": "VIEWER", "dimse__retrieve_peers": "VIEWER"}
    with running(Service(folder / "home", ("intake",), settings={**settings(hospital), **named})) as service:
        paths = []
        for number in range(FILMS):
            paths.append(folder / f"{number}.dcm")
            paths[-1].write_bytes(film(f"1.2.{number}", f"1.2.{number}.1.1"))
        key = ours(hospital, "CT1")
        command = ["storescu", "+tls", str(key[1]), str(key[0]), "+cf", str(hospital.ca), "-aet", "CT1", "-aec", "TRIAGE"]
        subprocess.run([*command, "127.0.0.1", str(service.dimse_port), *map(str, paths)], check=True, timeout=60)
        yield service


def ask(tool: str, service: Service, hospital: Hospital, *options: str, who: str = "VIEWER", calling: str = "") -> str:
    certificate, key = ours(hospital, who)
    tls = ["+tls", str(key), str(certificate), "+cf", str(hospital.ca)]
    command = [tool, "-v", "-S", *tls, "-aet", calling or who, "-aec", "TRIAGE", "-k", "QueryRetrieveLevel=STUDY", *options]
    done = subprocess.run(
        [*command, "127.0.0.1", str(service.dimse_port)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_the_list_comes_over_tls(service: Service, hospital: Hospital) -> None:
    told = ask("findscu", service, hospital, "-k", "StudyInstanceUID")
    assert told.count("Find Response:") >= FILMS, told


def test_a_cancel_ends_it(service: Service, hospital: Hospital) -> None:
    told = ask("findscu", service, hospital, "-k", "StudyInstanceUID", "--cancel", "1", "--repeat", "3")
    assert "Cancel" in told, told
    assert ask("findscu", service, hospital, "-k", "StudyInstanceUID").count("Find Response:") >= FILMS


def test_films_come_over_tls(service: Service, hospital: Hospital) -> None:
    """By pynetdicom: DCMTK's getscu speaks no TLS."""
    came: list[bytes] = []

    def store(event: evt.Event) -> int:
        came.append(event.request.DataSet.getvalue())
        return 0x0000

    context = ssl.create_default_context(cafile=str(hospital.ca))
    context.check_hostname = False
    context.load_cert_chain(*ours(hospital, "VIEWER"))
    association = AE("VIEWER").associate(
        "127.0.0.1",
        service.dimse_port,
        contexts=[build_context(STUDY_GET), build_context(DX, EXPLICIT_LITTLE)],
        ae_title="TRIAGE",
        ext_neg=[build_role(DX, scp_role=True)],
        tls_args=(context, "127.0.0.1"),
        evt_handlers=[(evt.EVT_C_STORE, store)],
    )
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", ["1.2.3", "1.2.5"]
    statuses = [int(status.Status) for status, _ in association.send_c_get(asked, STUDY_GET)]
    association.release()
    assert statuses == [0xFF00, 0x0000]
    assert came == [data_set_bytes(film(f"1.2.{number}", f"1.2.{number}.1.1")) for number in (3, 5)]


def test_a_title_that_the_certificate_does_not_bear_gets_nothing(service: Service, hospital: Hospital) -> None:
    told = ask("findscu", service, hospital, "-k", "StudyInstanceUID", who="CT1", calling="VIEWER")
    assert "Calling AE Title Not Recognized" in told, told
    assert "No Acceptable Presentation Contexts" in ask("findscu", service, hospital, "-k", "StudyInstanceUID", who="CT1")
