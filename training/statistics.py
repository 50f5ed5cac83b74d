"""Figures with their intervals. Pure; positive means *abnormal*; every interval is 95 %."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

from triage.domain.share import Share

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Z = float(norm.ppf(0.975))
BINS = 10
"""Bins of the calibration error, equally filled."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its interval and the number of films behind it; ``value`` is ``None`` where it has no meaning."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        if self.value is None or self.low is None or self.high is None:
            return f"– (n={self.n})"
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f}, n={self.n})"


def placements(positive: Mask, scores: Values) -> tuple[float, Values, Values]:
    """Area under the ROC curve, and the placement of each positive film among the negative ones and the other way round.

    The areas' covariance is that of the placements (DeLong, DeLong and Clarke-Pearson 1988; by mid-ranks, Sun and Xu 2014).
    """
    ill, well = scores[positive], scores[~positive]
    m, n = len(ill), len(well)
    ranks = rankdata(np.concatenate([ill, well]))
    area = (ranks[:m].sum() - m * (m + 1) / 2) / (m * n)
    return float(area), (ranks[:m] - rankdata(ill)) / n, 1 - (ranks[m:] - rankdata(well)) / m


def auc(positive: Sequence[bool] | Mask, scores: Values) -> Figure:
    """Area under the ROC curve with DeLong's interval on the logit scale (DeLong 1988; Sun and Xu 2014 for mid-ranks).

    Where DeLong sees no spread (the classes do not overlap, or all scores are one), Newcombe's interval stands in.
    """
    positive = np.asarray(positive, dtype=bool)
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        return Figure(None, None, None, m + n)
    area, of_ill, of_well = placements(positive, scores)
    error = math.sqrt(of_ill.var(ddof=1) / m + of_well.var(ddof=1) / n)
    if error == 0 or not 0 < area < 1:
        return Figure(area, *_newcombe(area, m, n), m + n)
    middle, spread = math.log(area / (1 - area)), Z * error / (area * (1 - area))
    low, high = (1 / (1 + math.exp(-(middle + side * spread))) for side in (-1, 1))
    return Figure(area, low, high, m + n)


def _newcombe(area: float, m: int, n: int) -> tuple[float, float]:
    """Newcombe's score-like interval of an AUC (method 5, Statistics in Medicine 2006; 25: 559), sound at 0 and 1, too."""
    half = (m + n) / 2 - 1

    def excess(true: float) -> float:
        """How far ``true`` lies outside the interval; negative inside."""
        variance = true * (1 - true) * (1 + half * ((1 - true) / (2 - true) + true / (1 + true))) / (m * n)
        return (area - true) ** 2 - Z**2 * variance

    low = 0.0 if area == 0 else float(brentq(excess, 0.0, area - 1e-12))
    high = 1.0 if area == 1 else float(brentq(excess, area + 1e-12, 1.0))
    return low, high


def proportion(hits: int, n: int) -> Figure:
    """A proportion with Wilson's interval (Wilson 1927)."""
    share = Share(hits, n)
    low, high = share.interval or (None, None)
    return Figure(share.value, low, high, n)


def calibration_error(positive: Mask, probabilities: Values) -> float:
    """Expected calibration error over equally filled bins: mean distance between what was said and what was."""
    return float(calibration_errors(positive, probabilities, np.ones((1, len(probabilities))))[0])


def calibration_errors(positive: Mask, probabilities: Values, weights: Values) -> Values:
    """:func:`calibration_error` of weighted films, (B,), for each row of ``weights`` (B, n)."""
    order = np.argsort(probabilities, kind="stable")
    weights, gaps = weights[:, order], (probabilities - positive)[order]
    total = weights.sum(axis=1, keepdims=True)
    bins = min(BINS, len(probabilities))
    place = np.minimum(((np.cumsum(weights, axis=1) - weights / 2) * bins / total).astype(np.int64), bins - 1)
    sums = np.stack([(weights * gaps * (place == number)).sum(axis=1) for number in range(bins)])
    errors: Values = np.abs(sums).sum(axis=0) / total[:, 0]
    return errors


def brier(positive: Mask, probabilities: Values) -> float:
    """Mean squared error of the probabilities (Brier 1950)."""
    return float(np.mean((probabilities - positive) ** 2))


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float | None, float | None]:
    """PPV and NPV at a prevalence, by Bayes' rule (Altman and Bland 1994); ``None`` where nothing is flagged, or everything."""
    flagged = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    ppv = sensitivity * prevalence / flagged if flagged > 0 else None
    npv = specificity * (1 - prevalence) / (1 - flagged) if flagged < 1 else None
    return ppv, npv


def threshold_for_sensitivity(positive: Mask, probabilities: Values, aim: float) -> float:
    """The highest threshold at which at least the share ``aim`` of the positive films score at or above it.

    It lies halfway to the next lower score, so that no film of the fit stands on the edge.
    """
    ill = np.sort(probabilities[positive])[::-1]
    last = float(ill[math.ceil(aim * len(ill)) - 1])
    below = probabilities[probabilities < last]
    return (last + float(below.max())) / 2 if len(below) else last


def threshold_for_budget(probabilities: Values, budget: float) -> float:
    """The lowest threshold at which at most the share ``budget`` of the films score at or above it.

    It lies halfway between the last film that is flagged and the next one, equal scores on the same side. Scores are
    below 1.
    """
    levels = np.unique(probabilities)[::-1]
    flagged = np.array([(probabilities >= level).sum() for level in levels])
    within = int((flagged <= math.floor(budget * len(probabilities) + 1e-9)).sum())
    if within == len(levels):
        return float(levels[-1])
    above = levels[within - 1] if within else 1.0
    middle = float(above + levels[within]) / 2
    return middle if middle > levels[within] else float(above)
