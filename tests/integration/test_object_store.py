"""Films in an object store that two intakes share: every film is assessed and shown, and no secret is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stores
from tests.integration.conftest import Serve
from tests.integration.service import Service, until
from tests.integration.test_store import SAMPLES, needs_dcmtk, storescu

ASSESSED_WITHIN = 120.0


@pytest.fixture(scope="module")
def server() -> Iterator[stores.Moto]:
    with stores.moto() as one:
        yield one


def settings(server: stores.Moto, bucket: str) -> dict[str, str]:
    return {
        "storage__archive": f"s3://{bucket}/site",
        "storage__endpoint": server.endpoint,
        "storage__answers_within": "5 s",
    }


def two_intakes(serve: Serve, server: stores.Moto, bucket: str) -> tuple[Service, Service]:
    """A site, and a second intake with a home of its own, on the same database and bucket."""
    first = serve(network=True, settings={**settings(server, bucket), "node": "one"})
    second = Service(
        first.home.with_name("second"),
        ("intake",),
        settings={**settings(server, bucket), "node": "two", "database_url": f"sqlite:///{first.database}"},
    )
    second.database = first.database
    return first, second


@pytest.mark.soak
@needs_dcmtk
@pytest.mark.peer
def test_films_of_two_intakes_are_assessed_and_shown(serve: Serve, server: stores.Moto, tmp_path: Path) -> None:
    bucket = server.bucket()
    first, second = two_intakes(serve, server, bucket)
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
