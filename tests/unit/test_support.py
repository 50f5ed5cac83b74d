"""The support bundle: made whether the service stands or not, for its owner's eyes, over nobody's file."""

import json
import zipfile
from pathlib import Path

from typer.testing import CliRunner

from triage.bootstrap import open_site
from triage.cli import app
from triage.config import load
from triage.database.schema import newest
from triage.domain.errors import ConfigError


def asked(home: Path, target: Path, *arguments: str) -> dict[str, bytes]:
    done = CliRunner().invoke(app, ["support", str(target), "--home", str(home), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as parts:
        return {name: parts.read(name) for name in parts.namelist()}


def test_of_a_site_that_stands(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "a.log"
    open_site(load(home=home, environment={}), create=True).database.close()
    log.write_text('{"event": "listening", "port": 104, "secret": "x"}\nno JSON\n')
    parts = asked(home, tmp_path / "case.zip", "--log", str(log))
    assert json.loads(parts["log-1.jsonl"]) == {"event": "listening", "port": 104}
    versions, standing = json.loads(parts["versions.json"]), json.loads(parts["standing.json"])
    assert versions["schema"] == versions["schema needed"] == newest()
    assert "pydicom" in versions["libraries"]
    assert standing["set aside"] == 0
    assert json.loads(parts["settings.json"])["dimse.ae_title"] == "TRIAGE"


def test_of_one_that_does_not(tmp_path: Path) -> None:
    parts = asked(tmp_path / "nowhere", tmp_path / "case.zip")
    assert "cannot be asked" in json.loads(parts["standing.json"])
    assert json.loads(parts["findings.json"])


def test_no_file_is_overwritten_and_a_log_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "case.zip").write_text("of another case")
    for arguments, words in (([], "case.zip: cannot be made"), (["--log", str(tmp_path / "none")], "none: cannot be read")):
        done = CliRunner().invoke(app, ["support", str(tmp_path / "case.zip"), "--home", str(tmp_path), *arguments])
        assert isinstance(done.exception, ConfigError)
        assert words in str(done.exception)
    assert (tmp_path / "case.zip").read_text() == "of another case"
