"""A bundle before the gate: loaded as the service loads it, timed, its test scores computed again."""

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from training import consistency, progress
from training.compare import Scored, read
from training.errors import TrainingError
from training.manifest import DataSet
from training.tensors import tensors
from triage.inference.bundle import open_bundle
from triage.inference.classifier import LiteRtClassifier
from triage.inference.selftest import tensor_of

TOLERANCE = 1e-4
WARM_UP, ROUNDS = 3, 5


def opened(path: Path) -> tuple[Scored, dict[str, Any], str]:
    """Test scores, ``training_data.json`` and id of a bundle whose every file is what its manifest says.

    Raises:
        BundleError: it is damaged.
        TrainingError: it holds no test scores.
    """
    bundle_id = open_bundle(path).model.bundle_id
    return read(path), json.loads((path / "training_data.json").read_text(encoding="utf-8")), bundle_id


def latency_ms(path: Path, classifier: LiteRtClassifier, clock: Callable[[], float]) -> float:
    """Median milliseconds that the network takes for a golden film, after a few to warm up; ``clock`` in seconds."""
    bundle = open_bundle(path)
    films = [tensor_of(golden, bundle.spec) for golden in bundle.golden]
    for _ in range(WARM_UP):
        classifier.probability(films[0])
    times = []
    for film in films * ROUNDS:
        began = clock()
        classifier.probability(film)
        times.append(clock() - began)
    return 1000 * statistics.median(times)


def check_films(scored: Scored, data: DataSet) -> None:
    """The films a bundle was tested on are those of the data set's test split, with the same labels.

    Raises:
        TrainingError: they are not.
    """
    films = data.split("test")
    if {film.digest for film in films} != set(scored.films):
        raise TrainingError(f"{scored.name}: its test films are not those of {data.path}; evaluate and bundle again")
    stated = [scored.films[film.digest] for film in films]
    others = sum(
        (film.text_label, film.radiologist_label) != (said.text_label, said.radiologist_label)
        for film, (said, _) in zip(films, stated, strict=True)
    )
    if others:
        raise TrainingError(f"{scored.name}: {others} test films have other labels in {data.path}; evaluate and bundle again")


def recompute(scored: Scored, classifier: LiteRtClassifier, data: DataSet) -> float:
    """The largest difference between the test scores that a bundle states and those its network gives now.

    Raises:
        TrainingError: it is above :data:`TOLERANCE`.
    """
    now = rescored(scored, classifier, data).films
    difference = max(abs(score - scored.films[digest][1]) for digest, (_, score) in now.items())
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"{scored.name}: metrics.json differs from what its network says by {difference:.1e} (allowed {TOLERANCE:.0e}); "
            "do not use this bundle"
        )
    return difference


def rescored(scored: Scored, classifier: LiteRtClassifier, data: DataSet) -> Scored:
    """A bundle's scores and calls on the test split of a data set that may not be its own."""
    films = data.split("test")
    shown = progress.track(list(tensors(data, films, classifier.spec)), f"scoring {scored.name}")
    scores = [classifier.probability(film) for film in shown]
    found = {film.digest: (film, score) for film, score in zip(films, scores, strict=True)}
    return replace(scored, films=found, threshold=classifier.model.threshold)


def look_again(training_data: dict[str, Any], data: DataSet) -> dict[str, Any]:
    """``training_data.json`` with the agreement of labels and pixels as the films say now, whatever the bundle states.

    Raises:
        TrainingError: the bundle was trained on another manifest.
    """
    if training_data.get("manifest_digest") != data.digest():
        raise TrainingError(f"the bundle was trained on another manifest than that of {data.path}; name its own with --data")
    labels = consistency.measure(data, consistency.trusted())
    return training_data | {"audit": (training_data.get("audit") or {}) | {"labels": labels}}
