"""An upgrade and the way back as an administrator does them: commands, and a service that runs before, between and after."""

import subprocess
from pathlib import Path

import pytest

from tests.faults.account import Account
from tests.faults.sender import SUCCESS, Sender, film
from tests.integration.service import Service, until
from tests.unit.database.test_reading_migration import first_release, upgrade
from triage.database.engine import open_engine
from triage.database.schema import newest

FORMER = "0014_orders"


def told(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert len(done.stderr.splitlines()) <= 1, "one line, no traceback"
    return done.stdout + done.stderr


@pytest.mark.soak
def test_up_and_back_and_every_film_is_on_the_list(tmp_path: Path) -> None:
    service, account = Service(tmp_path / "home", ("intake",)), Account()
    service.home.mkdir()
    engine = open_engine(service.database_url)
    first_release(engine)
    upgrade(engine, FORMER)
    engine.dispose()
    assert f"{FORMER}, this version needs {newest()}" in told(service.triage("serve", "intake"), 78)
    assert "ready" in told(service.triage("migrate", "--check"), 1)
    assert FORMER in told(service.triage("migrate"), 0)
    try:
        service.start()
        with Sender(service.dimse_port) as sender:
            for one in map(film, range(3)):
                assert account.note(one, sender.store(one)) == SUCCESS
        assert "the service runs (intake)" in told(service.triage("migrate", "--back", "--accept-loss"), 78)
        service.stop()
        assert "study: 3 new" in told(service.triage("migrate", "--back"), 78)
        assert f"-> {FORMER}" in told(service.triage("migrate", "--back", "--accept-loss"), 0)
        assert FORMER in told(service.triage("serve", "intake"), 78), "the former version's database"
        assert service.rows("SELECT count(*) AS studies FROM study")[0]["studies"] == 4
        told(service.triage("migrate"), 0)
        service.start()
        until(
            lambda: service.rows("SELECT count(*) AS studies FROM study")[0]["studies"] == 4 + 3,
            10,
            "films without a row are listed again",
        )
        adopted = {row["digest"] for row in service.rows("SELECT digest FROM instance WHERE calling_ae_title = 'ADOPTED'")}
        print(f"acknowledged {len(account.acknowledged)}, rows lost by consent and made again {len(adopted)}")
        assert adopted == set(account.acknowledged.values())
        service.stop()
    finally:
        service.kill()
