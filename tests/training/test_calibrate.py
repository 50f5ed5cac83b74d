"""The operating point by its aim, and what the command refuses."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests.training.scored import evidence_of, films
from training.cli import evaluate as cli_evaluate
from training.statistics import Mask, Values

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # TensorFlow's own import
]
FILMS = films(200)


@pytest.fixture
def fitted() -> tuple[Mask, Values]:
    return np.array([film.label == "abnormal" for film in FILMS]), evidence_of(FILMS)


@pytest.mark.parametrize("aim", [0.8, 0.9, 0.95])
def test_sensitivity_is_reached(fitted: tuple[Mask, Values], aim: float) -> None:
    from training.calibrate import Aim

    positive, scores = fitted
    chosen = Aim(sensitivity=aim)
    assert (scores[positive] >= chosen.threshold(positive, scores)).mean() == pytest.approx(aim, abs=0.01)
    assert str(chosen) == f"sensitivity ≥ {aim:.2f} on val"


@pytest.mark.parametrize("budget", [0.1, 0.3, 0.5])
def test_the_alert_budget_is_kept(fitted: tuple[Mask, Values], budget: float) -> None:
    from training.calibrate import Aim

    positive, scores = fitted
    chosen = Aim(alert_budget=budget)
    assert (scores >= chosen.threshold(positive, scores)).mean() == pytest.approx(budget)
    assert str(chosen) == f"flag at most {budget:.2f} of the films of val"


def test_quality_carries_intervals_for_each_label_source() -> None:
    from training.calibrate import quality

    found = quality(FILMS, evidence_of(FILMS))
    assert set(found) == {"best", "radiologist", "text"}
    for values in found.values():
        assert values["ece_interval"]["low"] <= values["ece"] <= values["ece_interval"]["high"]
        assert values["brier_interval"]["low"] < values["brier"] < values["brier_interval"]["high"]
    assert found["radiologist"]["n"] < found["best"]["n"] == 200


@pytest.mark.parametrize(
    "options",
    [
        ["--sensitivity", "0.9", "--alert-budget", "0.3"],
        ["--sensitivity", "1.5"],
        ["--alert-budget", "0"],
        ["--prevalence", "-0.1"],
    ],
)
def test_wrong_usage(options: list[str]) -> None:
    app = typer.Typer()
    app.command()(cli_evaluate.calibrate)
    assert CliRunner().invoke(app, ["nowhere", *options]).exit_code == 2
