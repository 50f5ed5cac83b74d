"""Two networks on the same films: differences, first minus second, with their 95 % intervals and p values. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binomtest, norm, rankdata

from training import resample
from training.statistics import Figure, Mask, Values, Z, auc, placements, proportion


@dataclass(frozen=True, slots=True)
class Difference(Figure):
    """``value`` is first − second; ``p``: two-sided, of no difference."""

    p: float | None

    def __str__(self) -> str:
        if self.value is None or self.low is None or self.high is None or self.p is None:
            return f"– (n={self.n})"
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f}, p={self.p:.3f}, n={self.n})"


def auc_difference(positive: Mask, first: Values, second: Values, patients: Sequence[str] = ()) -> Difference:
    """Difference of two AUCs over the same films (DeLong, DeLong and Clarke-Pearson 1988).

    Where a patient has several films, interval and p are the paired bootstrap's by patient.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        return Difference(None, None, None, m + n, None)
    (one, *ones), (two, *twos) = placements(positive, first), placements(positive, second)
    spread = [a - b for a, b in zip(ones, twos, strict=True)]
    error = math.sqrt(spread[0].var(ddof=1) / m + spread[1].var(ddof=1) / n)
    difference = one - two
    if resample.several(patients):
        drawn = resample.weights(patients, np.random.default_rng(resample.SEED))
        again = resample.areas(positive, first, drawn) - resample.areas(positive, second, drawn)
        low, high = np.nanpercentile(again, (2.5, 97.5))
        tail = min(float(np.nanmean(again <= 0)), float(np.nanmean(again >= 0)))
        return Difference(difference, float(low), float(high), m + n, min(1.0, 2 * tail))
    if error == 0 and not np.array_equal(rankdata(first), rankdata(second)):
        # DeLong sees no spread where few films are told apart without fault: their number still limits what is known
        return replace(independent_difference(auc(positive, first), auc(positive, second)), n=m + n)
    p = 2 * float(norm.sf(abs(difference) / error)) if error > 0 else float(difference == 0)
    return Difference(difference, max(-1.0, difference - Z * error), min(1.0, difference + Z * error), m + n, p)


def share_difference(first: Mask, second: Mask) -> Difference:
    """Difference of two shares of the same films: Newcombe's paired interval (Newcombe 1998, Statistics in Medicine 17,
    2635–2650, method 10), p of McNemar's exact test."""
    n = len(first)
    if n == 0:
        return Difference(None, None, None, 0, None)
    both, only_first, only_second, none = (
        int(cell.sum()) for cell in (first & second, first & ~second, ~first & second, ~first & ~second)
    )
    phi = _phi(both, only_first, only_second, none)
    difference, low, high = _square_and_add(proportion(both + only_first, n), proportion(both + only_second, n), phi)
    discordant = only_first + only_second
    p = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return Difference(difference, max(-1.0, low), min(1.0, high), n, p)


def independent_difference(first: Figure, second: Figure) -> Difference:
    """Difference of two figures of different films, from their intervals (Newcombe 1998, Stat. Med. 17, 873–890)."""
    n = first.n + second.n
    if first.value is None or second.value is None:
        return Difference(None, None, None, n, None)
    value, low, high = _square_and_add(first, second, 0.0)
    error = (high - low) / (2 * Z)
    p = 2 * float(norm.sf(abs(value) / error)) if error > 0 else float(value == 0)
    return Difference(value, low, high, n, p)


def _square_and_add(one: Figure, two: Figure, phi: float) -> tuple[float, float, float]:
    """one − two with its limits, from the limits of both and their correlation."""
    down, up = _arms(one)
    down_other, up_other = _arms(two)
    difference = (one.value or 0.0) - (two.value or 0.0)
    low = difference - math.sqrt(max(0.0, down**2 - 2 * phi * down * up_other + up_other**2))
    high = difference + math.sqrt(max(0.0, up**2 - 2 * phi * up * down_other + down_other**2))
    return difference, low, high


def _arms(figure: Figure) -> tuple[float, float]:
    """From the value down to the lower limit, and up to the upper one."""
    if figure.value is None or figure.low is None or figure.high is None:
        return 0.0, 0.0
    return figure.value - figure.low, figure.high - figure.value


def _phi(both: int, only_first: int, only_second: int, none: int) -> float:
    """Correlation of the pairs, with Newcombe's continuity correction where it is positive."""
    margins = (both + only_first) * (only_second + none) * (both + only_second) * (only_first + none)
    if margins == 0:
        return 0.0
    product, n = both * none - only_first * only_second, both + only_first + only_second + none
    return (max(product - n / 2, 0.0) if product > 0 else float(product)) / math.sqrt(margins)
