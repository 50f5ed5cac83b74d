"""From a site's list to a data set: studies are assessed and read, leave by ``triage export``, come in as a manifest."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from tests import films
from tests.unit.services.world import World
from training import manifest
from training.cli.imports import app
from training.errors import TrainingError
from training.importers.split import Split
from training.importers.worklist import import_worklist
from triage.bootstrap import open_site
from triage.cli.export import SALT
from triage.config import load
from triage.domain.study import Reading, ReadingState

STUDIES = 24


def bright(number: int) -> float:
    """The share of white pixels, about the probability: half of the studies are flagged."""
    return 0.1 + 0.8 * number / STUDIES


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with studies that were read; the reader disagrees with every sixth, and the last two are not read."""
    home = tmp_path_factory.mktemp("site") / "home"
    site = open_site(load(home=home, environment={}), create=True)
    world = World(site.archive, site.database)
    for number in range(STUDIES):
        uid = f"1.2.{100 + number}"
        film = films.film(
            uid, f"{uid}.1.1", patient_id=f"MRN{number // 2}", bright=bright(number), view=("PA", "AP")[number % 2]
        )
        world.store(film)
    while world.step():
        pass
    world.clock.forward(hours=1)
    with site.database.write() as tx:
        for number, study in enumerate(sorted(tx.worklist(), key=lambda study: study.study_instance_uid)[:-2]):
            verdict = "disagree" if number % 6 == 0 else "agree"
            now = world.clock()
            reading = Reading(state=ReadingState.READ, reader="Dr Grey", since=now, verdict=verdict, verdict_at=now)
            tx.put_study(replace(study, reading=reading))
    site.database.close()
    (home / SALT).write_text("0b" * 32)  # drawn at random, a dozen patients may leave a split empty
    return home


def triage(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    command = [sys.executable, "-m", "triage", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def test_from_the_list_to_a_manifest(tmp_path: Path, home: Path) -> None:
    out, data = tmp_path / "export", tmp_path / "data"
    ended = triage("export", out, "--home", home, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(ended.stdout)
    assert (told["exported"], told["left_out"]) == (STUDIES - 2, {"not read": 2})
    assert told["labels"] == {"normal": 12, "abnormal": 10}

    result = CliRunner().invoke(app, ["worklist", str(out), "--out", str(data)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "confirmation bias" in result.output
    assert "a selection" in result.output
    assert "readers agree with flagged: 0.800 (0.490–0.943, n=10)" in result.output
    assert "readers agree with not flagged: 0.833 (0.552–0.953, n=12)" in result.output

    found = manifest.read(data)
    assert len(found.films) == STUDIES - 2
    assert {(film.radiologist_source, film.label_source) for film in found.films} == {("worklist", "radiologist")}
    assert len({film.patient for film in found.films}) == (STUDIES - 2) // 2
    assert {film.split for film in found.films} == {"train", "val", "test"}
    assert {(film.view, film.age, film.peer_probability) for film in found.films} == {("PA", 45, None), ("AP", 45, None)}
    assert "confirmation bias" in " ".join(found.source["limits"])
    for number in range(STUDIES - 2):
        pixels = films.pixels(64, 64, bright(number)).tobytes()
        (film,) = [film for film in found.films if dcmread(found.dicom(film)).PixelData == pixels]
        assert (film.label == "abnormal") == ((bright(number) >= 0.5) == (number % 6 != 0))

    everything = b"".join(path.read_bytes() for folder in (out, data) for path in folder.rglob("*") if path.is_file())
    for secret in (b"MRN", b"Doe", b"Grey", b"ACC-1", b"1.2.10"):
        assert secret not in everything


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    out = tmp_path_factory.mktemp("export") / "export"
    assert triage("export", out, "--home", home).returncode == 0
    return out


@pytest.fixture
def export(tmp_path: Path, exported: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(exported, tmp_path / "export"))


def change(export: Path, **values: str) -> None:
    """Alter the first row."""
    with (export / "verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= values
    with (export / "verdicts.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_an_export_with_a_fault(tmp_path: Path, export: Path) -> None:
    def imported() -> object:
        return import_worklist(export, tmp_path / "data", Split("s"), {"name": "site"})

    for values, message in (
        ({"label": "benign"}, "row 2: label, level or patient"),
        ({"label": "normal", "level": "stat"}, "row 2: label, level or patient"),
        ({"level": "flagged", "patient": ""}, "row 2: label, level or patient"),
        ({"patient": "p", "file": "../../etc/passwd"}, "lies elsewhere"),
    ):
        change(export, **values)
        with pytest.raises(TrainingError, match=message):
            imported()
    (export / "verdicts.csv").unlink()
    with pytest.raises(TrainingError, match=r"verdicts\.csv: no table that can be read"):
        imported()


def test_a_film_that_was_changed_is_left_out(tmp_path: Path, export: Path) -> None:
    first, second = sorted((export / "films").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    imported = import_worklist(export, tmp_path / "data", Split("s"), {"name": "site"})
    assert imported.left_out == [(f"films/{first.name}", "not the bytes that were exported")]
