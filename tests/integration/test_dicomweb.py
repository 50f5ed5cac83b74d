"""DICOMweb as its clients speak it: dicomweb-client against a running service, films in by STOW-RS and back byte for byte."""

import fcntl
import http.client
import io
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from tests.integration.conftest import running
from tests.integration.objects import data_of, film, sop_uid, study_uid
from tests.integration.service import Service, until
from triage.archive.receiving import receiving
from triage.imaging.codecs import decode_frame

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "sample_dicom").glob("film_0[12].dcm"))
BOUNDARY = "triage-test-boundary"
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("dicomweb") / "home"
    with running(Service(home, ("intake", "web"), settings={"web__stow": "true"})) as service:
        status, told = post(service, "/dicomweb/studies", bodied(*(path.read_bytes() for path in SAMPLES)))
        assert status == 200, told
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> DICOMwebClient:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {service.token}"
    return DICOMwebClient(url=f"http://127.0.0.1:{service.web_port}/dicomweb", session=session)


def post(service: Service, path: str, body: bytes, kind: str = MULTIPART, **headers: str) -> tuple[int, Any]:
    """One POST by the script's token."""
    with closing(http.client.HTTPConnection("127.0.0.1", service.web_port, timeout=30)) as connection:
        given = {"Authorization": f"Bearer {service.token}", "Content-Type": kind, **headers}
        connection.request("POST", path, body, given)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None


def bodied(*films: bytes) -> bytes:
    """A body with these films."""
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + one + b"\r\n" for one in films) + f"--{BOUNDARY}--\r\n".encode()


def reasons(told: Any) -> list[int]:
    """Failure Reason of each item of the Failed SOP Sequence."""
    return [item["00081197"]["Value"][0] for item in told.get("00081198", {"Value": []})["Value"]]


def waits(service: Service, pid: int) -> bool:
    """Whether an intake other than the old one holds the lock file open, as it does until it has put the archive right."""
    found = subprocess.run(["pgrep", "-f", f"serve intake --home {service.home}"], capture_output=True, text=True, check=False)
    for one in {int(one) for one in found.stdout.split()} - {pid}:
        with suppress(OSError):
            if any(os.readlink(link).endswith("receive.lock") for link in Path(f"/proc/{one}/fd").iterdir()):
                return True
    return False


def test_dicomweb_client_finds_and_retrieves_what_was_stored(client: DICOMwebClient, service: Service) -> None:
    listed = [row["study_instance_uid"] for row in service.worklist()]
    studies = client.search_for_studies()
    assert [one["0020000D"]["Value"][0] for one in studies] == listed
    assert len(listed) == len(SAMPLES)
    first = pydicom.dcmread(SAMPLES[0])
    uids = first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID
    assert len(client.search_for_studies(search_filters={"PatientID": first.PatientID})) >= 1
    assert [one["0020000E"]["Value"][0] for one in client.search_for_series(uids[0])] == [uids[1]]
    assert [one["00080018"]["Value"][0] for one in client.search_for_instances(*uids[:2])] == [uids[2]]
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    for told in (client.retrieve_study_metadata(uids[0])[0], client.retrieve_instance_metadata(*uids)):
        header = Dataset.from_json(told)
        for keyword in (
            "Rows",
            "Columns",
            "BitsStored",
            "PhotometricInterpretation",
            "PatientID",
            "StudyDate",
            "SeriesInstanceUID",
        ):
            assert header.get(keyword) == first.get(keyword), keyword
    for path in SAMPLES:
        want = pydicom.dcmread(path)
        got = client.retrieve_instance(want.StudyInstanceUID, want.SeriesInstanceUID, want.SOPInstanceUID)
        assert got == want
    (frame,) = client.retrieve_instance_frames(*uids, frame_numbers=[1])
    assert frame == decode_frame(first).astype(f"<u{first.BitsAllocated // 8}").tobytes()
    assert client.retrieve_instance_rendered(*uids, media_types=("image/jpeg",)).startswith(b"\xff\xd8\xff")
    assert client.retrieve_instance_rendered(*uids, media_types=("image/png",)).startswith(b"\x89PNG")


def test_films_come_back_byte_for_byte(service: Service) -> None:
    for path in SAMPLES:
        film = pydicom.dcmread(path, stop_before_pixels=True)
        address = f"studies/{film.StudyInstanceUID}/series/{film.SeriesInstanceUID}/instances/{film.SOPInstanceUID}"
        headers = {"Authorization": f"Bearer {service.token}", "Accept": "application/dicom; transfer-syntax=*"}
        answer = requests.get(f"http://127.0.0.1:{service.web_port}/dicomweb/{address}", headers=headers, timeout=30)
        assert answer.status_code == 200
        assert data_of(answer.content) == data_of(path.read_bytes())


def test_dicomweb_client_stores_and_a_second_time_too(client: DICOMwebClient, service: Service) -> None:
    given = [pydicom.dcmread(io.BytesIO(film(number))) for number in (41, 42)]
    for _ in range(2):
        answer = client.store_instances(given)
        assert {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence} == {sop_uid(41), sop_uid(42)}
        assert "FailedSOPSequence" not in answer
    assert {study_uid(41), study_uid(42)} <= {row["study_instance_uid"] for row in service.worklist()}
    rows = service.rows("SELECT calling_ae_title FROM instance WHERE study_instance_uid = ?", study_uid(41))
    assert [row["calling_ae_title"] for row in rows] == ["tester"]


def test_each_object_is_answered_for_itself(service: Service) -> None:
    other = film(51, PatientID="SOMEBODY-ELSE", PatientName="Else^Somebody")
    no_class = film(52).replace(b"1.2.840.10008.5.1.4.1.1.1.1", b"1.2.840.10008.5.1.4.1.1.2.1")
    status, told = post(service, "/dicomweb/studies", bodied(film(51), other, b"no film", no_class, film(53)))
    assert status == 202
    assert [item["00081155"]["Value"][0] for item in told["00081199"]["Value"]] == [sop_uid(51), sop_uid(53)]
    assert reasons(told) == [0xA900, 0xC100, 0x0122]
    assert told["00081198"]["Value"][0]["00081155"]["Value"] == [sop_uid(51)]
    assert told["00081199"]["Value"][0]["00081190"]["Value"][0].startswith(f"/dicomweb/studies/{study_uid(51)}/series/")
    assert post(service, "/dicomweb/studies", bodied(b"no film"))[0] == 409
    assert service.verify()


def test_a_study_of_the_address_has_to_be_that_of_the_films(service: Service) -> None:
    status, told = post(service, f"/dicomweb/studies/{study_uid(61)}", bodied(film(61), film(62)))
    assert (status, reasons(told)) == (202, [0xA900])
    assert study_uid(62) not in {row["study_instance_uid"] for row in service.worklist()}
    assert post(service, "/dicomweb/studies/0.01", bodied(film(61)))[0] == 400


def test_one_object_without_parts(service: Service) -> None:
    status, told = post(service, "/dicomweb/studies", film(63), "application/dicom")
    assert status == 200
    assert told["00081199"]["Value"][0]["00081155"]["Value"] == [sop_uid(63)]


def test_bodies_that_are_none_are_refused_and_leave_nothing(service: Service) -> None:
    objects = service.rows("SELECT count(*) AS n FROM instance")[0]["n"]
    cases = [
        (b"", MULTIPART, 400),
        (bodied(film(71))[:-20], MULTIPART, 400),
        (b"--x--", 'multipart/related; type="application/dicom"', 400),
        (b"--x--", "multipart/related; type=application/dicom; boundary=" + "b" * 71, 400),
        (b"{}", "application/json", 415),
        (b"x", 'multipart/related; type="application/dicom+json"; boundary=x', 415),
        (bodied(film(71)).replace(b"application/dicom\r", b"image/jpeg\r"), MULTIPART, 415),
        (b"--%s--\r\n" % BOUNDARY.encode(), MULTIPART, 409),
        (bodied(*[b"x"] * 101), MULTIPART, 413),
        (bytes(300), "application/dicom", 409),
    ]
    for body, kind, status in cases:
        got, told = post(service, "/dicomweb/studies", body, kind)
        assert got == status, (kind, status, told)
    assert service.rows("SELECT count(*) AS n FROM instance")[0]["n"] == objects
    assert [name for name in os.listdir(service.home / "instances" / "incoming") if name.endswith(".part")] == []
    assert os.listdir(service.home / "spool") == []


def test_while_the_intake_puts_the_archive_right_nothing_is_received(service: Service) -> None:
    descriptor = os.open(service.home / "instances" / "incoming" / "receive.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        status, told = post(service, "/dicomweb/studies", bodied(film(81)))
        assert status == 503
        assert "try again" in told["detail"]
    finally:
        os.close(descriptor)
    assert post(service, "/dicomweb/studies", bodied(film(81)))[0] == 200


def test_nobody_stores_without_a_token(service: Service) -> None:
    status, _ = post(service, "/dicomweb/studies", bodied(film(82)), Authorization="Bearer wrong")
    assert status == 401
    assert study_uid(82) not in {row["study_instance_uid"] for row in service.worklist()}


def test_the_intake_starts_beside_a_sender_that_never_ends(service: Service) -> None:
    """A body that hangs holds nothing of the archive: the intake puts it right and listens."""
    connection = http.client.HTTPConnection("127.0.0.1", service.web_port, timeout=30)
    connection.putrequest("POST", "/dicomweb/studies")
    for name, value in {
        "Authorization": f"Bearer {service.token}",
        "Content-Type": MULTIPART,
        "Content-Length": "100000",
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(bodied(film(91))[:5000])
    with receiving(service.home / "instances"):  # as an object does that is just being copied
        pid = service.pid("intake")
        os.kill(pid, 9)
        until(lambda: waits(service, pid), 30, "another one was started, and waits")
        assert len(service.logged("reconciled")) == 1, "it waits until nobody receives"
    until(lambda: service.pid("intake") not in (0, pid) and service.is_up("intake"), 30, "the intake is back")
    assert len(service.logged("reconciled")) == 2
    connection.close()
    assert study_uid(91) not in {row["study_instance_uid"] for row in service.worklist()}
