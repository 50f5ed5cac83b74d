"""What a bundle says of its own training and test: consistent, and no worse than a coin. Pure."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from triage.domain.errors import BundleError
from triage.imaging.spec import PreprocessingSpec

ENOUGH = 20
"""Test films from which on an area of 0.5 or less is held against a bundle; with fewer it may be bad luck."""


def area(abnormal: Sequence[float], normal: Sequence[float]) -> float:
    """Share of (abnormal, normal) pairs in which the abnormal film scores higher, ties half: the AUC (Hanley and McNeil 1982).

    Raises:
        ValueError: one of the two is empty.
    """
    if not len(abnormal) or not len(normal):
        raise ValueError("an area needs films of both kinds")
    ordered = np.sort(normal)
    below, up_to = np.searchsorted(ordered, abnormal, "left"), np.searchsorted(ordered, abnormal, "right")
    return float((below + up_to).mean() / 2 / len(ordered))


def check_trained_input(manifest: dict[str, Any], spec: PreprocessingSpec) -> None:
    """The films the network learned from were preprocessed as those it will be shown.

    ``manifest.json`` carries the recipe as ``run.json`` recorded it during training; ``preprocessing.json`` is written at
    bundling. A network that pools globally takes another input size without complaint, so nothing else would tell.

    Raises:
        BundleError: the two differ, or the manifest does not say.
    """
    recipe = manifest.get("recipe")
    trained = recipe.get("input") if isinstance(recipe, dict) else None
    if not isinstance(trained, dict):
        raise BundleError("manifest.json: recipe.input, the preprocessing of the training, is missing; bundle it anew")
    wrong = [key for key, value in spec.as_dict().items() if trained.get(key) != value]
    if wrong:
        said = ", ".join(f"{key} {str(trained.get(key))[:40]}" for key in wrong)
        raise BundleError(f"preprocessing.json: differs from the training's, which had {said} (manifest.json, recipe.input)")


def check_metrics(metrics: dict[str, Any], threshold: float) -> None:
    """What serves is what was evaluated: the same ``threshold``, and a network better than a coin on the locked test split.

    Bundles whose ``metrics.json`` has no scores of test films, or fewer than :data:`ENOUGH`, pass.

    Raises:
        BundleError: another threshold, the scores are no scores, or the area is 0.5 or less.
    """
    if metrics.get("threshold", threshold) != threshold:
        raise BundleError(f"operating_point.json: threshold {threshold:.4f} is not the one that metrics.json was made with")
    scores: dict[str, list[float]] = {"abnormal": [], "normal": []}
    try:
        for film in metrics.get("test_films", []):
            score = float(film["probability"])
            if not math.isfinite(score):
                raise ValueError("a score is no number")
            scores[film["radiologist"] or film["text"]].append(score)
    except (KeyError, TypeError, ValueError):
        raise BundleError("metrics.json: test_films must hold probability, text and radiologist of each film") from None
    n = sum(map(len, scores.values()))
    if n < ENOUGH or not all(scores.values()):
        return
    found = area(scores["abnormal"], scores["normal"])
    if found <= 0.5:
        raise BundleError(f"metrics.json: worse than chance, AUC {found:.3f} on {n} test films; are the labels swapped?")
