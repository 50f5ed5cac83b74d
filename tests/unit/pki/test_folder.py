"""The small authority's files: who may read them, what is never overwritten, two who revoke at once."""

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.clock import utc_now
from triage.domain.errors import ConfigError, TriageError
from triage.pki.folder import LIST_DAYS, AuthorityFolder, write_whole
from triage.pki.issue import Issuer

NOW = datetime(2030, 1, 2, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> AuthorityFolder:
    made = AuthorityFolder(tmp_path / "tls")
    with made.locked():
        begun = made.begin(NOW)
        assert begun.key is not None
        made.found(begun, made.pair(Issuer.load(begun.certificate, begun.key), "TRIAGE", NOW), NOW)
    return made


def hand_over(folder: AuthorityFolder, name: str) -> int:
    made = folder.pair(folder.issuer(), name, NOW)
    folder.hand_over(made, folder.handover(name))
    return made.facts.serial


def test_only_the_owner_reads_any_of_it(folder: AuthorityFolder) -> None:
    hand_over(folder, "CT1")
    modes = {path.relative_to(folder.path): stat.S_IMODE(path.stat().st_mode) for path in folder.path.rglob("*")}
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {mode for path, mode in modes.items() if (folder.path / path).is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if (folder.path / path).is_file()} == {0o600}
    assert {path.name for path in modes} >= {"ca.pem", "ca.key", "crl.pem", "server.pem", "server.key", "key.pem"}


def test_a_handover_is_never_overwritten(folder: AuthorityFolder) -> None:
    hand_over(folder, "CT1")
    key = (folder.handover("CT1") / "key.pem").read_bytes()
    with pytest.raises(TriageError, match="is there already"):
        hand_over(folder, "CT1")
    assert (folder.handover("CT1") / "key.pem").read_bytes() == key


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=16))
def test_no_title_leads_out_of_the_folder(title: str) -> None:
    folder = AuthorityFolder(Path("/home/tls"))
    assert folder.handover(title).resolve().parent == Path("/home/tls/handover")


def test_revoked_once_and_for_all(folder: AuthorityFolder) -> None:
    one, two = hand_over(folder, "CT1"), hand_over(folder, "CT2")
    folder.revoke(folder.issuer(), [one], NOW)
    folder.revoke(folder.issuer(), [one, two], NOW + timedelta(days=1))
    found = folder.revoked()
    assert [(gone.serial, gone.at) for gone in found.revoked] == [(one, NOW), (two, NOW + timedelta(days=1))]
    assert found.number == 3


def test_a_lost_list_is_not_begun_anew(folder: AuthorityFolder) -> None:
    (folder.path / folder.CRL).unlink()
    with pytest.raises(ConfigError, match="would forget what was revoked"):
        folder.revoke(folder.issuer(), [], NOW)
    with pytest.raises(ConfigError, match="triage tls init"):
        AuthorityFolder(folder.path / "none").revoked()


def test_the_list_is_kept_current_by_the_scheduler(folder: AuthorityFolder) -> None:
    assert not folder.keep_current(NOW + timedelta(days=LIST_DAYS / 2 - 1))
    assert folder.keep_current(NOW + timedelta(days=LIST_DAYS / 2 + 1))
    assert folder.keep_current(NOW + timedelta(days=10 * LIST_DAYS)), "also one that ran out long ago"
    assert folder.revoked().next_update == NOW + timedelta(days=11 * LIST_DAYS)
    (folder.path / folder.CA_KEY).unlink()
    assert not folder.keep_current(NOW + timedelta(days=1000)), "the key lies elsewhere: somebody else does it"
    assert not AuthorityFolder(folder.path / "none").keep_current(NOW)
    assert not (folder.path / "none").exists()


REVOKE = """
import sys
from pathlib import Path
from triage.clock import utc_now
from triage.pki.folder import AuthorityFolder
folder = AuthorityFolder(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for serial in range(int(sys.argv[2]), int(sys.argv[2]) + 20):
    with folder.locked():
        folder.revoke(folder.issuer(), [serial], utc_now())
"""


def test_two_who_revoke_at_once_both_end_up_in_the_list(folder: AuthorityFolder) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", REVOKE, str(folder.path), first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in ("100", "200")
    ]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in both:
        one.communicate(timeout=60)
    assert [one.returncode for one in both] == [0, 0]
    assert {one.serial for one in folder.revoked().revoked} == {*range(100, 120), *range(200, 220)}
    assert folder.revoked().number == 41


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    write_whole(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "x", b"new")


def test_a_certificate_lasts_as_asked_from_now(folder: AuthorityFolder) -> None:
    made = folder.pair(folder.issuer(), "CT1", utc_now(), days=3).facts
    assert timedelta(days=2, hours=23) < made.not_after - utc_now() <= timedelta(days=3)
