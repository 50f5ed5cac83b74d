"""A backup made while films arrive, restored elsewhere: what was acknowledged before it began is there."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.faults.account import Account, is_whole
from tests.faults.sender import SUCCESS, Sender, film
from tests.integration.conftest import Serve
from tests.integration.databases import environment
from tests.integration.service import Service, until
from tests.size import size

BEFORE, RATE = 30, 20.0


class Load(threading.Thread):
    """Films until told to stop, and what was acknowledged."""

    def __init__(self, service: Service) -> None:
        super().__init__(name="load")
        self.service, self.account, self.stop = service, Account(), threading.Event()
        self.slowest = 0.0

    def run(self) -> None:
        with Sender(self.service.dimse_port) as sender:
            number = 0
            while not self.stop.is_set():
                number += 1
                one = film(number)
                assert self.account.note(one, sender.store(one)) == SUCCESS
                self.stop.wait(1 / RATE)


@pytest.fixture
def loaded(serve: Serve) -> Any:
    load = Load(serve(network=True))
    load.start()
    until(lambda: len(load.account.acknowledged) >= BEFORE, 60, "films before the backup")
    yield load
    load.stop.set()
    load.join()


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triage", *arguments, "--home", str(home)]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=120, check=False)


def test_what_was_acknowledged_before_it_began_is_restored(loaded: Load, tmp_path: Path) -> None:
    service, folder, elsewhere = loaded.service, tmp_path / "backups", tmp_path / "elsewhere"
    before = dict(loaded.account.acknowledged)
    made = service.triage("backup", str(folder), "--json")
    assert made.returncode == 0, made.stderr
    assert len(loaded.account.acknowledged) > len(before)  # films went on arriving
    done = run(elsewhere, "restore", str(folder), "--verify", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    lost = [uid for uid, digest in before.items() if not is_whole(elsewhere, digest)]
    print(f"acknowledged before {len(before)}, restored {told['films']}, lost {len(lost)}, gaps {len(told['gaps'])}")
    assert not lost
    assert told["gaps"] == []
    listed = json.loads(run(elsewhere, "worklist", "--json", "--all").stdout)
    assert len(listed) == told["films"] >= len(before)
    assert run(elsewhere, "audit", "verify").returncode == 0

    again = json.loads(service.triage("backup", str(folder), "--json").stdout)
    assert again["copied"] < again["films"]  # a film is copied once
    refused = run(elsewhere, "restore", str(folder))
    assert refused.returncode == 78
    assert "not empty" in refused.stderr


@pytest.mark.parametrize("after", size([0.6], [0.15, 0.6, 1.2]))
def test_one_that_is_killed_is_never_taken_for_a_backup(loaded: Load, tmp_path: Path, after: float) -> None:
    folder, elsewhere = tmp_path / "backups", tmp_path / "elsewhere"
    whole = loaded.service.triage("backup", str(folder), "--json")
    assert whole.returncode == 0, whole.stderr
    command = [sys.executable, "-m", "triage", "backup", str(folder), "--home", str(loaded.service.home)]
    broken = subprocess.Popen(command, env=loaded.service.environment, stdout=subprocess.DEVNULL)
    try:
        broken.wait(after)
    except subprocess.TimeoutExpired:
        os.kill(broken.pid, signal.SIGKILL)
    broken.wait()
    done = run(elsewhere, "restore", str(folder), "--verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert loaded.service.triage("backup", str(folder)).returncode == 0
    assert not list(folder.rglob("*.part"))


@pytest.mark.soak
def test_films_that_came_after_the_backup_are_sent_again_from_the_old_home(serve: Serve, tmp_path: Path) -> None:
    """What docs/backup.md says of a home that is not empty: moved away, restored, and its later films sent."""
    old, folder, account = serve("intake"), tmp_path / "backups", Account()

    def sent(numbers: range) -> None:
        with Sender(old.dimse_port) as sender:
            for one in map(film, numbers):
                assert account.note(one, sender.store(one)) == SUCCESS

    sent(range(5))
    assert old.triage("backup", str(folder)).returncode == 0
    sent(range(5, 8))
    old.stop()
    refused = run(old.home, "restore", str(folder))
    assert (refused.returncode, len(refused.stderr.splitlines())) == (78, 1)
    moved = old.home.rename(tmp_path / "home.before")
    assert run(old.home, "restore", str(folder), "--verify").returncode == 0
    new = serve("intake", home=old.home)
    assert new.rows("SELECT count(*) AS films FROM instance")[0]["films"] == 5
    done = new.triage("send", str(moved / "instances" / "objects"), "--to", f"TRIAGE@127.0.0.1:{new.dimse_port}")
    assert done.returncode == 0, done.stderr
    digests = {row["digest"] for row in new.rows("SELECT digest FROM instance")}
    print(f"acknowledged {len(account.acknowledged)}, in the backup 5, on the list {len(digests)}")
    assert digests == set(account.acknowledged.values())
