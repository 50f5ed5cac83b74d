"""Calibrate: fit probability and operating point on ``val``; the test split is not read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from training import keras_network, resample, statistics
from training.manifest import DataSet, Film, patients_digest
from training.run import Run
from training.statistics import Mask, Values
from training.tensors import tensors
from triage.inference.calibration import Calibration

SENSITIVITY = 0.90
LABELS_USED = "radiologist label where there is one, else text label"
BY_BAYES = "PPV and NPV at the prevalence stated, by Bayes' rule from sensitivity and specificity"


@dataclass(frozen=True, slots=True)
class Aim:
    """What the operating point is chosen for, on val: a ``sensitivity`` to reach, or an ``alert_budget``, the largest share
    of films that may be flagged; one of the two, each within 0..1."""

    sensitivity: float | None = SENSITIVITY
    alert_budget: float | None = None

    def __str__(self) -> str:
        if self.alert_budget is not None:
            return f"flag at most {self.alert_budget:.2f} of the films of val"
        return f"sensitivity ≥ {self.sensitivity:.2f} on val"

    def threshold(self, positive: Mask, scores: Values) -> float:
        """The threshold that reaches the aim at the least cost."""
        if self.alert_budget is not None:
            return statistics.threshold_for_budget(scores, self.alert_budget)
        return statistics.threshold_for_sensitivity(positive, scores, self.sensitivity or SENSITIVITY)


def calibrate(run: Run, data: DataSet, aim: Aim = Aim(), prevalence: float | None = None) -> dict[str, Any]:
    """Write ``calibration.json`` and ``operating_point.json`` of a run; returns both.

    The probability means: of films like those of ``val`` with this score, the share whose best label is *abnormal*.
    The operating point reaches the aim on the same films. ``prevalence``: share of abnormal films for which PPV and NPV
    are told; without it, val's own.

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
        "before": quality(films, before),
        "after": quality(films, after),
        "intervals": resample.CALIBRATION_METHOD,
    }
    threshold = aim.threshold(abnormal, after)
    measured = {who: at_threshold(*pair, threshold) for who, pair in _sets(films, after).items()}
    stated = float(abnormal.mean()) if prevalence is None else prevalence
    operating_point = {
        "threshold": threshold,
        "aim": str(aim),
        "labels": LABELS_USED,
        "measured_on_val": measured,
        "predictive_values": {
            "prevalence": stated,
            "method": BY_BAYES,
            **{who: _predictive_values(values, stated) for who, values in measured.items()},
        },
    }
    run.write_json("calibration.json", calibration)
    run.write_json("operating_point.json", operating_point)
    return {"calibration": calibration, "operating_point": operating_point}


def platt(logits: Values, positive: Mask) -> Calibration:
    """Platt's fit with his smoothed targets, which keep a separable set from an infinite slope (Platt 1999)."""
    ill, well = int(positive.sum()), int((~positive).sum())
    targets = np.where(positive, (ill + 1) / (ill + 2), 1 / (well + 2))

    def loss(parameters: Values) -> float:
        values = np.exp(parameters[0]) * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, values) - targets * values))

    slope, intercept = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
    return Calibration(method="platt", slope=float(np.exp(slope)), intercept=float(intercept))


def probabilities(calibration: Calibration, logits: Values) -> Values:
    """The calibrated probability of each logit."""
    return np.array([calibration.probability(float(logit)) for logit in logits])


def by_source(films: Sequence[Film], scores: Values) -> dict[str, tuple[Mask, Values]]:
    """Labels and scores of the films that a radiologist labelled, and of all films by their text label."""
    seen = np.array([bool(film.radiologist_label) for film in films], dtype=bool)
    radiologist = np.array([film.radiologist_label == "abnormal" for film in films], dtype=bool)
    text = np.array([film.text_label == "abnormal" for film in films], dtype=bool)
    return {"radiologist": (radiologist[seen], scores[seen]), "text": (text, scores)}


def at_threshold(positive: Mask, scores: Values, threshold: float) -> dict[str, Any]:
    """Sensitivity, specificity and share flagged at a threshold, each with its interval."""
    flagged = scores >= threshold
    return {
        "sensitivity": statistics.proportion(int(flagged[positive].sum()), int(positive.sum())).as_dict(),
        "specificity": statistics.proportion(int((~flagged)[~positive].sum()), int((~positive).sum())).as_dict(),
        "flagged": statistics.proportion(int(flagged.sum()), len(scores)).as_dict(),
    }


def quality(films: Sequence[Film], scores: Values) -> dict[str, Any]:
    """ECE and Brier score by label source and by best label, with their intervals (:data:`resample.CALIBRATION_METHOD`)."""
    patients = np.array([film.patient for film in films])
    seen = np.array([bool(film.radiologist_label) for film in films])
    found = {}
    for who, (labels, values) in _sets(films, scores).items():
        if len(labels):
            figures = resample.calibration(labels, values, list(patients[seen] if who == "radiologist" else patients))
            found[who] = {
                **{name: figure.value for name, figure in figures.items()},
                **{f"{name}_interval": figure.as_dict() for name, figure in figures.items()},
                "n": len(labels),
            }
    return found


def _sets(films: Sequence[Film], scores: Values) -> dict[str, tuple[Mask, Values]]:
    best = np.array([film.label == "abnormal" for film in films])
    return {"best": (best, scores), **by_source(films, scores)}


def _predictive_values(measured: dict[str, Any], prevalence: float) -> dict[str, float | None]:
    sensitivity, specificity = measured["sensitivity"]["value"], measured["specificity"]["value"]
    if sensitivity is None or specificity is None:
        return {"ppv": None, "npv": None}
    return dict(zip(("ppv", "npv"), statistics.predictive_values(sensitivity, specificity, prevalence), strict=True))
