"""SQLite is refused on file systems that other machines share; which one it is, statfs(2) says."""

import subprocess
from pathlib import Path

import pytest

from triage.database import network
from triage.database.engine import open_engine
from triage.database.sqlite import sqlite_url
from triage.domain.errors import ConfigError

LOCAL = {"ext4": 0xEF53, "xfs": 0x58465342, "btrfs": 0x9123683E, "overlay": 0x794C7630, "tmpfs": 0x01021994, "zfs": 0x2FC12FC1}


@pytest.mark.parametrize("number", network.SHARED, ids=network.SHARED.get)
def test_a_network_file_system_is_refused_in_one_line_with_a_remedy(tmp_path: Path, number: int) -> None:
    with pytest.raises(ConfigError) as refused:
        network.refuse_shared(tmp_path, lambda path: number)
    assert network.SHARED[number] in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "database_url" in str(refused.value)


@pytest.mark.parametrize("number", LOCAL.values(), ids=LOCAL)
def test_a_disk_of_this_machine_is_not(tmp_path: Path, number: int) -> None:
    network.refuse_shared(tmp_path, lambda path: number)


def test_what_is_not_there_yet_is_judged_by_what_it_will_be_in(tmp_path: Path) -> None:
    asked: list[Path] = []
    network.refuse_shared(tmp_path / "home" / "deep", lambda path: asked.append(path) or 0xEF53)
    assert asked == [tmp_path]


def test_the_system_is_asked(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/proc")):
        told = subprocess.run(["stat", "-f", "-c", "%t", path], capture_output=True, text=True, check=True).stdout
        assert network.kind_of(path) == int(told, 16)
    with pytest.raises(FileNotFoundError):
        network.kind_of(tmp_path / "nowhere")


def test_the_database_is_not_opened_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(network.SHARED, network.kind_of(tmp_path), "NFS")
    with pytest.raises(ConfigError, match="network file system"):
        open_engine(sqlite_url(tmp_path / "triage.db"))
    assert list(tmp_path.iterdir()) == []
