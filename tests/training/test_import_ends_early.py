"""An import that is killed, interrupted or out of disk leaves the data set of before, or none; the same command works again.

One of the pictures is a FIFO: the importer stops at it, so the test knows that it is in the middle without waiting for a time.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.training.films import grey, save_picture
from training import manifest
from training.cli.imports import app
from training.errors import TrainingError

FILMS = 40
CLASSES = ("NORMAL", "SICK")


def start(folder: Path, target: Path, most_bytes: int | None = None) -> "subprocess.Popen[str]":
    """``python -m training import folder`` in a process of its own; no file of it may get longer than ``most_bytes``."""

    def limit() -> None:
        if most_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    classes = ["--normal", CLASSES[0], "--abnormal", CLASSES[1]]
    return subprocess.Popen(
        [sys.executable, "-m", "training", "import", "folder", str(folder), *classes, "--out", str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and what it said on stderr."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def again(folder: Path, target: Path) -> manifest.DataSet:
    """The same command, in this process; the data set that it makes."""
    classes = ["--normal", CLASSES[0], "--abnormal", CLASSES[1]]
    result = CliRunner().invoke(app, ["folder", str(folder), *classes, "--out", str(target)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return manifest.read(target)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(FILMS):
        save_picture(tmp_path / "films" / CLASSES[number % 2] / f"{number}.png", grey(number))
    return tmp_path / "films"


@pytest.fixture
def fifo(folder: Path) -> Iterator[Path]:
    """Stands in the place of the last picture of the first class."""
    path = folder / CLASSES[0] / "8.png"
    path.unlink()
    os.mkfifo(path)
    yield path
    path.unlink(missing_ok=True)


def mend(fifo: Path) -> None:
    fifo.unlink()
    save_picture(fifo, grey(8))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ended_in_the_middle(tmp_path: Path, folder: Path, fifo: Path, number: signal.Signals) -> None:
    target = tmp_path / "data"
    process = start(folder, target)
    with fifo.open("wb"):  # returns once the importer has opened the other end
        process.send_signal(number)
        code, said = finish(process)
    assert len(list((target / "dicom").iterdir())) == FILMS // 2 - 1, "it was in the middle"
    with pytest.raises(TrainingError, match=r"is no data set: manifest\.csv is missing; run: import"):
        manifest.read(target)
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 75
        assert said.count("\n") == 1
        assert said.endswith("run the same command again\n")
    mend(fifo)
    assert len(again(folder, target).films) == FILMS


def test_a_data_set_that_was_there_stays_whole(tmp_path: Path, folder: Path) -> None:
    target = tmp_path / "data"
    before = again(folder, target)
    for path in folder.rglob("*.png"):
        save_picture(path, 255 - grey(int(path.stem)))
    fifo = folder / CLASSES[0] / "8.png"
    fifo.unlink()
    os.mkfifo(fifo)
    process = start(folder, target)
    with fifo.open("wb"):
        process.kill()
        finish(process)
    assert manifest.read(target) == before
    assert all(before.dicom(film).is_file() for film in before.films)
    mend(fifo)
    after = again(folder, target)
    kept = {path.name for path in (target / "dicom").iterdir()}
    assert kept == {f"{film.digest}.dcm" for film in after.films}, "what the killed one had begun is gone"


@pytest.mark.parametrize("most_bytes", [3000, 6000], ids=["at a film", "at the manifest"])
def test_a_full_disk(tmp_path: Path, folder: Path, most_bytes: int) -> None:
    target = tmp_path / "data"
    code, said = finish(start(folder, target, most_bytes))
    assert code == 1
    assert said.count("\n") == 1
    assert "File too large" in said
    assert "free some disk" in said
    films = len(list((target / "dicom").glob("*.dcm")))
    assert films == (0 if most_bytes == 3000 else FILMS)
    with pytest.raises(TrainingError, match="run: import"):
        manifest.read(target)
    assert len(again(folder, target).films) == FILMS
    assert not list(target.rglob("*.part"))


def test_a_disk_that_fills_up_at_the_manifest_leaves_the_old_one(tmp_path: Path, folder: Path) -> None:
    target = tmp_path / "data"
    before = again(folder, target)
    save_picture(folder / CLASSES[0] / "100.png", grey(100))
    assert finish(start(folder, target, 6000))[0] == 1
    assert manifest.read(target) == before
    assert len(again(folder, target).films) == FILMS + 1


def test_a_manifest_without_its_source_is_none(tmp_path: Path, folder: Path) -> None:
    target = tmp_path / "data"
    again(folder, target)
    source = target / "source.json"
    old = source.read_text()
    source.unlink()
    with pytest.raises(TrainingError, match=r"source\.json is missing; run: import"):
        manifest.read(target)
    source.write_text(old)
    for path in (folder / CLASSES[0]).glob("1*.png"):
        path.unlink()
    again(folder, target)
    source.write_text(old)
    with pytest.raises(TrainingError, match="import again"):
        manifest.read(target)
