"""Bootstrap by patient (Efron 1979; whole patients are drawn, Field and Welsh 2007): intervals where films are no strangers."""

from collections.abc import Callable, Sequence

import numpy as np

from training.statistics import Figure, Mask, Values, auc, brier, calibration_error, calibration_errors

RESAMPLES = 2000
SEED = 20261123
BLOCK = 200
"""Resamples worked on at once: bounds the memory."""
CALIBRATION_METHOD = (
    f"reflected bootstrap by patient, {RESAMPLES} resamples: binned calibration errors are biased upwards, and reflection "
    "takes the bias back"
)
DELONG, BY_PATIENT = "DeLong", f"bootstrap by patient, {RESAMPLES} resamples"


def weights(patients: Sequence[str], rng: np.random.Generator, resamples: int = RESAMPLES) -> Values:
    """How often each film is drawn, (resamples, films), when as many patients as there are are drawn with replacement."""
    names, own = np.unique(np.asarray(patients), return_inverse=True)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return drawn[:, own].astype(np.float64)


def several(patients: Sequence[str]) -> bool:
    """Whether a patient has more than one film."""
    return len(set(patients)) < len(patients)


def area_method(patients: Sequence[str]) -> str:
    """What the interval of an area is made with: DeLong's needs independent films."""
    return BY_PATIENT if several(patients) else DELONG


def area(positive: Mask, scores: Values, patients: Sequence[str]) -> Figure:
    """AUC with DeLong's interval, or with the percentile interval of the bootstrap where a patient has several films."""
    figure = auc(positive, scores)
    if figure.value is None or not several(patients):
        return figure
    drawn = weights(patients, np.random.default_rng(SEED))
    low, high = np.nanpercentile(areas(positive, scores, drawn), (2.5, 97.5))
    return Figure(figure.value, float(low), float(high), figure.n)


def areas(positive: Mask, scores: Values, drawn: Values) -> Values:
    """AUC of weighted films, (B,), for each row of ``drawn`` (B, n); not a number where a class was not drawn."""
    ill, well = scores[positive], scores[~positive]
    wins = (ill[:, None] > well[None, :]) + 0.5 * (ill[:, None] == well[None, :])
    found = []
    for start in range(0, len(drawn), BLOCK):
        of_ill, of_well = drawn[start : start + BLOCK, positive], drawn[start : start + BLOCK, ~positive]
        pairs = of_ill.sum(axis=1) * of_well.sum(axis=1)
        won = np.einsum("bi,bi->b", of_ill @ wins, of_well)
        found.append(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))
    return np.concatenate(found)


def calibration(positive: Mask, probabilities: Values, patients: Sequence[str]) -> dict[str, Figure]:
    """``ece`` and ``brier`` with intervals by :data:`CALIBRATION_METHOD`."""
    squares = (probabilities - positive) ** 2
    measures: dict[str, tuple[float, Callable[[Values], Values]]] = {
        "ece": (calibration_error(positive, probabilities), lambda w: calibration_errors(positive, probabilities, w)),
        "brier": (brier(positive, probabilities), lambda w: w @ squares / w.sum(axis=1)),
    }
    drawn = weights(patients, np.random.default_rng(SEED))
    return {name: _reflected(value, again(drawn), len(positive)) for name, (value, again) in measures.items()}


def _reflected(value: float, again: Values, n: int) -> Figure:
    low, high = np.clip(2 * value - np.percentile(again, (97.5, 2.5)), 0, 1)
    # a strong bias can reflect the whole interval below what was measured
    return Figure(value, float(min(low, value)), float(max(high, value)), n)
