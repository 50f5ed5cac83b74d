"""Evaluate: the locked test split, every look counted; radiologists' labels first, then the reports'."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from training import keras_network, resample, scores, statistics
from training.calibrate import at_threshold, by_source, probabilities, quality
from training.gate import measure, step
from training.manifest import DataSet, Film
from training.run import Run
from training.statistics import Figure, Mask, Values
from training.subgroups import findings, groups
from training.tensors import tensors
from triage.inference.calibration import Calibration
from triage.inference.gate import Gate

TEST_SEED = 2
"""Of the pictures made of test films for the image gate; those made of val films have another."""
ONE_LABEL = frozenset({"folder", "worklist"})
"""Sources of a radiologist's label that is the only label: what agrees with itself tells nothing of reports."""


def evaluate(run: Run, data: DataSet) -> dict[str, Any]:
    """Figures of a calibrated run on val and test, with the per-film scores of both (``val_films``, ``test_films``).

    Of each split: ``auc`` by label source and group, ``findings`` by label source (films with the finding against normal
    ones), ``auc_interval`` (how the intervals were made), ``operating_point`` and ``calibration``. ``image_gate``: its figures
    on test, a row a kind of picture; ``None`` where the run has none.

    Raises:
        TrainingError: the run is not trained, on another manifest, or not calibrated.
    """
    run.check_trained_on(data.digest())
    calibration = Calibration.from_dict(run.read_json("calibration.json", "calibrate"))
    point = run.read_json("operating_point.json", "calibrate")
    threshold = float(point["threshold"])
    network, gate = keras_network.load(run), step.of_run(run)
    result: dict[str, Any] = {
        "recipe": run.recipe.name,
        "parameters": int(network.count_params()),
        "threshold": threshold,
        "aim": point["aim"],
        "image_gate": None if gate is None else _gate(gate, run, data),
    }
    for split in ("val", "test"):
        films = data.split(split)
        logits = keras_network.logits(network, tensors(data, films, run.recipe.input.spec()))
        found = probabilities(calibration, logits)
        result[split] = {
            "auc": areas(films, found),
            "auc_interval": resample.area_method([film.patient for film in films]),
            "findings": areas_by_finding(films, found),
            "operating_point": {
                source: at_threshold(labels, values, threshold) for source, (labels, values) in by_source(films, found).items()
            },
            "calibration": quality(films, found),
        }
        result[f"{split}_films"] = scores.rows(films, found)
    return result


def _gate(gate: Gate, run: Run, data: DataSet) -> list[dict[str, Any]]:
    looks = measure.looks(gate, data, data.split("test"), run.recipe.input.spec(), TEST_SEED)
    return measure.table(gate, looks)


def areas(films: Sequence[Film], found: Values) -> dict[str, dict[str, Any]]:
    """AUC by label source and group, each as a :class:`training.statistics.Figure` in JSON's form."""
    table: dict[str, dict[str, Any]] = {"radiologist": {}, "text": {}}
    for name, member in groups(films):
        for source, figure in _areas(films, found, member).items():
            table[source][name] = figure.as_dict()
    return table


def areas_by_finding(films: Sequence[Film], found: Values) -> dict[str, dict[str, Any]]:
    """AUC by label source and finding: abnormal films with the finding against the normal films of the same label source."""
    table: dict[str, dict[str, Any]] = {"radiologist": {}, "text": {}}
    for name, has in findings(films):
        for source in table:
            normal = np.array([getattr(film, f"{source}_label") == "normal" for film in films])
            abnormal = np.array([getattr(film, f"{source}_label") == "abnormal" for film in films])
            table[source][name] = _areas(films, found, normal | (abnormal & has))[source].as_dict()
    return table


def _areas(films: Sequence[Film], found: Values, member: Mask) -> dict[str, Figure]:
    chosen = [film for film, inside in zip(films, member, strict=True) if inside]
    patients = np.array([film.patient for film in chosen])
    seen = np.array([bool(film.radiologist_label) for film in chosen], dtype=bool)
    whose = {"radiologist": patients[seen], "text": patients}
    return {
        source: resample.area(labels, values, list(whose[source]))
        for source, (labels, values) in by_source(chosen, found[member]).items()
    }


def label_ceiling(data: DataSet) -> str:
    """What a perfect reader could reach on text labels, from the train and val films that carry both labels."""
    both = [
        film
        for film in data.films
        if film.split in ("train", "val") and film.radiologist_label and film.radiologist_source not in ONE_LABEL
    ]
    if not both:
        return "No film has a report's label beside a radiologist's, so nothing is known of how well the two agree."
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
