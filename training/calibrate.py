"""Calibrate: fit probability and operating point on ``val``; the test split is not read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from training import keras_network, statistics
from training.manifest import DataSet, Film, patients_digest
from training.run import Run
from training.tensors import tensors
from triage.inference.calibration import Calibration

SENSITIVITY = 0.90
LABELS_USED = "radiologist label where there is one, else text label"


def calibrate(run: Run, data: DataSet) -> dict[str, Any]:
    """Write ``calibration.json`` and ``operating_point.json`` of a run; returns both.

    The probability means: of films like those of ``val`` with this score, the share whose best label is *abnormal*.
    The operating point is the highest threshold that reaches the aim on the same films.

    Raises:
        TrainingError: the run is not trained, or on another manifest.
    """
    run.check_trained_on(data.digest())
    films = data.split("val")
    logits = keras_network.logits(keras_network.load(run), tensors(data, films, run.recipe.input.spec()))
    abnormal = np.array([film.label == "abnormal" for film in films])
    fitted = platt(logits, abnormal)
    raw = Calibration(method="platt", slope=1.0, intercept=0.0)
    before, after = (probabilities(map_, logits) for map_ in (raw, fitted))
    calibration = {
        "method": fitted.method,
        "slope": fitted.slope,
        "intercept": fitted.intercept,
        "fitted_on": {"split": "val", "n": len(films), "labels": LABELS_USED, "patients": patients_digest(films)},
        "before": _quality(films, before),
        "after": _quality(films, after),
    }
    threshold = statistics.threshold_for_sensitivity(abnormal, after, SENSITIVITY)
    sets = {"best": (abnormal, after), **by_source(films, after)}
    operating_point = {
        "threshold": threshold,
        "aim": f"sensitivity ≥ {SENSITIVITY:.2f} on val",
        "labels": LABELS_USED,
        "measured_on_val": {who: at_threshold(*pair, threshold) for who, pair in sets.items()},
    }
    run.write_json("calibration.json", calibration)
    run.write_json("operating_point.json", operating_point)
    return {"calibration": calibration, "operating_point": operating_point}


def platt(logits: NDArray[np.float64], positive: NDArray[np.bool_]) -> Calibration:
    """Platt's fit with his smoothed targets, which keep a separable set from an infinite slope (Platt 1999)."""
    ill, well = int(positive.sum()), int((~positive).sum())
    targets = np.where(positive, (ill + 1) / (ill + 2), 1 / (well + 2))

    def loss(parameters: NDArray[np.float64]) -> float:
        values = np.exp(parameters[0]) * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, values) - targets * values))

    slope, intercept = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
    return Calibration(method="platt", slope=float(np.exp(slope)), intercept=float(intercept))


def probabilities(calibration: Calibration, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The calibrated probability of each logit."""
    return np.array([calibration.probability(float(logit)) for logit in logits])


def by_source(films: Sequence[Film], scores: NDArray[np.float64]) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Labels and scores of the films that a radiologist labelled, and of all films by their text label."""
    seen = np.array([bool(film.radiologist_label) for film in films])
    radiologist = np.array([film.radiologist_label == "abnormal" for film in films])
    text = np.array([film.text_label == "abnormal" for film in films])
    return {"radiologist": (radiologist[seen], scores[seen]), "text": (text, scores)}


def at_threshold(positive: NDArray[np.bool_], scores: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    """Sensitivity, specificity and share flagged at a threshold, each with its interval."""
    flagged = scores >= threshold
    return {
        "sensitivity": statistics.proportion(int(flagged[positive].sum()), int(positive.sum())).as_dict(),
        "specificity": statistics.proportion(int((~flagged)[~positive].sum()), int((~positive).sum())).as_dict(),
        "flagged": statistics.proportion(int(flagged.sum()), len(scores)).as_dict(),
    }


def _quality(films: Sequence[Film], scores: NDArray[np.float64]) -> dict[str, Any]:
    best = np.array([film.label == "abnormal" for film in films])
    sets = {"best": (best, scores), **by_source(films, scores)}
    return {
        who: {"ece": statistics.calibration_error(*pair), "brier": statistics.brier(*pair), "n": len(pair[0])}
        for who, pair in sets.items()
    }
