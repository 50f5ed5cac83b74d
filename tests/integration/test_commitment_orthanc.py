"""Orthanc asks for storage commitment, as a modality does, and hears the report by its own SCP on another association."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration import objects
from tests.integration.conftest import Serve
from tests.integration.objects import DX, film, sop_uid
from tests.integration.service import Service, until

pytestmark = [pytest.mark.peer, pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")]


def free_ports(count: int) -> list[int]:
    """Ports that are free at the same moment."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Orthanc:
    """A running Orthanc that knows us as the modality ``triage``."""

    def __init__(self, folder: Path, dicom_port: int, http_port: int, to: int) -> None:
        self._http_port = http_port
        folder.mkdir(exist_ok=True)
        self._settings = folder / "orthanc.json"
        self._settings.write_text(
            json.dumps(
                {
                    "Name": "modality",
                    "DicomAet": "ORTHANC",
                    "DicomPort": dicom_port,
                    "HttpPort": http_port,
                    "RemoteAccessAllowed": False,
                    "AuthenticationEnabled": False,
                    "StorageDirectory": str(folder / "storage"),
                    "IndexDirectory": str(folder / "storage"),
                    "DicomModalities": {"triage": {"AET": "TRIAGE", "Host": "127.0.0.1", "Port": to}},
                }
            ),
            encoding="utf-8",
        )
        self._log = (folder / "orthanc.log").open("ab")
        self.process = subprocess.Popen(["Orthanc", str(self._settings)], stdout=self._log, stderr=self._log)
        until(lambda: self.get("/system"), 30, "Orthanc answers")

    def get(self, path: str) -> Any:
        """JSON, or ``None``: not there, nobody answers."""
        return self._ask("GET", path)

    def post(self, path: str, body: bytes | dict[str, Any]) -> Any:
        return self._ask("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())

    def knows(self, name: str, ae_title: str, port: int) -> None:
        """Have it know another system from now on."""
        self._ask("PUT", f"/modalities/{name}", json.dumps({"AET": ae_title, "Host": "127.0.0.1", "Port": port}).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", self._http_port, timeout=30)) as connection:
            try:
                connection.request(method, path, body=body)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                return None
        return json.loads(content) if answer.status == 200 and content else None

    def send(self, *numbers: int) -> None:
        """Upload films to Orthanc and have it C-STORE them to us."""
        names = [self.post("/instances", film(number))["ID"] for number in numbers]
        assert self.post("/modalities/triage/store", {"Resources": names, "Synchronous": True})["FailedInstancesCount"] == 0

    def ask(self, *references: tuple[str, str]) -> str:
        """Ask for storage commitment; gives where the answer will be."""
        pairs = [{"SOPClassUID": sop_class, "SOPInstanceUID": instance} for sop_class, instance in references]
        return str(self.post("/modalities/triage/storage-commitment", {"DicomInstances": pairs})["Path"])

    def answer(self, path: str, seconds: float = 30) -> dict[str, Any]:
        """What it was told."""
        until(lambda: (self.get(path) or {}).get("Status", "Pending") != "Pending", seconds, "a report")
        told: dict[str, Any] = self.get(path)
        return {
            "status": told["Status"],
            "committed": sorted(one["SOPInstanceUID"] for one in told.get("Success", [])),
            "failed": {one["SOPInstanceUID"]: one["FailureReason"] for one in told.get("Failures", [])},
        }

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self._log.close()


@contextmanager
def orthanc(*where: Any) -> Iterator[Orthanc]:
    running = Orthanc(*where)
    try:
        yield running
    finally:
        running.stop()


def kept(service: Service, number: int) -> Path:
    digest = objects.digest_of(film(number))
    return service.home / "instances" / "objects" / digest[:2] / f"{digest}.dcm"


def test_orthanc_hears_what_is_safe_and_what_is_not(serve: Serve, tmp_path: Path) -> None:
    dicom_port, http_port = free_ports(2)
    service = serve("intake", settings={"dimse__commitment_peers": f"ORTHANC@127.0.0.1:{dicom_port}"})
    with orthanc(tmp_path / "orthanc", dicom_port, http_port, service.dimse_port) as peer:
        peer.send(1, 2, 3)
        whole = peer.ask((DX, sop_uid(1)), (DX, sop_uid(2)))
        assert peer.answer(whole) == {"status": "Success", "committed": [sop_uid(1), sop_uid(2)], "failed": {}}
        content = bytearray(kept(service, 3).read_bytes())
        content[-1] ^= 1
        kept(service, 3).write_bytes(content)
        mixed = peer.ask((DX, sop_uid(1)), (DX, sop_uid(3)), (DX, sop_uid(9)), ("1.2.840.10008.5.1.4.1.1.2", "1.2.3"))
        told = peer.answer(mixed)
    print(f"Orthanc was told: {told}")
    assert told == {
        "status": "Failure",
        "committed": [sop_uid(1)],
        "failed": {sop_uid(3): 0x0110, sop_uid(9): 0x0112, "1.2.3": 0x0122},
    }


def test_orthanc_hears_after_we_were_killed(serve: Serve, tmp_path: Path) -> None:
    dicom_port, http_port = free_ports(2)
    service = serve("intake")  # that does not know yet whom to call
    with orthanc(tmp_path / "orthanc", dicom_port, http_port, service.dimse_port) as peer:
        peer.send(1)
        path = peer.ask((DX, sop_uid(1)))
        os.kill(service.pid("intake"), signal.SIGKILL)
        assert service.process is not None
        service.process.wait()
        service.environment["TRIAGE_DIMSE__COMMITMENT_PEERS"] = f"ORTHANC@127.0.0.1:{dicom_port}"
        service.start()
        assert peer.answer(path, 60)["committed"] == [sop_uid(1)]
