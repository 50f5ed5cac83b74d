"""The service as a whole: it drains, it leaves nothing behind, it comes back knowing what it has."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from pynetdicom import evt

from tests.integration.conftest import Serve
from tests.integration.modality import associate, modality
from tests.integration.objects import DX, data_set, digest_of, elements_of, film, part10, sop_uid, study_uid
from tests.integration.service import ROLES, Service, is_alive, until
from tests.size import size
from triage.dimse.requestor import steady

LARGE = 24 << 20


def large_film(number: int) -> bytes:
    """A film that takes a while on the wire."""
    side = 1 << 12
    pixels = bytes(LARGE)
    elements = elements_of(number, Rows=side, Columns=LARGE // side, PixelData=pixels)
    return part10(data_set(elements), DX, sop_uid(number))


def present(service: Service, number: int, file: bytes) -> bool:
    rows = service.rows("SELECT digest FROM instance WHERE sop_instance_uid = ?", sop_uid(number))
    return [row["digest"] for row in rows] == [digest_of(file)]


@pytest.mark.parametrize("pdus", size([60], [1, 60, 150]))
def test_sigterm_during_a_transfer_drains_and_exits_0(serve: Serve, tmp_path: Path, pdus: int) -> None:
    service = serve("intake", "scheduler")
    path = tmp_path / "large.dcm"
    path.write_bytes(large_film(1))
    statuses: list[int | None] = []
    sent: list[evt.Event] = []
    association = associate(service.dimse_port)
    connected = association.dul.socket.socket  # pynetdicom does not close it when the peer aborts
    association.bind(evt.EVT_PDU_SENT, sent.append)

    def send() -> None:
        statuses.append(steady(association).send_c_store(path).get("Status"))
        association.release()

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: len(sent) >= pdus, 30, "some of the film on the wire")
    service.stop()
    sender.join(30)
    acknowledged = statuses == [0x0000]
    assert acknowledged, "the film at hand is heard to its end and answered"
    assert present(service, 1, path.read_bytes())
    assert list((service.home / "instances" / "incoming").glob("*.part")) == []
    connected.close()
    print(f"SIGTERM after {pdus} of {len(sent)} PDUs: {'acknowledged and present' if acknowledged else 'not acknowledged'}")


def test_no_new_association_is_taken_while_draining(serve: Serve) -> None:
    service = serve("intake", "scheduler")
    assert _listens(service.dimse_port)
    association = associate(service.dimse_port)
    connected = association.dul.socket.socket
    os.kill(service.process.pid, signal.SIGTERM)
    until(lambda: not _listens(service.dimse_port), 10, "no new association")
    until(lambda: association.is_aborted, 5, "a sender between two films is told at once, and sends the next one later")
    connected.close()
    assert service.process.wait(20) == 0


def _listens(port: int) -> bool:
    """By the kernel's table: asking by connecting would leave a peer behind that the drain has to wait for."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def test_a_killed_service_leaves_no_process_behind(serve: Serve) -> None:
    service = serve()
    pids = {role: service.pid(role) for role in service.roles}
    assert service.process is not None
    service.process.kill()
    service.process.wait()
    for role, pid in pids.items():
        until(lambda pid=pid: not is_alive(pid), 20, f"{role} ends with its supervisor")


def test_a_restart_accounts_for_what_a_crash_left(serve: Serve) -> None:
    service = serve("intake")
    with modality(service.dimse_port) as sender:
        assert [sender.store(film(number)) for number in (1, 2)] == [0x0000] * 2
    service.stop()
    instances = service.home / "instances"
    (instances / "incoming" / f"{'0' * 32}.part").write_bytes(b"half a film")
    whole, torn = film(3), film(4)
    for content, digest in ((whole, digest_of(whole)), (torn[:-100], digest_of(torn))):
        folder = instances / "objects" / digest[:2]
        folder.mkdir(exist_ok=True)
        (folder / f"{digest}.dcm").write_bytes(content)
    lost = digest_of(film(2))
    (instances / "objects" / lost[:2] / f"{lost}.dcm").unlink()

    again = serve("intake", "web", home=service.home)
    report = again.logged("reconciled")[-1]
    assert [report[name] for name in ("leftovers_removed", "adopted", "quarantined", "missing")] == [1, 1, 1, 1]
    assert study_uid(3) in {row["study_instance_uid"] for row in again.worklist()}
    assert not list((instances / "incoming").glob("*.part"))
    assert any("1 indexed films are not on disk" in reason for reason in again.readyz()["reasons"])
    gaps = again.triage("verify")
    assert gaps.returncode == 1
    assert gaps.stdout.startswith(f"indexed_not_on_disk: {sop_uid(2)}")
    assert again.rows("SELECT count(*) AS n FROM quarantined") == [{"n": 1}]
    again.stop()

    third = serve("intake", home=service.home)
    report = third.logged("reconciled")[-1]
    assert [report[name] for name in ("leftovers_removed", "adopted", "quarantined", "missing")] == [0, 0, 0, 1], "idempotent"
    third.stop()


def test_a_second_intake_on_the_same_home_does_not_start(serve: Serve) -> None:
    service = serve("intake")
    second = service.triage("serve", "intake", "--dimse-port", "0")
    assert second.returncode == 78
    assert "another intake is running" in second.stderr


@pytest.mark.parametrize("role", size(("intake", "web"), ROLES))
def test_one_role_stops_whichever_thread_takes_the_signal(serve: Serve, role: str) -> None:
    service = serve(role)
    assert service.process is not None
    pid = service.process.pid
    others = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid]
    ctypes.CDLL(None).tgkill(pid, min(others, default=pid), signal.SIGTERM)  # the kernel may choose any thread
    assert service.process.wait(15) == 0


def test_a_signal_within_the_wait_itself_does_not_hang() -> None:
    script = """
import os, signal
from triage.supervisor import stop_event
stop = stop_event(supervised=False)
with stop._cond:  # where the main thread is for a moment each time it begins or ends a wait
    os.kill(os.getpid(), signal.SIGTERM)
assert stop.wait(5)
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=20, check=False).returncode == 0


@pytest.mark.parametrize("role", size(("worker", "scheduler"), ROLES))
def test_one_role_alone_stops_cleanly(serve: Serve, role: str) -> None:
    serve(role).stop()


DEAF = """
from triage.cli import main
from triage.dimse.lobby import Lobby
Lobby._welcome = None
main()
"""


def test_an_intake_whose_listener_fails_ends_and_says_so(serve: Serve) -> None:
    """One that lived on would look well and let nobody in; the supervisor starts it again."""
    service = serve("intake", command=(sys.executable, "-c", DEAF))
    with closing(socket.create_connection(("127.0.0.1", service.dimse_port), timeout=10)):
        assert service.process is not None
        assert service.process.wait(20) == 1
    assert service.logged("lobby failed")
    assert "the listener ended by itself" in service.tail()
