"""A film comes in, PACS and RIS hear of it: real processes, real receivers, and ``kill -9`` of the publisher in between."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import film
from tests.integration.service import Service, until
from tests.integration.test_commitment_orthanc import Orthanc, free_ports, orthanc
from tests.unit.hl7.peers import Caller, peer, takes
from triage.domain.ours import COMPREHENSIVE_SR
from triage.hl7.structure import parse

pytestmark = [pytest.mark.peer, pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")]
HEARD_WITHIN = 60
DESTINATION = """
[[destinations]]
name = "{name}"
kind = "{kind}"
to = "{to}"
commitment = {commitment}
within = "{within}s"
"""


def configured(home: Path, *destinations: tuple[str, str, str, int]) -> Path:
    home.mkdir(mode=0o700)
    names = ("name", "kind", "to", "within")
    given = (dict(zip(names, one, strict=True)) for one in destinations)
    tables = (DESTINATION.format(**one, commitment=str(one["kind"] == "dicom").lower()) for one in given)
    (home / "triage.toml").write_text("".join(tables))
    return home


@contextmanager
def pacs_in(folder: Path) -> Iterator[tuple[Orthanc, int]]:
    """A PACS and its DICOM port."""
    port, http_port, unused = free_ports(3)
    with orthanc(folder / "orthanc", port, http_port, unused) as running:
        yield running, port


def deliveries(service: Service) -> Any:
    done = service.triage("deliveries", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def delivered(service: Service) -> int:
    """Results that have arrived, wherever."""
    return int(service.rows("SELECT sum(delivered) AS total FROM destination")[0]["total"])


def committed(service: Service) -> list[Any]:
    """What a PACS has said of keeping each result."""
    return [row["committed"] for row in service.rows("SELECT committed FROM delivery WHERE destination = 'pacs'")]


def says_nothing(caller: Caller) -> None:
    caller.over.wait()


def test_results_arrive_whatever_dies_and_whoever_is_silent(serve: Serve, tmp_path: Path) -> None:
    with peer(takes) as ris, peer(says_nothing) as deaf, pacs_in(tmp_path) as (pacs, port):
        home = configured(
            tmp_path / "home",
            ("ris", "hl7", f"127.0.0.1:{ris.port}", 20),
            ("deaf", "hl7", f"127.0.0.1:{deaf.port}", 2),
            ("pacs", "dicom", f"ORTHANC@127.0.0.1:{port}", 20),
        )
        service = serve("intake", "worker", "publisher", home=home, network=True)
        pacs.knows("triage", "TRIAGE", service.dimse_port)
        with modality(service.dimse_port) as sender:
            assert sender.store(film(1)) == 0
            until(lambda: len(ris.messages) == 1, HEARD_WITHIN, "the RIS hears, though another one is silent")
            os.kill(before := service.pid("publisher"), signal.SIGKILL)
            assert sender.store(film(2)) == 0
            until(lambda: delivered(service) == 4, HEARD_WITHIN, "the next publisher goes on")
        assert service.pid("publisher") != before
        assert len({parse(one).control_id for one in ris.messages}) == 2
        reports = [pacs.get(f"/instances/{one}/simplified-tags") for one in pacs.get("/instances")]
        assert [one["SOPClassUID"] for one in reports] == [COMPREHENSIVE_SR] * 2
        studies = {row["study_instance_uid"] for row in service.rows("SELECT study_instance_uid FROM study")}
        assert {one["StudyInstanceUID"] for one in reports} == studies
        until(lambda: committed(service) == [1, 1], HEARD_WITHIN, "the PACS says on associations of its own that it keeps them")
        silent, kept, heard = deliveries(service)["destinations"]
        assert (silent["name"], silent["delivered"], silent["waiting"]) == ("deaf", 0, 2)
        assert (kept["name"], kept["waiting"], kept["refused"]) == ("pacs", 0, 0)
        assert (heard["name"], heard["waiting"], heard["refused"]) == ("ris", 0, 0)
        trouble = until(lambda: (row := service.role("publisher")) and row["trouble"], HEARD_WITHIN)
        assert trouble.startswith("deaf: no answer since ")
        service.stop()
        print(
            f"results: 2 each to a RIS and a PACS, the publisher killed in between: lost 0, {len(ris.messages) - 2} sent twice"
        )
