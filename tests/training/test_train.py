"""Training that is cut, resumed, short of time or disk, or given nonsense: as an administrator meets it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.training.conftest import write_nih_folder
from tests.training.films import grey, save_picture
from training import manifest
from training.errors import TrainingError
from training.importers.folder import import_folder
from training.importers.split import Split

pytestmark = [
    pytest.mark.training,
    # TensorFlow's own modules use what their dependencies have deprecated; nothing here can change that
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorflow"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
]

RECIPE = """
name = "tiny"
[network]
builder = "residual_gap"
arguments = { widths = [4], strides = [1], dropout = 0.3 }
[input]
height = 16
width = 16
[augment]
shift = 0.05
noise = 0.01
[schedule]
epochs = 10
batch = 4
learning_rate = 1e-2
weight_decay = 1e-2
ema = 0.5
mixup = 0.2
seeds = [1, 2]
"""
PRETRAIN = "[pretrain]\nepochs = 6\nlearning_rate = 1e-2\n"
OPINION = "[labels]\nsoften = true\n[opinion]\nfolds = 2\nepochs = 4\nlearning_rate = 1e-2\naugment = { noise = 0.02 }\n"


def make_data(folder: Path, first: int, count: int) -> Path:
    """A data set of films with the numbers from ``first`` on; each is a patient of its own.

    The counts below make all batches equal: TensorFlow compiles once.
    """
    for number in range(first, first + count):
        kind = "ill" if number % 2 else "well"
        save_picture(folder / "films" / kind / f"{number}.png", grey(number, abnormal=number % 2 == 1))
    source = {"name": f"Invented {first}", "provider": "p", "download": "d", "paper": "q", "licence": "CC BY 4.0"}
    import_folder(folder / "films", folder / "data", Split("salt"), {"normal": ["well"], "abnormal": ["ill"]}, source)
    return folder / "data"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    make_data(folder / "own", 0, 32)
    make_data(folder / "other", 100, 36)
    (folder / "tiny.toml").write_text(RECIPE)
    (folder / "pretrained.toml").write_text(RECIPE + PRETRAIN)
    return folder


def invoke(*arguments: str | Path) -> str:
    from training.__main__ import app

    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def changed(recipe: Path, name: str, **values: str) -> Path:
    """A recipe with other values for some keys, beside the original."""
    keys = [line.split(" = ")[0] for line in recipe.read_text().splitlines()]
    lines = zip(keys, recipe.read_text().splitlines(), strict=True)
    written = recipe.with_name(f"{name}.toml")
    written.write_text("\n".join(f"{key} = {values[key]}" if key in values else line for key, line in lines))
    return written


class Process:
    """``python -m training`` as a process of its own, whose lines are read as they come."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "training", *map(str, arguments)]
        environment = {**os.environ, "COLUMNS": "200"}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout
        self.lines: Iterator[str] = iter(self._process.stdout.readline, "")

    def until(self, text: str) -> "Process":
        assert any(text in line for line in self.lines), f"{text!r} was not printed: {self._process.communicate()[1]}"
        return self

    def end(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        """Exit code and what was still printed, after a signal."""
        if number:
            self._process.send_signal(number)
        out, err = self._process.communicate(timeout=120)
        return self._process.returncode, out, err


@pytest.mark.soak
def test_cut_and_resumed_it_ends_as_if_nothing_had_happened(place: Path) -> None:
    options = ("--data", place / "own/data", "--pretrain-data", place / "other/data", "--deterministic")
    whole, cut = place / "whole", place / "cut"
    uncut = Process("train", place / "pretrained.toml", *options, "--out", whole)

    code, out, _ = Process("train", place / "pretrained.toml", *options, "--out", cut).until("epoch   2").end(signal.SIGTERM)
    assert code == 75
    assert f"python -m training resume {cut}" in out
    assert not (cut / "run.json").exists()
    code, _, _ = Process("resume", cut).until("seed 2").until("epoch   3").until("val AUC").end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert Process("resume", cut).end()[0] == 0
    assert uncut.end()[0] == 0

    with np.load(whole / "weights.npz") as one, np.load(cut / "weights.npz") as other:
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-6, err_msg=name)
    histories = [[json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()] for run in (whole, cut)]
    assert [(line["seed"], line["epoch"]) for line in histories[1]] == [
        (seed, epoch) for seed in (1, 2) for epoch in range(1, 11)
    ]
    for lines in zip(*histories, strict=True):
        assert lines[0] | {"seconds": 0} == pytest.approx(lines[1] | {"seconds": 0}, abs=1e-6)
    events = [json.loads(line)["event"] for line in (cut / "events.jsonl").read_text().splitlines()]
    assert [event for event in events if event != "checkpoint"] == [
        *("started", "interrupted", "resumed", "member finished", "resumed", "member finished", "finished")
    ]
    pedigree = json.loads((cut / "run.json").read_text())
    assert pedigree["ended"] == "complete"
    other_digest = manifest.read(place / "other/data").digest()
    assert {"name": "Invented 100", "licence": "CC BY 4.0", "manifest_digest": other_digest}.items() <= (
        pedigree["pretrained_on"].items()
    )


def test_a_finished_run_is_not_trained_again_and_says_so(place: Path) -> None:
    run = place / "finished"
    invoke(
        "train", changed(place / "tiny.toml", "finished", epochs="1", seeds="[1]"), "--data", place / "own/data", "--out", run
    )
    before = (run / "weights.npz").read_bytes()
    assert "the training is finished; nothing to resume" in invoke("resume", run)
    assert (run / "weights.npz").read_bytes() == before
    with pytest.raises(TrainingError, match="holds a run already"):
        invoke("train", place / "tiny.toml", "--data", place / "own/data", "--out", run)


@pytest.mark.soak
def test_a_time_budget_ends_every_network_after_a_whole_epoch_and_says_so(place: Path) -> None:
    run = place / "budget"
    out = invoke("train", place / "tiny.toml", "--data", place / "own/data", "--out", run, "--time-budget", "0")
    assert "ended by the time budget, not complete (of 10 epochs: seed 1: 1, seed 2: 1)" in out
    pedigree = json.loads((run / "run.json").read_text())
    assert pedigree["ended"] == "time budget"
    assert [member["ended"] for member in pedigree["members"].values()] == ["time budget"] * 2
    assert "finished by its time budget; nothing to resume" in invoke("resume", run)
    assert "time budget" in [json.loads(line)["event"] for line in (run / "events.jsonl").read_text().splitlines()]


def test_patience_ends_a_network_early_and_the_training_counts_as_complete(place: Path) -> None:
    run = place / "early"
    recipe = changed(place / "tiny.toml", "early", seeds="[1]", learning_rate="1e-9\npatience = 1")
    invoke("train", recipe, "--data", place / "own/data", "--out", run)
    pedigree = json.loads((run / "run.json").read_text())
    assert pedigree["ended"] == "complete"
    assert pedigree["members"]["1"]["ended"] == "stopped early"
    assert len((run / "history.jsonl").read_text().splitlines()) == pedigree["members"]["1"]["epoch"] < 10


def test_a_loss_that_is_no_number_ends_with_one_line(place: Path) -> None:
    run = place / "nan"
    recipe = changed(place / "tiny.toml", "nan", learning_rate="1e30")
    with pytest.raises(TrainingError, match=r"no number \(train, epoch \d+\); lower learning_rate") as caught:
        invoke("train", recipe, "--data", place / "own/data", "--out", run)
    assert "\n" not in str(caught.value)
    assert json.loads((run / "events.jsonl").read_text().splitlines()[-1])["event"] == "failed"


def test_resume_refuses_other_data_and_a_run_that_is_under_way(place: Path) -> None:
    from training.run import begin

    digest = manifest.read(place / "own/data").digest()
    begun = {"data": str(place / "own/data"), "manifest_digest": digest, "pretrain_data": None}
    run = begin(place / "other-data", place / "tiny.toml", begun | {"deterministic": False, "commit": "unknown"})
    with pytest.raises(TrainingError, match="is not the data set with which this run began; name that one with --data"):
        invoke("resume", run.path, "--data", place / "other/data")
    with run.locked(), pytest.raises(TrainingError, match="is being trained by another process"):
        invoke("resume", run.path)


@pytest.mark.parametrize(
    ("recipe", "pretraining", "message"),
    [
        ("pretrained.toml", None, r"has a \[pretrain\] table; name the data set for it with --pretrain-data"),
        ("tiny.toml", "other/data", r"has no \[pretrain\] table"),
        ("pretrained.toml", "own/data", "is of a patient in val or test"),
    ],
)
def test_pretraining_needs_its_table_and_other_patients(
    place: Path, tmp_path: Path, recipe: str, pretraining: str | None, message: str
) -> None:
    option = ["--pretrain-data", place / pretraining] if pretraining else []
    with pytest.raises(TrainingError, match=message):
        invoke("train", place / recipe, "--data", place / "own/data", "--out", tmp_path / "run", *option)
    assert not (tmp_path / "run").exists()


@pytest.mark.soak
def test_only_the_networks_named_are_pretrained_and_then_learn_less(place: Path, tmp_path: Path) -> None:
    text = (
        RECIPE.replace("epochs = 10", "epochs = 2")
        + "[pretrain]\nepochs = 1\nlearning_rate = 1e-2\nseeds = [2]\nthen_epochs = 1\n"
    )
    (tmp_path / "partly.toml").write_text(text)
    options = ("--data", place / "own/data", "--pretrain-data", place / "other/data", "--out", tmp_path / "run")
    said = invoke("train", tmp_path / "partly.toml", *options)
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    epochs = [(event["seed"], event["phase"], event["epoch"]) for event in events if event["event"] == "checkpoint"]
    assert epochs == [(1, "train", 1), (1, "train", 2), (2, "pretrain", 1), (2, "train", 1)]
    assert "1 network × 2 epochs" in said
    assert "1 network × (1 epoch ×" in said


@pytest.mark.soak
def test_the_second_opinion_comes_from_films_not_learned_and_survives_a_cut(tmp_path: Path) -> None:
    text = RECIPE.replace("batch = 4", "batch = 2") + OPINION
    (tmp_path / "opinion.toml").write_text(text)
    data = tmp_path / "data"
    invoke("import", "nih", write_nih_folder(tmp_path / "source"), "--out", data)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    options = (tmp_path / "opinion.toml", "--data", data, "--deterministic", "--out")
    uncut = Process("train", *options, whole)
    code, _, _ = Process("train", *options, cut).until("epoch   4").until("epoch   1").end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert Process("resume", cut).end()[0] == 0
    assert uncut.end()[0] == 0

    events = [json.loads(line) for line in (whole / "events.jsonl").read_text().splitlines()]
    epochs = [(event["seed"], event["phase"]) for event in events if event["event"] == "checkpoint"]
    assert epochs == [(1, "opinion 1")] * 4 + [(1, "opinion 2")] * 4 + [(1, "train")] * 10 + [(2, "train")] * 10
    heeded = [event for event in events if event["event"] == "second opinion"]
    assert [event["seed"] for event in heeded] == [1, 2]
    assert 0 < heeded[0]["labels_moved"] == heeded[1]["labels_moved"] < 1
    for name in ("opinion-1.npy", "opinion-2.npy"):
        said = np.load(whole / "opinions" / name)
        assert said.shape == (4,)  # half of the eight train films
        np.testing.assert_allclose(said, np.load(cut / "opinions" / name), atol=1e-6)
    with np.load(whole / "weights.npz") as one, np.load(cut / "weights.npz") as other:
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-6, err_msg=name)


def test_what_the_history_says_beyond_the_checkpoint_is_forgotten(place: Path) -> None:
    from training.run import begin
    from training.train import _forget

    run = begin(place / "history", place / "tiny.toml")
    for seed, epoch in ((1, 1), (1, 2), (2, 1), (2, 2)):
        run.append("history.jsonl", {"seed": seed, "epoch": epoch})
    _forget(run, 2, 1)
    assert [(line["seed"], line["epoch"]) for line in run.lines("history.jsonl")] == [(1, 1), (1, 2), (2, 1)]
