"""Orders to a running service: durable before AA, on the page at once, in whatever order they and the films come."""

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.integration.conftest import Serve
from tests.integration.databases import environment
from tests.integration.modality import modality
from tests.integration.objects import film, study_uid
from tests.integration.service import Service, until
from tests.unit.hl7.messages import order
from triage.cli.serve import free_port
from triage.hl7.mllp import Frames, framed

STUDIES = 12
WITHIN = 1.0


class Ris:
    """A RIS on one connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._frames = Frames(1 << 16)

    def told(self, **said: object) -> bytes:
        """The answer to an order."""
        self.socket.sendall(framed(order(**said, at=datetime.now(UTC))))  # type: ignore[arg-type]
        while (answer := self._frames.next()) is None:
            data = self.socket.recv(65536)
            assert data, "closed without an answer"
            self._frames.feed(data)
        return answer


@contextmanager
def ris(port: int) -> Iterator[Ris]:
    opened = Ris(port)
    with closing(opened.socket):
        yield opened


def about(number: int) -> dict[str, str]:
    """What an order says to be about the study of that number."""
    return {"accession": f"A-{number}", "patient": f"P-{number}", "placer": f"PL-{number}"}


def of(number: int) -> bytes:
    return film(number, AccessionNumber=f"A-{number}", PatientID=f"P-{number}")


def levels(service: Service) -> dict[str, str]:
    return {row["study_instance_uid"]: row["level"] for row in service.worklist()}


def test_orders_before_and_after_films_on_the_page_at_once_and_a_kill_between(serve: Serve) -> None:
    port = free_port()
    service = serve("intake", "web", "orders", settings={"hl7__port": str(port)})
    before, during, after = STUDIES + 1, STUDIES + 2, STUDIES + 3
    with ris(port) as sender, modality(service.dimse_port) as camera:
        assert [camera.store(of(number)) for number in range(1, STUDIES + 1)] == [0] * STUDIES
        took = sorted(seconds_to_the_page(service, sender))
        p95 = statistics.quantiles(took, n=20)[-1]
        print(f"\nfrom order to the row on the page: median {statistics.median(took):.3f} s, p95 {p95:.3f} s, n {len(took)}")
        assert p95 < WITHIN
        for number in (before, during):
            assert b"MSA|AA|" in sender.told(**about(number))
        killed = service.pid("orders")
        os.kill(killed, signal.SIGKILL)
        assert [camera.store(of(number)) for number in (before, after)] == [0, 0]
        assert levels(service)[study_uid(before)] == "stat", "an order that was answered is durable"
        until(lambda: service.pid("orders") != killed and service.is_up("orders"), 30, "started again")
        assert camera.store(of(during)) == 0
    with ris(port) as sender:
        assert b"MSA|AA|" in sender.told(**about(after))
        assert b"MSA|AA|" in sender.told(**about(before), control="CA", priority=None)
        assert b"MSA|AA|" in sender.told(**{**about(during), "patient": "P-9"}, control="CA", priority=None)
        assert b"|103^" in sender.told(**about(during), control="HD")
    found = levels(service)
    assert [found[study_uid(number)] for number in (before, during, after)] == ["pending", "stat", "stat"]
    stats = service.rows("SELECT action, subject FROM audit WHERE actor = '(ris)' ORDER BY sequence DESC LIMIT 4")
    assert [(row["action"], row["subject"]) for row in stats] == [
        ("unstat", study_uid(before)),
        ("stat", study_uid(after)),
        ("stat", study_uid(during)),
        ("stat", study_uid(before)),
    ]
    assert not {"Doe", "P-1", "A-1", "PL-1"} & set(service.log.read_text().replace('"', " ").split())
    service.stop()


def seconds_to_the_page(service: Service, sender: Ris) -> Iterator[float]:
    """From each order's first byte to when a page that follows the list has its study at STAT."""
    feed = http.client.HTTPConnection("127.0.0.1", service.web_port, timeout=10)
    with closing(feed):
        feed.request("GET", "/events", headers={"Authorization": f"Bearer {service.token}"})
        stream = feed.getresponse()
        for number in range(1, STUDIES + 1):
            revision = int(service.rows("SELECT revision FROM worklist_revision")[0]["revision"])
            began = time.monotonic()
            assert b"MSA|AA|" in sender.told(**about(number))
            while not (line := stream.readline()).startswith(b"data: ") or int(line[6:]) <= revision:
                assert line, "the stream ended"
            assert levels(service)[study_uid(number)] == "stat"
            yield time.monotonic() - began


def test_named_without_a_port_it_says_what_to_set(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "triage", "serve", "orders", "--home", str(home)]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "hl7.port is not set: name the port on which the RIS sends orders" in done.stderr


DEAF = """
from triage.cli import main
from triage.hl7.listener import Listener
Listener._welcome = None
main()
"""


def test_a_listener_that_fails_ends_its_role(serve: Serve) -> None:
    """One that lived on would look well and let nobody in; the supervisor starts it again."""
    port = free_port()
    service = serve("orders", settings={"hl7__port": str(port)}, command=(sys.executable, "-c", DEAF))
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)):
        assert service.process is not None
        assert service.process.wait(20) == 1
    until(
        lambda: "the listener for orders ended by itself" in service.tail() and service.logged("listener for orders failed"),
        5,
        "said so",
    )
