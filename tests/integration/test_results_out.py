"""A film comes in, the RIS hears of it: real processes, a real receiver, and ``kill -9`` of the publisher in between."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import film
from tests.integration.service import Service, until
from tests.unit.hl7.peers import Caller, peer, takes
from triage.hl7.structure import parse

HEARD_WITHIN = 60
DESTINATION = """
[[destinations]]
name = "{name}"
kind = "hl7"
to = "127.0.0.1:{port}"
within = "2s"
"""


def configured(home: Path, **ports: int) -> Path:
    home.mkdir(mode=0o700)
    (home / "triage.toml").write_text("".join(DESTINATION.format(name=name, port=port) for name, port in ports.items()))
    return home


def deliveries(service: Service) -> Any:
    done = service.triage("deliveries", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def says_nothing(caller: Caller) -> None:
    caller.over.wait()


def test_results_arrive_whatever_dies_and_whoever_is_silent(serve: Serve, tmp_path: Path) -> None:
    with peer(takes) as ris, peer(says_nothing) as deaf:
        home = configured(tmp_path / "home", ris=ris.port, deaf=deaf.port)
        service = serve("intake", "worker", "publisher", home=home, network=True)
        with modality(service.dimse_port) as sender:
            assert sender.store(film(1)) == 0
            until(lambda: len(ris.messages) == 1, HEARD_WITHIN, "the RIS hears, though the other one is silent")
            os.kill(before := service.pid("publisher"), signal.SIGKILL)
            assert sender.store(film(2)) == 0
            until(lambda: len(ris.messages) == 2, HEARD_WITHIN, "the next publisher goes on")
        assert len({parse(one).control_id for one in ris.messages}) == 2
        until(lambda: service.pid("publisher") not in (0, before), HEARD_WITHIN)
        until(lambda: service.rows("SELECT delivered FROM destination WHERE name = 'ris'")[0]["delivered"] == 2, HEARD_WITHIN)
        silent, heard = deliveries(service)["destinations"]
        assert (silent["name"], silent["delivered"], silent["waiting"]) == ("deaf", 0, 2)
        assert (heard["name"], heard["waiting"], heard["refused"]) == ("ris", 0, 0)
        trouble = until(lambda: (row := service.role("publisher")) and row["trouble"], HEARD_WITHIN)
        assert trouble.startswith("deaf: no answer since ")
        service.stop()
        assert "CXR" not in service.log.read_text(), "no accession number, no name in the log"
