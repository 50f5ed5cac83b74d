"""Films that kill, hang or flood what opens them: each is named on the list at its first attempt, and the worker lives on."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import film, study_uid
from tests.integration.service import Service, until

POISONS, OTHERS = 20, 20
DELAYED_AT_MOST = 60.0
ASSESSED_WITHIN = 120

# what a decoder written in C does on a crafted film: nothing that Python could catch
SITECUSTOMIZE = """
import os, sys
if "triage.sandbox" in sys.orig_argv:
    import pydicom.filereader as filereader
    read = filereader.read_dataset
    def read_dataset(*arguments, **options):
        dataset = read(*arguments, **options)
        does = dataset.get("ImageComments")
        if does == "aborts":
            os.abort()
        while does == "hangs":
            pass
        if does == "fills the memory":
            bytearray(1 << 36)
        return dataset
    filereader.read_dataset = read_dataset
"""
DOES = {"aborts": "cannot_decode", "hangs": "timed_out", "fills the memory": "cannot_decode"}


@pytest.fixture
def service(serve: Serve, tmp_path: Path) -> Service:
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return serve(network=True, environment={"PYTHONPATH": path})


def done(service: Service) -> int:
    count: int = service.rows("SELECT count(*) AS n FROM study WHERE level != 'pending'")[0]["n"]
    return count


def waits(service: Service, where: str) -> list[float]:
    """Seconds from arrival to assessment."""
    return [row["w"] / 1e6 for row in service.rows(f"SELECT assessed_at - arrived_at AS w FROM study WHERE {where}")]


def deadly(number: int, does: str) -> Any:
    return film(number, ImageComments=does)


def test_films_that_kill_their_decoder_cost_nobody_else_anything(service: Service) -> None:
    worker = service.pid("worker")
    does = ["aborts", "fills the memory"] * (POISONS // 2 - 1) + ["hangs", "aborts"]
    with modality(service.dimse_port) as sender:
        assert {sender.store(deadly(number, what)) for number, what in enumerate(does, 1)} == {0x0000}
        assert {sender.store(film(POISONS + number)) for number in range(1, OTHERS + 1)} == {0x0000}
    until(lambda: done(service) == POISONS + OTHERS, ASSESSED_WITHIN, "all assessed or excused")

    listed = {row["study_instance_uid"]: row for row in service.worklist()}
    for number, what in enumerate(does, 1):
        row = listed.pop(study_uid(number))
        assert (row["level"], row["reason"], row["probability"]) == ("not_assessed", DOES[what], None)
    assert {row["level"] for row in listed.values()} <= {"flagged", "not_flagged"}
    assert {row["attempts"] for row in service.rows("SELECT attempts FROM job")} == {1}, "none had to be tried again"
    assert service.pid("worker") == worker
    restarted = service.role("worker")
    assert restarted is not None
    assert restarted["restarts"] == 0
    others = waits(service, "reason IS NULL")
    print(f"{POISONS} poison films before {OTHERS} others: slowest other {max(others):.1f} s after arrival, worker alive")
    assert max(others) < DELAYED_AT_MOST
    assert service.verify()["excused"] == POISONS
    service.stop()


@pytest.mark.soak
def test_a_server_that_is_killed_costs_no_film(service: Service) -> None:
    worker = service.pid("worker")

    def servers() -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{worker}/task/{worker}/children").read_text().split()]

    for number in range(1, 11):
        (server,) = until(servers, 30, "a server")
        os.kill(server, signal.SIGKILL)
        with modality(service.dimse_port) as sender:  # of its own: one that is idle for long is closed
            assert sender.store(film(number)) == 0x0000
        until(lambda number=number: done(service) == number, ASSESSED_WITHIN, "assessed")  # type: ignore[misc]
    assert {row["level"] for row in service.worklist()} <= {"flagged", "not_flagged"}
    assert {row["attempts"] for row in service.rows("SELECT attempts FROM job")} == {1}
    assert service.pid("worker") == worker
    slowest = max(waits(service, "reason IS NULL"))
    print(f"server killed before each of 10 films: slowest {slowest:.1f} s after arrival")
    service.stop()
