"""A share of a count, never without its interval. Pure."""

import math
from dataclasses import dataclass

Z = 1.959963984540054
"""The normal distribution's quantile of an interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``n``, with Wilson's interval of 95 % (Wilson 1927); of nothing there is no share."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share itself."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """From where to where it may lie."""
        if self.n == 0:
            return None
        share, denominator = self.hits / self.n, 1 + Z**2 / self.n
        middle = (share + Z**2 / (2 * self.n)) / denominator
        half = Z * math.sqrt(share * (1 - share) / self.n + Z**2 / (4 * self.n**2)) / denominator
        return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
