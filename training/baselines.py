"""What a network must beat: linear pixels and the audit's shortcuts, fitted on train and scored on the same test films."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from training import audit
from training.evaluate import areas
from training.manifest import DataSet, Film
from training.statistics import Values
from training.tensors import Tensors, tensors
from triage.imaging.spec import PreprocessingSpec

SPEC = PreprocessingSpec(height=64, width=64)
LINEAR, COMPONENTS = "linear pixels", 100
FLOOR_REFERENCE = 0.73
"""What linear pixels reached against text labels when the first data set was put together."""


def baselines(data: DataSet) -> dict[str, Any]:
    """``linear_floor`` (as ever: AUC by label source and group) and ``baselines``: name → test score by film digest.

    Linear pixels: 64 × 64 films, 100 principal components, logistic regression on text labels. Shortcuts: those of
    ``audit``, logistic regression on the best labels.
    """
    train, test = data.split("train"), data.split("test")
    pixels = tensors(data, [*train, *test], SPEC)
    linear = linear_pixels(train, pixels[: len(train)], pixels[len(train) :])
    found = {LINEAR: linear}
    best = [film.label == "abnormal" for film in train]
    for name, values in audit.features([*train, *test], pixels).items():
        found[name] = audit.model().fit(values[: len(train)], best).decision_function(values[len(train) :])
    return {
        "linear_floor": {"auc": areas(test, linear), "reference": FLOOR_REFERENCE},
        "baselines": {
            name: {film.digest: float(score) for film, score in zip(test, values, strict=True)}
            for name, values in found.items()
        },
    }


def linear_pixels(train: Sequence[Film], pixels: Tensors, others: Tensors) -> Values:
    """Scores of ``others`` by a linear model of ``pixels``, the films of ``train``."""
    model = make_pipeline(PCA(min(COMPONENTS, len(train) - 1), random_state=0), LogisticRegression(C=0.01, max_iter=2000))
    model.fit(pixels.reshape(len(pixels), -1), [film.text_label == "abnormal" for film in train])
    return np.asarray(model.decision_function(others.reshape(len(others), -1)), dtype=np.float64)
