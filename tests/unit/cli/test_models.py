"""``triage models``: what is said of a bundle that is installed, which one serves, since when, and who chose it."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.unit.inference.conftest import change
from triage.bootstrap import open_site
from triage.cli import app
from triage.config import load
from triage.domain.errors import BundleError
from triage.inference.registry import PACKAGED


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    made = Path(shutil.copytree(PACKAGED / "recommended", tmp_path / "bundle"))
    change(made, "manifest.json", version="2.0.0")
    return made


def models(home: Path, *arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["models", *map(str, arguments), "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_install_says_what_was_proved(tmp_path: Path, bundle: Path) -> None:
    told = models(tmp_path / "home", "install", bundle).output
    files = sum(path.is_file() for path in bundle.rglob("*")) - 1
    assert f"{files} files have the digests of the manifest" in told
    assert f"{len([*bundle.glob('golden/*.dcm')])} golden films gave their probability again; the slowest took " in told
    if (PACKAGED / "recommended" / "golden" / "labels.json").is_file():
        assert "reference films: known abnormal ones rank above known normal ones" in told
    else:
        assert "reference films: left out, too few films of the packaged bundle are labelled" in told
    assert "use it with: triage models activate " in told


def test_the_list_says_which_one_serves_and_since_when(tmp_path: Path, bundle: Path) -> None:
    home = tmp_path / "home"
    assert "packaged  active by default" in models(home, "list").output
    models(home, "install", bundle)
    rows = json.loads(models(home, "list", "--json").output)
    assert [row["active_since"] for row in rows] == [None, None]
    models(home, "activate", rows[1]["id"])
    since = json.loads(models(home, "list", "--json").output)[1]["active_since"]
    assert f"recommended@2.0.0  installed  active since {since}" in models(home, "list").output
    note = json.loads((home / "models" / "activations.jsonl").read_text())
    assert (note["at"], note["from"], note["to"]) == (since, rows[0]["id"], rows[1]["id"])
    assert note["who"]


def test_a_card_is_shown_by_what_the_list_calls_its_bundle(tmp_path: Path, bundle: Path) -> None:
    home = tmp_path / "home"
    (row,) = json.loads(models(home, "list", "--json").output)
    card = models(home, "show", row["id"][:8]).output
    assert models(home, "show", "recommended").output == card
    assert models(home, "show", f"recommended@{row['version']}").output == card
    models(home, "install", bundle)
    assert models(home, "show", f"recommended@{row['version']}").output == card
    with pytest.raises(BundleError, match="2 bundles are called that"):
        models(home, "show", "recommended")


@pytest.mark.soak
def test_where_there_is_a_database_its_audit_says_which_bundle_serves(tmp_path: Path, bundle: Path) -> None:
    home = tmp_path / "home"
    database = open_site(load(home=home, environment={}), create=True).database
    models(home, "install", bundle)
    packaged, installed = (row["id"] for row in json.loads(models(home, "list", "--json").output))
    models(home, "activate", installed)
    models(home, "rollback")
    with database.read() as tx:
        audited = [(one.subject, one.entry.details["what"]) for one in tx.audit() if one.action == "model"]
    assert audited == [(one, what) for one in (installed, packaged) for what in ("to be activated", "activated")]
    database.close()
