"""Evaluate: the locked test split, every look counted; radiologists' labels first, then the reports'."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from training import keras_network, statistics
from training.calibrate import at_threshold, by_source, probabilities
from training.manifest import DataSet, Film
from training.run import Run
from training.tensors import tensors
from triage.imaging.spec import PreprocessingSpec
from triage.inference.calibration import Calibration

FLOOR_SIDE, FLOOR_COMPONENTS = 64, 100
FLOOR_REFERENCE = 0.73
"""What the linear floor reached against text labels when the data set was put together."""


def groups(films: Sequence[Film]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Names and members of the groups that are reported one by one."""
    tests: dict[str, Callable[[Film], bool]] = {
        "all": lambda film: True,
        "PA": lambda film: film.view == "PA",
        "AP": lambda film: film.view == "AP",
    }
    for pool in sorted({film.pool for film in films}):
        tests[f"pool {pool}"] = lambda film, pool=pool: film.pool == pool  # type: ignore[misc]
    tests["not pool a"] = lambda film: film.pool != "a"
    tests |= {"F": lambda film: film.sex == "F", "M": lambda film: film.sex == "M", "age ≥ 16": lambda film: film.age >= 16}
    for name, test in tests.items():
        yield name, np.array([test(film) for film in films])


def evaluate(run: Run, data: DataSet) -> dict[str, Any]:
    """Figures of a calibrated run on val and test, with the per-film scores of the test split.

    Raises:
        TrainingError: the run is not trained, on another manifest, or not calibrated.
    """
    run.check_trained_on(data.digest())
    calibration = Calibration.from_dict(run.read_json("calibration.json", "calibrate"))
    threshold = float(run.read_json("operating_point.json", "calibrate")["threshold"])
    network = keras_network.load(run)
    result: dict[str, Any] = {"recipe": run.recipe.name, "parameters": int(network.count_params()), "threshold": threshold}
    for split in ("val", "test"):
        films = data.split(split)
        logits = keras_network.logits(network, tensors(data, films, run.recipe.input.spec()))
        scores = probabilities(calibration, logits)
        result[split] = {"auc": areas(films, scores), "operating_point": _operating(films, scores, threshold)}
        result[split]["calibration"] = {
            who: {"ece": statistics.calibration_error(*pair), "brier": statistics.brier(*pair)}
            for who, pair in by_source(films, scores).items()
        }
        if split == "test":
            result["test_films"] = [
                {
                    "film": film.digest,
                    "probability": float(score),
                    "text": film.text_label,
                    "radiologist": film.radiologist_label,
                }
                for film, score in zip(films, scores, strict=True)
            ]
    return result


def areas(films: Sequence[Film], scores: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
    """AUC by label source and group."""
    found: dict[str, dict[str, Any]] = {"radiologist": {}, "text": {}}
    for name, member in groups(films):
        chosen = [film for film, inside in zip(films, member, strict=True) if inside]
        for source, (labels, values) in by_source(chosen, scores[member]).items():
            found[source][name] = statistics.auc(labels, values).as_dict()
    return found


def _operating(films: Sequence[Film], scores: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    return {source: at_threshold(labels, values, threshold) for source, (labels, values) in by_source(films, scores).items()}


def linear_floor(data: DataSet) -> dict[str, Any]:
    """What linear pixels reach: 64 × 64 films, 100 principal components, logistic regression on text labels."""
    spec = PreprocessingSpec(height=FLOOR_SIDE, width=FLOOR_SIDE)
    train, test = data.split("train"), data.split("test")
    flat, flat_test = (tensors(data, films, spec).reshape(len(films), -1) for films in (train, test))
    components = min(FLOOR_COMPONENTS, len(train) - 1)
    model = make_pipeline(PCA(components, random_state=0), LogisticRegression(C=0.01, max_iter=2000))
    model.fit(flat, [film.text_label == "abnormal" for film in train])
    scores = np.asarray(model.decision_function(flat_test), dtype=np.float64)
    return {"auc": areas(test, scores), "reference": FLOOR_REFERENCE}


def label_ceiling(data: DataSet) -> str:
    """What a perfect reader could reach on text labels, from the train and val films that carry both labels."""
    both = [film for film in data.films if film.split in ("train", "val") and film.radiologist_label]
    agreed = statistics.proportion(sum(film.text_label == film.radiologist_label for film in both), len(both))
    return (
        f"Text labels agree with radiologists on this share of the films that have both: {agreed}. "
        "A perfect reader scored on text labels has about that accuracy. Positive means abnormal."
    )


def count_look(data: DataSet, what: Sequence[str], now: datetime) -> int:
    """Note in the data set that somebody looked at its test split; returns how often that has happened."""
    looks = data.path / "test_looks.txt"
    with looks.open("a", encoding="utf-8") as file:
        file.write(f"{now.isoformat()} {' '.join(what)}\n")
    return len(looks.read_text(encoding="utf-8").splitlines())
