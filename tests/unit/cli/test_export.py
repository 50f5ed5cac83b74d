"""``triage export``: whole or not at all, the same keys every time, nothing overwritten."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from typer.testing import CliRunner

from tests import films
from tests.unit.services.world import World
from triage.archive.files import FileArchive
from triage.bootstrap import open_site
from triage.cli import app
from triage.cli.export import SALT, site_salt
from triage.config import load
from triage.domain.errors import TriageError
from triage.domain.study import Reading, ReadingState


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One study, read."""
    monkeypatch.delenv("TRIAGE_HOME", raising=False)
    site = open_site(load(home=tmp_path / "home", environment={}), create=True)
    world = World(site.archive, site.database)
    world.store(films.film(bright=0.75))
    world.step()
    world.clock.forward(hours=1)
    with site.database.write() as tx:
        now = world.clock()
        reading = Reading(state=ReadingState.READ, reader="dr", since=now, verdict="agree", verdict_at=now)
        tx.put_study(replace(world.study(), reading=reading))
    site.database.close()
    return tmp_path / "home"


def export(home: Path, out: Path, *more: str) -> str:
    result = CliRunner().invoke(app, ["export", str(out), "--home", str(home), *more], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_two_exports_are_the_same_to_the_byte(tmp_path: Path, home: Path) -> None:
    words = export(home, tmp_path / "one")
    assert "1 studies (0 normal, 1 abnormal)" in words
    assert "python -m training import worklist" in words
    export(home, tmp_path / "two")
    database = open_site(load(home=home, environment={})).database
    with database.read() as tx:
        assert [(entry.action, entry.entry.details) for entry in tx.audit()] == [("export", {"since": "", "studies": "1"})] * 2
    database.close()
    one, two = (sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*")) for name in ("one", "two"))
    assert one == two
    assert (tmp_path / "one" / "verdicts.csv").read_bytes() == (tmp_path / "two" / "verdicts.csv").read_bytes()
    assert not list(tmp_path.glob("*.part"))
    assert stat.S_IMODE((home / SALT).stat().st_mode) == 0o600


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, home: Path) -> None:
    (tmp_path / "out").mkdir()
    export(home, tmp_path / "out")
    before = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    with pytest.raises(TriageError, match="is not empty"):
        export(home, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == before


def test_an_export_that_fails_leaves_no_folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.part" / "films").mkdir(parents=True)
    (tmp_path / "out.part" / "films" / "left.dcm").write_bytes(b"of an export that was killed")

    def refused(*_: object) -> BinaryIO:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(FileArchive, "open", refused)
        with pytest.raises(PermissionError):
            export(home, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
    export(home, tmp_path / "out")
    assert len(list((tmp_path / "out" / "films").iterdir())) == 1


def test_since_a_day_as_json(tmp_path: Path, home: Path) -> None:
    told = json.loads(export(home, tmp_path / "out", "--since", "2027-01-01", "--json"))
    assert (told["exported"], told["left_out"]) == (0, {"read before the day asked for": 1})
    wrong = CliRunner().invoke(app, ["export", str(tmp_path / "x"), "--home", str(home), "--since", "yesterday"])
    assert wrong.exit_code == 2


def test_the_salt_is_made_once_and_is_this_homes_own(tmp_path: Path) -> None:
    first = site_salt(tmp_path)
    assert len(first) == 32
    assert site_salt(tmp_path) == first
    (tmp_path / "other").mkdir()
    assert site_salt(tmp_path / "other") != first
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [SALT]
    (tmp_path / SALT).write_text("ab")
    with pytest.raises(TriageError, match="is damaged"):
        site_salt(tmp_path)
