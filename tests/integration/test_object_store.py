"""Films in an object store that two intakes share: every film is assessed and shown, none is lost, and no secret is told."""

import gc
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stores
from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import digest_of, film, sop_uid
from tests.integration.service import Service, until
from tests.integration.test_store import SAMPLES, needs_dcmtk, storescu
from tests.wire import Wire, wire

ASSESSED_WITHIN = 240.0
PATIENCE = 120.0
"""Seconds for which a modality tries a film again."""
FILMS = 80


@pytest.fixture(scope="module")
def server() -> Iterator[stores.Moto]:
    with stores.moto() as one:
        yield one


@pytest.fixture(params=["moto", "s3rver"])
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Wire, str]]:
    """(its name, a wire to it that can be cut, a bucket of it)"""
    if request.param == "moto":
        server = request.getfixturevalue("server")
        with wire(server.port) as one:
            yield "moto", one, server.bucket()
        return
    if shutil.which("s3rver") is None:
        pytest.skip("no s3rver (npm)")
    other = stores.S3rver(tmp_path / "s3rver")
    with pytest.MonkeyPatch.context() as patch, wire(other.port) as one:
        for name, value in (stores.KEYS | other.KEYS).items():
            patch.setenv(name, value)
        yield "s3rver", one, "films"
    other.stop()


def two_intakes(serve: Serve, endpoint: str, bucket: str) -> tuple[Service, Service]:
    """A site, and a second intake with a home of its own, on the same database and bucket."""
    settings = {"storage__archive": f"s3://{bucket}/site", "storage__endpoint": endpoint, "storage__answers_within": "5 s"}
    first = serve(network=True, settings={**settings, "node": "one"})
    own = {"node": "two", "database_url": f"sqlite:///{first.database}"}
    second = Service(first.home.with_name("second"), ("intake",), settings={**settings, **own})
    second.database = first.database
    return first, second


def send(service: Service, numbers: range, acknowledged: list[int]) -> None:
    """Send as a modality does, each again until it is taken or the patience is over; what was answered 0x0000 is noted."""
    for number in numbers:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", service.dimse_port)).close()  # the library leaves a refused one open
                with modality(service.dimse_port) as sender:
                    if sender.store(film(number)) == 0x0000:
                        acknowledged.append(number)
                        break
            except (OSError, AssertionError, RuntimeError, ValueError):  # no listener at this moment
                pass
            time.sleep(0.2)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library, where an intake dies
def test_what_was_acknowledged_is_stored_whatever_dies(serve: Serve, peer: tuple[str, Wire, str]) -> None:
    """The store is cut off under load and comes back; an intake is killed in the middle of uploads and starts again."""
    name, store, bucket = peer
    first, second = two_intakes(serve, store.endpoint, bucket)
    try:
        second.start()
        done: list[int] = []
        senders = [
            threading.Thread(target=send, args=(service, range(start, FILMS, 4), done))
            for start, service in enumerate((first, first, second, second))
        ]
        for sender in senders:
            sender.start()
        until(lambda: len(done) > FILMS // 8, 120, "it goes on")
        store.stop()
        stopped = len(done)
        until(lambda: first.logged("refused") and second.logged("refused"), 60, "the senders are told")
        assert {line["status"] for line in first.logged("refused")} == {"A700"}
        assert len(done) <= stopped + 4, "nothing is acknowledged without the store"
        store.start()
        until(lambda: len(done) > stopped + FILMS // 8, 120, "it goes on by itself")
        os.kill(second.pid("intake"), signal.SIGKILL)
        second.kill()
        second.start()
        for sender in senders:
            sender.join()
        gc.collect()  # and told now
        until(lambda: not first.rows("SELECT 1 FROM job WHERE state <> 'done'"), ASSESSED_WITHIN, "all assessed")
        rows = {row["sop_instance_uid"]: row["digest"] for row in first.rows("SELECT * FROM instance")}
        lost = [number for number in done if rows.get(sop_uid(number)) != digest_of(film(number))]
        account = first.verify()
        refused = len(first.logged("refused")) + len(second.logged("refused"))
        print(f"{name}: acknowledged {len(done)} of {FILMS}, {refused} times 0xA700, lost {len(lost)}, gaps {account['gaps']}")
        assert (len(done), lost) == (FILMS, [])
        second.stop()
        first.stop()
    finally:
        second.kill()


@pytest.mark.soak
@needs_dcmtk
@pytest.mark.peer
def test_films_of_two_intakes_are_assessed_and_shown(serve: Serve, server: stores.Moto, tmp_path: Path) -> None:
    bucket = server.bucket()
    first, second = two_intakes(serve, server.endpoint, bucket)
    try:
        second.start()
        halves = [sorted(SAMPLES.rglob("*.dcm"))[start::2] for start in (0, 1)]
        for number, half in enumerate(halves):
            folder = tmp_path / f"half {number}"
            folder.mkdir()
            for path in half:
                (folder / path.name).symlink_to(path)
            said = storescu((first, second)[number], folder)
            assert said.count("Response (Success)") == len(half), said
        sent = sum(map(len, halves))
        assert len(first.rows("SELECT * FROM instance")) == sent
        until(lambda: not first.rows("SELECT 1 FROM job WHERE state <> 'done'"), ASSESSED_WITHIN, "all assessed")
        assert first.verify()["acknowledged"] == sent
        shown = first.rows("SELECT sop_instance_uid AS uid FROM instance ORDER BY received_at LIMIT 1")[0]["uid"]
        status, picture = first.get(f"/api/v1/instances/{shown}/preview.png")
        assert (status, picture[:8]) == (200, b"\x89PNG\r\n\x1a\n")
        assert len([key for key in server.objects(bucket) if "/objects/" in key]) == sent
        assert first.leftovers() == second.leftovers() == []
        assert not list(first.home.glob("instances/objects"))
        told = first.triage("config", "show").stdout + first.log.read_text() + second.log.read_text()
        assert bucket in told
        for secret in (stores.KEYS["AWS_SECRET_ACCESS_KEY"], stores.KEYS["AWS_ACCESS_KEY_ID"]):
            assert secret not in told
        print(f"{sent} films by two intakes: all in the bucket, assessed, verified")
        second.stop()
        first.stop()
    finally:
        second.kill()
