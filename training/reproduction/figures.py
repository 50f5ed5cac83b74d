"""What a network says of films, as the paper's Table III has it: in both orientations of "positive". Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import statistics
from training.manifest import Film

Mask = NDArray[np.bool_]


def measured(films: Sequence[Film], leaked: Sequence[bool], logits: NDArray[np.float64]) -> dict[str, Any]:
    """Figures of test films against text labels (a film with a positive logit is called abnormal), and AUC of both labels.

    ``leaked``: of each film, whether its patient is in train, too.
    """
    abnormal = np.array([film.text_label == "abnormal" for film in films])
    seen = np.array([bool(film.radiologist_label) for film in films])
    radiologist = np.array([film.radiologist_label == "abnormal" for film in films])
    right, known = (logits > 0) == abnormal, np.asarray(leaked, dtype=bool)
    table = confusion(abnormal, logits > 0)
    return {
        "confusion": table,
        **rates(table),
        "auc": {
            "text": statistics.auc(abnormal, logits).as_dict(),
            "radiologist": statistics.auc(radiologist[seen], logits[seen]).as_dict(),
        },
        "accuracy_by_patient": {
            "in train, too": _share(right[known]),
            "in test only": _share(right[~known]),
        },
    }


def confusion(abnormal: Mask, called: Mask) -> dict[str, int]:
    """Counts of films by label and call."""
    cells = {
        "abnormal called abnormal": abnormal & called,
        "abnormal called normal": abnormal & ~called,
        "normal called abnormal": ~abnormal & called,
        "normal called normal": ~abnormal & ~called,
    }
    return {name: int(films.sum()) for name, films in cells.items()}


def rates(table: dict[str, int]) -> dict[str, Any]:
    """Accuracy, and sensitivity and specificity with either class as positive, each with Wilson's interval.

    The paper's Table I calls normal positive, its text means finding abnormal ones: one's sensitivity is the other's
    specificity.
    """
    ill, well = table["abnormal called abnormal"], table["normal called normal"]
    missed, alarmed = table["abnormal called normal"], table["normal called abnormal"]
    of_abnormal = statistics.proportion(ill, ill + missed).as_dict()
    of_normal = statistics.proportion(well, well + alarmed).as_dict()
    return {
        "accuracy": statistics.proportion(ill + well, ill + well + missed + alarmed).as_dict(),
        "abnormal positive": {"sensitivity": of_abnormal, "specificity": of_normal},
        "normal positive": {"sensitivity": of_normal, "specificity": of_abnormal},
    }


def view_alone(train: Sequence[Film], test: Sequence[Film]) -> dict[str, Any]:
    """AUC on test of the view alone: each film scores the share of abnormal ones among train films of its view."""
    labels: dict[str, list[bool]] = {film.view: [] for film in test}
    for film in train:
        labels.setdefault(film.view, []).append(film.text_label == "abnormal")
    share = {view: float(np.mean(own)) if own else 0.5 for view, own in labels.items()}
    scores = np.array([share[film.view] for film in test])
    return statistics.auc(np.array([film.text_label == "abnormal" for film in test]), scores).as_dict()


def _share(right: Mask) -> dict[str, Any]:
    return statistics.proportion(int(right.sum()), len(right)).as_dict()
