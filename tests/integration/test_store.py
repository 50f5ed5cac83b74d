"""Films arrive by C-STORE from other people's senders: each is answered, listed before the answer, kept as it was sent."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.integration.conftest import Serve, running
from tests.integration.modality import Modality, associate, modality
from tests.integration.objects import data_of, digest_of, film, study_uid
from tests.integration.service import Service, until
from tests.size import size

SAMPLES = Path(__file__).resolve().parents[2] / "sample_dicom"
FILMS = 19
STORESCU_PROPOSES = {  # storescu proposes what it is told to
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}

needs_dcmtk = pytest.mark.skipif(shutil.which("storescu") is None, reason="no DCMTK: install it (Debian: dcmtk)")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service without the network for what is decided at the door."""
    with running(Service(tmp_path_factory.mktemp("store") / "home", ("intake", "web"))) as service:
        yield service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample films; while there are none, films made for this test."""
    if any(SAMPLES.rglob("*.dcm")):
        return SAMPLES
    for number in range(1, FILMS + 1):
        (tmp_path / f"{number}.dcm").write_bytes(film(number))
    return tmp_path


def storescu(service: Service, folder: Path) -> str:
    by_option: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.dcm")):
        syntax = dcmread(path, specific_tags=[], stop_before_pixels=True).file_meta.TransferSyntaxUID
        by_option.setdefault(STORESCU_PROPOSES.get(syntax, "-x="), []).append(str(path))
    said = ""
    for option, paths in by_option.items():
        command = ["storescu", "-v", option, "-aec", "TRIAGE", "127.0.0.1", str(service.dimse_port), *paths]
        said += subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stderr
    return said


def dcmsend(service: Service, folder: Path) -> str:
    command = [
        "dcmsend",
        "-v",
        "-aec",
        "TRIAGE",
        "127.0.0.1",
        str(service.dimse_port),
        "+sd",
        "+r",
        "+sp",
        "*.dcm",
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stderr


@needs_dcmtk
@pytest.mark.peer
@pytest.mark.parametrize("send", size([storescu], [storescu, dcmsend]))
def test_dcmtk_films_are_all_stored_listed_and_assessed(serve: Serve, folder: Path, send: object) -> None:
    service = serve(network=True)
    sent = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in folder.rglob("*.dcm")}
    said = send(service, folder)
    answers = re.findall(r"Received (?:C-)?(?:Store|STORE) Response \((.*?)\)", said)
    listed = json.loads(service.triage("worklist", "--json").stdout)

    assert answers == ["Success"] * len(sent), said
    indexed = service.rows("SELECT * FROM instance")
    assert {row["sop_instance_uid"] for row in indexed} == sent
    assert {row["study_instance_uid"] for row in listed} == {row["study_instance_uid"] for row in indexed}
    until(lambda: not service.rows("SELECT 1 FROM job WHERE state <> 'done'"), 60, "every study assessed")
    last = service.rows("SELECT max(received_at) AS at FROM instance")[0]["at"]
    assessed = service.rows("SELECT max(assessed_at) AS at FROM study")[0]["at"]
    print(f"{send.__name__}: {len(sent)} films, the last assessed {(assessed - last) / 1e6:.2f} s after the last arrived")
    assert service.verify()["acknowledged"] == len(sent)
    service.stop()


@needs_dcmtk
@pytest.mark.peer
def test_after_storescu_returns_the_list_has_the_film(service: Service, tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(film(100))
    storescu(service, tmp_path)
    assert study_uid(100) in {row["study_instance_uid"] for row in service.worklist()}


def test_the_study_is_listed_before_its_response_arrives(service: Service) -> None:
    seen: list[bool] = []

    def look(event: object) -> None:
        rows = service.rows(
            "SELECT 1 FROM study WHERE study_instance_uid = ? AND level = 'pending'", study_uid(200 + len(seen))
        )
        seen.append(bool(rows))

    with modality(service.dimse_port, heard=look) as sender:
        assert [sender.store(film(200 + number)) for number in range(20)] == [0x0000] * 20
    assert seen == [True] * 20


def test_the_data_set_is_kept_as_sent(service: Service) -> None:
    sent = film(300)
    with modality(service.dimse_port) as sender:
        assert sender.store(sent) == 0x0000
    digest = digest_of(sent)
    kept = (service.home / "instances" / "objects" / digest[:2] / f"{digest}.dcm").read_bytes()
    assert data_of(kept) == data_of(sent)
    assert kept[:132] == bytes(128) + b"DICM"


def test_sending_again_changes_nothing(service: Service) -> None:
    with modality(service.dimse_port) as sender:
        assert [sender.store(film(400)) for _ in range(10)] == [0x0000] * 10
    assert service.rows("SELECT images FROM study WHERE study_instance_uid = ?", study_uid(400))[0]["images"] == 1


@needs_dcmtk
@pytest.mark.peer
def test_dcmtk_echo(service: Service) -> None:
    command = ["echoscu", "-aec", "TRIAGE", "127.0.0.1", str(service.dimse_port)]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0


def test_a_wrong_called_ae_title_is_refused(service: Service) -> None:
    assert associate(service.dimse_port, called="ANOTHER").is_rejected


@pytest.mark.parametrize(
    ("calling", "address", "admitted"),
    [
        ("MODALITY", "127.0.0.1", True),
        ("ROVER", "127.0.0.2", True),
        ("STRANGER", "127.0.0.1", False),
        ("ROVER", "127.0.0.1", False),
    ],
)
def test_only_listed_peers_may_associate(listed_peers: Service, calling: str, address: str, admitted: bool) -> None:
    association = associate(listed_peers.dimse_port, calling=calling, address=address)
    assert (association.is_established, association.is_rejected) == (admitted, not admitted)
    if admitted:
        assert Modality(association, listed_peers.home).echo() == 0x0000
        association.release()


@pytest.fixture(scope="module")
def listed_peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("peers") / "home"
    with running(Service(home, ("intake",), settings={"dimse__allowed_peers": "MODALITY,ROVER@127.0.0.2"})) as service:
        yield service
