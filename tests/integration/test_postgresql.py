"""The way of a film with PostgreSQL under it; ``make postgres`` runs every test of this folder on it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import postgres
from tests.faults.account import Account, is_whole
from tests.faults.cable import Cable
from tests.faults.intake import Intake
from tests.faults.modalities import INSTALLED, storescu
from tests.faults.sender import SUCCESS, Film, Sender, film
from tests.integration.objects import study_uid
from tests.integration.only_sqlite import ONLY_SQLITE
from tests.integration.service import Service, until
from tests.integration.test_backup import Load
from tests.size import size

pytestmark = pytest.mark.skipif(not postgres.INSTALLED, reason="PostgreSQL is not installed")
ODD = {
    "NUL in the middle": b"Doe\0^John",
    "only NUL": b"\0\0\0\0",
    "not the character set that it says": b"D\xf6e^J\xfcrgen \xff\xfe",
    "half a character at the end": "Ärzte^Ö".encode()[:-1],
    "outside the basic plane": "🫁^Δοξα=山田^太郎".encode(),
    "control characters": bytes(range(1, 32)),
    "what means something to SQL and COPY": b"Robert'); DROP TABLE study;--\\N\\.\t\\x00%s$1:name",
    "much too long": b"x" * 4000,
    "a byte order mark and joiners": "\ufeffDoe\u200d^\u202eJohn\u2066".encode(),
}


@pytest.fixture
def url() -> str:
    return postgres.shared().owned()


@pytest.fixture
def intake(tmp_path: Path, url: str) -> Iterator[Intake]:
    one = Intake(tmp_path / "home", settings={"database_url": url})
    yield one.start()
    one.kill()


class Earlier(postgres.Server):
    """Made of a base backup and what was archived since, up to a moment."""

    def __init__(self, *arguments: Any, base: Path, archived: Path, moment: str) -> None:
        self.base, self.archived, self.moment = base, archived, moment
        super().__init__(*arguments)

    def make(self) -> None:
        subprocess.run(["cp", "-a", self.base, self.folder], check=True)
        with (self.folder / "postgresql.conf").open("a") as lines:
            lines.write(f"archive_mode=off\nrestore_command='cp {self.archived}/%f %p'\n")
            lines.write(f"recovery_target_time='{self.moment}'\nrecovery_target_action='promote'\n")
        (self.folder / "recovery.signal").touch()


ARCHIVING = "archive_mode=on\narchive_command='test ! -f ../wal/%f && cp %p ../wal/%f'\n"


@pytest.mark.soak
def test_back_to_a_point_in_time_with_the_archive_as_it_is(tmp_path: Path) -> None:
    """As ``docs/backup.md`` has it: what was acknowledged after that moment is taken in again."""
    account = Account()
    with postgres.server(settings=ARCHIVING) as server:
        url, beside = server.owned(), server.folder.parent
        (beside / "wal").mkdir(mode=0o755)
        if server.as_user:
            shutil.chown(beside / "wal", server.as_user)
        whose = ("-h", server.address, "-p", str(server.port), "-U", postgres.USER)
        intake = Intake(tmp_path / "home", settings={"database_url": url}).start()
        _acknowledged(intake, account, range(1, 11))
        server.run("pg_basebackup", *whose, "-D", str(beside / "base"), "--wal-method=stream", "--checkpoint=fast")
        _acknowledged(intake, account, range(11, 21))
        with psycopg.connect(server.url("postgres")) as connection:
            moment = str(connection.execute("SELECT now()").fetchone()[0])
        _acknowledged(intake, account, range(21, 31))
        intake.stop()
        server.stop("fast")  # archives the rest
        kind = partial(Earlier, base=beside / "base", archived=beside / "wal", moment=moment)
        with postgres.server(kind=kind) as earlier:
            until(lambda: not earlier.asked("SELECT pg_is_in_recovery()::int"), 60, "it is at that moment")
            there = Intake(intake.home, settings={"database_url": earlier.url(url.rpartition("/")[2], "triage")})
            known = len(there.rows("SELECT 1 FROM instance"))
            try:
                there.start()
                print(f"acknowledged 30, known at {moment}: {known}, whole: {there.verify()['acknowledged']}")
                assert known == 20
                assert account.check(there).nothing
            finally:
                there.kill()


@pytest.mark.parametrize("name", ONLY_SQLITE)
def test_what_is_left_out_is_there(name: str) -> None:
    file, _, function = name.partition("::")
    assert f"def {function.partition('[')[0]}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")


def _acknowledged(intake: Intake, account: Account, numbers: range) -> None:
    with Sender(intake.dimse_port) as sender:
        assert [account.note(one, sender.store(one)) for one in map(film, numbers)] == [SUCCESS] * len(numbers)


def odd_film(number: int, value: bytes) -> Film:
    value += b" " * (len(value) % 2)
    told = dict.fromkeys(("PatientName", "PatientID", "StudyDescription", "AccessionNumber", "SeriesDescription"), value)
    return film(number, SpecificCharacterSet="ISO_IR 192", **told)


def test_no_film_is_refused_for_what_its_header_says(intake: Intake) -> None:
    account = Account()
    with Sender(intake.dimse_port) as sender:
        for number, value in enumerate(ODD.values(), 1):
            one = odd_film(number, value)
            account.note(one, sender.store(one))
    print(dict(account.answers))
    assert account.answers == {"0000": len(ODD)}
    assert account.check(intake).nothing
    listed = intake.triage("worklist", "--json", "--all")
    assert listed.returncode == 0, listed.stderr
    assert {row["study_instance_uid"] for row in json.loads(listed.stdout)} == {study_uid(one + 1) for one in range(len(ODD))}
    assert b"\0" not in listed.stdout.encode()


@pytest.mark.parametrize("before", [False, True], ids=["done", "never heard of"])
def test_a_commit_whose_answer_never_came_is_settled_by_sending_again(tmp_path: Path, url: str, before: bool) -> None:
    account, one = Account(), film(1)
    send = partial(storescu, folder=tmp_path) if INSTALLED else _send
    with closing(Cable(url)) as cable:
        intake = Intake(tmp_path / "home", settings={"database_url": cable.url})
        intake.database_url = url
        try:
            intake.start()
            cable.before, cable.cuts = before, 1
            first = account.note(one, send(intake.dimse_port, one))
            known = len(intake.rows("SELECT 1 FROM instance"))
            again = account.note(one, send(intake.dimse_port, one))
            print(f"cut off {cable.cut}: {first:04X}, rows {known}; again: {again:04X}")
            assert (first, again, cable.cut) == (0xA701, SUCCESS, 1)
            assert known == (0 if before else 1)
            assert account.check(intake).nothing
            assert [len(intake.rows(query)) for query in ("SELECT 1 FROM instance", "SELECT 1 FROM study")] == [1, 1]
            assert [row["images"] for row in intake.rows("SELECT images FROM study")] == [1]
            assert len(intake.rows("SELECT 1 FROM job")) == 1
        finally:
            intake.kill()


def _send(port: int, one: Film) -> int | str:
    with Sender(port) as sender:
        return sender.store(one)


def restored(service: Service, url: str, home: Path) -> Service:
    """Another site: that database, and the films as they lie there by now."""
    shutil.copytree(service.home / "instances" / "objects", home / "instances" / "objects")
    return Intake(home, settings={"database_url": url})


def test_a_dump_made_under_load_is_whole_elsewhere(intake: Intake, url: str, tmp_path: Path) -> None:
    """As ``docs/backup.md`` has it: the database first, then the films; the intake takes in what came between."""
    load = Load(intake)
    load.start()
    try:
        while len(load.account.acknowledged) < size(10, 200):
            load.stop.wait(0.02)
        before, dump, there = dict(load.account.acknowledged), tmp_path / "triage.dump", postgres.shared().owned()
        tools = postgres.shared().tools
        subprocess.run([tools / "pg_dump", "--format=custom", f"--file={dump}", url], check=True)
        arrived = len(load.account.acknowledged) - len(before)
        elsewhere = restored(intake, there, tmp_path / "elsewhere")
    finally:
        load.stop.set()
        load.join()
    subprocess.run([tools / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={there}", dump], check=True)
    try:
        elsewhere.start()
        account = elsewhere.verify()
    finally:
        elsewhere.kill()
    lost = [uid for uid, digest in before.items() if not is_whole(elsewhere.home, digest)]
    print(f"acknowledged {len(before)}, {arrived} more while dumped; restored {account['acknowledged']}, lost {len(lost)}")
    assert not lost
    assert account["acknowledged"] >= len(before)
    assert elsewhere.triage("audit", "verify").returncode == 0
