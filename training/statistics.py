"""Figures with their intervals. Pure; positive means *abnormal*; every interval is 95 %."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

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


def auc(positive: Sequence[bool] | NDArray[np.bool_], scores: NDArray[np.float64]) -> Figure:
    """Area under the ROC curve with DeLong's interval on the logit scale (DeLong 1988; Sun and Xu 2014 for mid-ranks)."""
    positive = np.asarray(positive, dtype=bool)
    ill, well = scores[positive], scores[~positive]
    m, n = len(ill), len(well)
    if m < 2 or n < 2:
        return Figure(None, None, None, m + n)
    ranks = rankdata(np.concatenate([ill, well]))
    area = (ranks[:m].sum() - m * (m + 1) / 2) / (m * n)
    # the placement of each film among those of the other class
    of_ill = (ranks[:m] - rankdata(ill)) / n
    of_well = 1 - (ranks[m:] - rankdata(well)) / m
    error = math.sqrt(of_ill.var(ddof=1) / m + of_well.var(ddof=1) / n)
    if not 0 < area < 1:
        return Figure(float(area), float(area), float(area), m + n)
    middle, spread = math.log(area / (1 - area)), Z * error / (area * (1 - area))
    low, high = (1 / (1 + math.exp(-(middle + side * spread))) for side in (-1, 1))
    return Figure(float(area), low, high, m + n)


def proportion(hits: int, n: int) -> Figure:
    """A proportion with Wilson's interval (Wilson 1927)."""
    if n == 0:
        return Figure(None, None, None, 0)
    share, denominator = hits / n, 1 + Z**2 / n
    middle = (share + Z**2 / (2 * n)) / denominator
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / denominator
    return Figure(share, max(0.0, middle - half), min(1.0, middle + half), n)


def calibration_error(positive: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Expected calibration error over equally filled bins: mean distance between what was said and what was."""
    groups = np.array_split(np.argsort(probabilities, kind="stable"), min(BINS, len(probabilities)))
    gaps = [abs(probabilities[group].mean() - positive[group].mean()) * len(group) for group in groups]
    return float(sum(gaps) / len(probabilities))


def brier(positive: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Mean squared error of the probabilities (Brier 1950)."""
    return float(np.mean((probabilities - positive) ** 2))


def threshold_for_sensitivity(positive: NDArray[np.bool_], probabilities: NDArray[np.float64], aim: float) -> float:
    """The highest threshold at which at least the share ``aim`` of the positive films score at or above it.

    It lies halfway to the next lower score, so that no film of the fit stands on the edge.
    """
    ill = np.sort(probabilities[positive])[::-1]
    last = float(ill[math.ceil(aim * len(ill)) - 1])
    below = probabilities[probabilities < last]
    return (last + float(below.max())) / 2 if len(below) else last
