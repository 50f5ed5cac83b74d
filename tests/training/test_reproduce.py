"""The reproduction: which films it takes, what its tables say, and that an interrupted one ends where it would have ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.training.conftest import write_nih_folder
from tests.training.test_refusals import film
from training import manifest
from training.errors import TrainingError
from training.interrupt import RESUMABLE, Interrupted, Stop, on_signal
from training.manifest import Film
from training.recipe import parse
from training.reproduction import document, figures, protocols, tables

TF_CHATTER = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorflow"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
]
RECIPE = parse(
    """
    name = "paper"
    network = { builder = "paper_cnn", arguments = { filters = [4, 4, 4, 4, 4, 4], dense = 8 } }
    input = { height = 32, width = 32 }
    labels = { prefer_radiologist = false, text = 1.0, balance = 0.0 }
    schedule = { optimizer = "adam", batch = 8, learning_rate = 1e-2, cosine = false }
    """,
    "test",
)

COUNTS = {
    "abnormal called abnormal": 74,
    "abnormal called normal": 26,
    "normal called abnormal": 52,
    "normal called normal": 48,
}


def films(patients: int, each: int, splits: Sequence[str] = ("train", "train", "train", "val", "test")) -> list[Film]:
    """``each`` films of each patient, normal and abnormal in turn; the patient's split as in ``splits``, again and again."""
    return [
        replace(
            film(f"p{patient}", splits[patient % len(splits)], f"d{patient}-{number}"),
            text_label=manifest.LABELS[(patient // len(splits) + number) % 2],
        )
        for patient in range(patients)
        for number in range(each)
    ]


def sizes(protocol: protocols.Protocol) -> tuple[int, ...]:
    return tuple(len(own) for own in protocol.splits.values())


@pytest.mark.parametrize("draw", protocols.PROTOCOLS)
def test_of_enough_films_the_papers_numbers_are_taken(draw: Callable[..., protocols.Protocol]) -> None:
    drawn = draw(films(3000, 2), np.random.default_rng(1))
    assert sizes(drawn) == (1642, 300, 200)
    labels = [film.text_label for own in (drawn.train, drawn.val) for film in own]
    assert (labels.count("normal"), labels.count("abnormal")) == (942, 1000)
    assert [film.text_label for film in drawn.test].count("normal") == 100


def test_by_film_patients_are_shared_and_by_patient_none_is() -> None:
    many = films(500, 3)
    by_film, by_patient = (draw(many, np.random.default_rng(1)) for draw in protocols.PROTOCOLS)
    assert sum(by_film.leaked()) > 100
    assert not any(by_patient.leaked())
    assert sizes(by_film) == (1500 - 200 - 201, 201, 200)  # 300 of 1,942 of the rest are val
    assert sizes(by_patient) == (900, 146 + 150, 200)  # of val at most 146 normal ones, the paper's share of 300
    for split, own in by_patient.splits.items():
        assert {film.split for film in own} == {split}


@given(patients=st.integers(40, 90), each=st.integers(1, 4), seed=st.integers(0, 9))
def test_no_film_twice_no_extra_film_none_of_the_smaller_size(patients: int, each: int, seed: int) -> None:
    rows = films(patients, each, ("train", "val", "test", "extra"))
    rows = [replace(row, pool="more") if index % 7 == 0 else row for index, row in enumerate(rows)]
    for draw in protocols.PROTOCOLS:
        drawn = draw(rows, np.random.default_rng(seed))
        chosen = [film for own in drawn.splits.values() for film in own]
        assert len({film.digest for film in chosen}) == len(chosen)
        assert not [film for film in chosen if film.split == "extra" or film.pool == "more"]
    assert not any(drawn.leaked())


def test_films_of_one_label_only_are_refused() -> None:
    rows = [replace(row, text_label="normal") for row in films(40, 1)]
    with pytest.raises(TrainingError, match="fewer than 4 abnormal films"):
        protocols.by_film(rows, np.random.default_rng(1))


def test_both_orientations_of_a_confusion_matrix() -> None:
    abnormal = np.repeat([True, True, False, False], [74, 26, 52, 48])
    called = np.repeat([True, False, True, False], [74, 26, 52, 48])
    counts = figures.confusion(abnormal, called)
    assert counts == COUNTS
    rates = figures.rates(counts)
    assert rates["accuracy"]["value"] == pytest.approx(0.61)
    assert rates["abnormal positive"]["sensitivity"]["value"] == pytest.approx(0.74)
    assert rates["abnormal positive"]["specificity"]["value"] == pytest.approx(0.48)
    assert rates["normal positive"]["sensitivity"] == rates["abnormal positive"]["specificity"]
    assert rates["normal positive"]["specificity"] == rates["abnormal positive"]["sensitivity"]
    # Wilson, 74 of 100: (0.74 + 1.96²/200 ± 1.96 √(0.74·0.26/100 + 1.96²/40000)) / (1 + 1.96²/100)
    assert rates["abnormal positive"]["sensitivity"]["low"] == pytest.approx(0.6463, abs=1e-4)
    assert rates["abnormal positive"]["sensitivity"]["high"] == pytest.approx(0.8160, abs=1e-4)


def test_films_of_known_patients_and_of_others_are_told_apart() -> None:
    rows = [replace(film(f"p{n}", "test", f"d{n}"), text_label=("abnormal", "normal")[n % 2]) for n in range(8)]
    right = np.array([1.0, -1.0] * 4)
    right[:2] *= -1
    found = figures.measured(rows, [True] * 4 + [False] * 4, right)
    assert found["accuracy_by_patient"]["in train, too"]["value"] == 0.5
    assert found["accuracy_by_patient"]["in test only"]["value"] == 1.0
    assert found["auc"]["radiologist"]["n"] == 0


def test_the_view_alone() -> None:
    def rows(cells: dict[tuple[str, str], int]) -> list[Film]:
        return [replace(film("p", "train", "d"), view=v, text_label=label) for (v, label), n in cells.items() for _ in range(n)]

    train = rows({("PA", "abnormal"): 8, ("PA", "normal"): 2, ("AP", "normal"): 6, ("AP", "abnormal"): 4})
    test = rows({("PA", "abnormal"): 3, ("PA", "normal"): 1, ("AP", "normal"): 3, ("AP", "abnormal"): 1})
    assert figures.view_alone(train, test)["value"] == pytest.approx((9 + 0.5 * 6) / 16)
    even = rows({(view, label): 2 for view in ("PA", "AP") for label in manifest.LABELS})
    assert figures.view_alone(train, even)["value"] == 0.5


def reproduction(epochs: tuple[int, ...] = (10, 50)) -> dict[str, Any]:
    """What a finished one says, with a val loss that turns after epoch 10 and a test accuracy of 0.61."""
    test = figures.rates(COUNTS)
    test |= {"auc": dict.fromkeys(("text", "radiologist"), test["accuracy"])}
    test |= {"accuracy_by_patient": dict.fromkeys(("in train, too", "in test only"), test["accuracy"])}
    rows = [
        {"epoch": e, "accuracy": e / 50, "loss": 1 / e, "val_accuracy": 0.65, "val_loss": 0.5 + abs(e - 10) / 40, "test": test}
        for e in range(1, max(epochs) + 1)
    ]
    split = {"films": 200, "normal": 100, "abnormal": 100, "patients": 150}
    protocol = {"splits": dict.fromkeys(("train", "val", "test"), split), "epochs": rows}
    protocol |= {"test_films_of_train_patients": 7, "view_alone": test["accuracy"]}
    return {
        "epochs": list(epochs),
        "protocols": {"by film": protocol, "by patient": protocol | {"test_films_of_train_patients": 0}},
        "settings": dict.fromkeys(("dense", "dropout", "learning_rate", "height", "width", "batch", "seed"), 1)
        | {"filters": [4, 8]},
        "parts_seconds": [60.0, 120.0],
        "machine": {"cores": 2, "architecture": "x86_64"},
        "libraries": {"keras": "3"},
        "manifest_digest": "abc",
        "begun": "then",
        "test_looks": 4,
        "data": {"name": "NIH ChestX-ray14", "provider": "NIH Clinical Center"},
    }


def test_table_ii_has_a_row_for_each_split_and_for_the_paper() -> None:
    table = tables.table_ii(reproduction())
    assert table.head == ["epochs", "split", "train accuracy", "train loss", "val accuracy", "val loss"]
    assert [row[:2] for row in table.rows] == [[e, name] for e in ("10", "50") for name in ("by film", "by patient", "paper")]
    assert table.rows[0] == ["10", "by film", "0.200", "0.100", "0.650 (0.582–0.713)", "0.500"]
    assert table.rows[2] == ["10", "paper", "–", "–", "–", "–"]
    assert table.rows[5] == ["50", "paper", "–", "–", "–", "2.0"]


def test_table_iii_reads_the_papers_pair_either_way() -> None:
    table = tables.table_iii(reproduction())
    ours, by_text, by_table_i = table.rows[-3:]
    high, low = "0.740 (0.646–0.816)", "0.480 (0.385–0.577)"
    assert ours == ["50", "by patient", "0.610 (0.541–0.675)", high, low, low, high]
    assert by_text == ["50", "paper (text)", "0.610 (0.541–0.675)", high, low, low, high]
    assert by_table_i == ["50", "paper (Table I)", "0.610 (0.541–0.675)", low, high, high, low]
    assert table.rows[2] == ["10", "paper", "–", "–", "–", "–", "–"]
    assert len(table.head) == 7
    assert tables.table_iii(reproduction(), ("normal positive",)).rows[-1][3:] == [high, low]


def test_the_page_says_what_the_figures_say() -> None:
    page = document.markdown(reproduction(), "plot.svg")
    assert "the paper's 0.61 lies within the interval" in page
    assert "val loss is lowest after epoch 10 (0.50) and 1.50 after 50" in page
    assert "200/200/200 films, not the paper's 1,642/300/200" in page
    assert "by film: 7 of 200 test films are of patients who are in train" in page
    assert "by patient: 7" not in page
    assert "Wall time 3.0 min on 2 cores (x86_64), in 2 parts" in page
    assert "](plot.svg)" in page
    assert "NIH Clinical Center" in page
    tail = document.markdown(reproduction((10, 20)), "plot.svg")
    assert "the paper's 0.61" not in tail.partition("## What it shows")[2]


def test_the_plot_is_the_same_for_the_same_figures() -> None:
    from training.reproduction.plot import curves

    picture = curves(reproduction())
    assert picture == curves(reproduction())
    assert all(word in picture for word in ("train", "val", "accuracy", "loss", "by film: 200 train, 200 val films"))


class Learned:
    """One training on invented tensors, in a directory of its own; ``kill_at``: SIGTERM after so many batches."""

    def __init__(self, folder: Path) -> None:
        from training.reproduction.learn import Material

        rng = np.random.default_rng(0)
        labels = np.arange(24, dtype=np.float32) % 2
        pixels = rng.random((24, 32, 32, 1), dtype=np.float32) + labels[:, None, None, None] * 0.2
        self.material = Material(pixels[:16], labels[:16], pixels[16:], labels[16:])
        self.state, self.steps = folder / "state.npz", 0
        self.weights: dict[int, list[Any]] = {}
        folder.mkdir()

    def learn(self, epochs: int, kill_at: int | None = None) -> list[dict[str, Any]]:
        from training.reproduction.learn import Ears, learn

        def step() -> None:
            self.steps += 1
            if self.steps == kill_at:
                os.kill(os.getpid(), signal.SIGTERM)

        def look(epoch: int) -> Callable[[Any], None]:
            return lambda network: self.weights.update({epoch: network.get_weights()})

        with on_signal() as stop:
            looks = {epoch: look(epoch) for epoch in range(1, epochs + 1)}
            rows = learn(RECIPE, self.material, epochs, looks, self.state, Ears(step, lambda row: None), stop)
        return untimed(rows)


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def same(ours: dict[int, list[Any]], theirs: dict[int, list[Any]], epoch: int) -> None:
    for own, other in zip(ours[epoch], theirs[epoch], strict=True):
        np.testing.assert_allclose(own, other, atol=1e-6)


class TestLearning:
    pytestmark = TF_CHATTER

    @pytest.mark.soak
    def test_fewer_epochs_are_the_beginning_of_more_and_an_interrupted_training_ends_alike(self, tmp_path: Path) -> None:
        from training.reproduction.learn import kept

        whole, cut = Learned(tmp_path / "whole"), Learned(tmp_path / "cut")
        rows = whole.learn(4)
        assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
        assert rows[0]["loss"] != rows[1]["loss"]

        with pytest.raises(Interrupted):
            cut.learn(3, kill_at=5)  # two batches an epoch: in the middle of the third
        assert sorted(cut.weights) == [1, 2]
        for ours, theirs in zip(untimed(kept(cut.state)), rows[:2], strict=True):
            assert ours == pytest.approx(theirs, abs=1e-6)
        same(cut.weights, whole.weights, 2)

        for ours, theirs in zip(cut.learn(4), rows, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-6)
        same(cut.weights, whole.weights, 4)

    @pytest.mark.soak
    def test_the_command_killed_and_given_again(self, tmp_path: Path) -> None:
        from training.importers.nih import import_nih
        from training.reproduction.reproduce import reproduce

        data, out, page = tmp_path / "data", tmp_path / "run", tmp_path / "docs" / "page.md"
        import_nih(write_nih_folder(tmp_path / "source"), data, "salt")
        code = "import typer; from training.cli.reproduce import reproduce_paper as command; typer.run(command)"
        options = ["--data", data, "--out", out, "--epochs", "1,4", "--document", page]
        command = [sys.executable, "-c", code, *map(str, options)]
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "120"}

        lines = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as first:
            assert first.stdout
            for line in first.stdout:
                lines.append(line)
                if "by film    epoch   2" in line:
                    first.send_signal(signal.SIGTERM)
        assert first.returncode == RESUMABLE
        assert lines[0].startswith("about ")
        assert "the same command goes on" in lines[-1]
        assert not page.exists()

        second = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert "by film    epoch   2" not in second.stdout
        assert "by patient epoch   4" in second.stdout
        assert "Table III" in second.stdout
        found = json.loads(page.with_suffix(".json").read_text())
        assert [len(protocol["epochs"]) for protocol in found["protocols"].values()] == [4, 4]
        assert len(found["parts_seconds"]) == 2
        assert page.with_suffix(".svg").read_text().lstrip().startswith("<?xml")
        assert "| 4 | by patient |" in page.read_text()
        assert len((data / "test_looks.txt").read_text().splitlines()) == 1
        assert str(tmp_path) not in page.read_text() + page.with_suffix(".json").read_text()

        from training import recipe

        films_, paper = manifest.read(data), recipe.parse(recipe.find("paper").read_text(), "paper")
        said: list[str] = []
        assert reproduce(films_, paper, [1, 4], out, datetime.now(UTC), said.append, Stop()) == found
        assert "done already" in said[0]
        with pytest.raises(TrainingError, match="another epochs"):
            reproduce(films_, paper, [2, 4], out, datetime.now(UTC), said.append, Stop())


@pytest.mark.parametrize("epochs", ["ten", "10,", "0", "-3"])
def test_epochs_that_are_no_numbers_are_wrong_usage(epochs: str) -> None:
    import typer

    from training.cli.reproduce import reproduce_paper

    app = typer.Typer()
    app.command()(reproduce_paper)
    result = CliRunner().invoke(app, ["--epochs", epochs])
    assert result.exit_code == 2
