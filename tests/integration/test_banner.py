"""How soon the list says that the network is off, and how soon a role that hangs works again."""

import os
import signal
import subprocess
import time

import pytest

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import film
from tests.integration.service import Service, is_alive, until
from triage.supervisor import SILENT_AFTER

WITHIN = 60.0
"""Seconds that the list may keep silent about it."""
OFF = b"Network not running"


def metric(service: Service, name: str) -> float:
    lines = service.get("/metrics")[1].decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), -1.0)


@pytest.mark.parametrize(
    ("ends", "sign"),
    [
        ("killed", signal.SIGKILL),
        pytest.param("stopped", signal.SIGSTOP, marks=pytest.mark.soak),
    ],
)
def test_the_list_says_within_a_minute_that_the_network_is_off(serve: Serve, ends: str, sign: signal.Signals) -> None:
    service = serve("web", "intake", "scheduler", settings={"node": "a"})
    worker = serve("worker", home=service.home, network=True, settings={"node": "b"})
    with modality(service.dimse_port) as sender:
        assert sender.store(film(1)) == 0x0000
    until(lambda: OFF not in service.get("/")[1], WITHIN, "the network runs")
    until(lambda: service.readyz()["reasons"] == [], WITHIN, "ready")
    pid = worker.pid("worker")
    begun = time.monotonic()
    os.kill(pid, sign)
    until(lambda: OFF in service.get("/")[1], WITHIN, "the banner")
    print(f"worker {ends}: banner on the list after {time.monotonic() - begun:.1f} s (at most {WITHIN:.0f} s)")
    assert any(reason.startswith("worker@b: no sign of life since") for reason in service.readyz()["reasons"])
    assert metric(service, 'triage_role_up{role="worker"}') == 0
    until(lambda: metric(service, 'triage_films_received_total{sender="MODALITY",status="0000"}') == 1, WITHIN, "counted")
    os.kill(pid, signal.SIGKILL)


@pytest.mark.soak
def test_a_wedged_role_is_seen_and_works_again(serve: Serve) -> None:
    """F53. The supervisor starts it again; in between the list says that the network is off."""
    service = serve(network=True)
    pid = service.pid("worker")
    begun = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    until(lambda: OFF in service.get("/")[1], WITHIN, "the banner")
    banner = time.monotonic() - begun
    until(lambda: not is_alive(pid), SILENT_AFTER + WITHIN, "killed")
    killed = time.monotonic() - begun
    until(lambda: service.is_up("worker") and service.pid("worker") != pid, WITHIN, "works again")
    print(f"SIGSTOP of the worker: banner after {banner:.1f} s, killed after {killed:.1f} s, at work after "
          f"{time.monotonic() - begun:.1f} s")  # fmt: skip
    assert service.logged("role is wedged")
    until(lambda: service.readyz()["reasons"] == [], WITHIN, "ready")
    service.stop()


def test_probes_ask_the_machines_own_role(serve: Serve) -> None:
    service = serve("scheduler", settings={"node": "a"})
    assert service.triage("alive", "scheduler").returncode == 0
    assert service.triage("alive", "worker").returncode == 1
    service.stop()
    done: subprocess.CompletedProcess[str] = service.triage("alive", "scheduler")
    assert (done.returncode, done.stdout.startswith("scheduler@a: stopped")) == (1, True)
