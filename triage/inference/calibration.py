"""From a network's logit to a probability. Pure."""

import math
from dataclasses import dataclass
from typing import Any

METHODS = frozenset({"platt"})
"""``platt``: logistic of slope × logit + intercept (Platt 1999); a slope alone is temperature scaling (Guo et al. 2017)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A monotone map of logits to probabilities.

    Raises:
        ValueError: an unknown method, or parameters that would not keep the order of logits.
    """

    method: str
    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"unknown calibration method {self.method!r}; known: {sorted(METHODS)}")
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope > 0):
            raise ValueError("a calibration needs a positive slope and a finite intercept")

    def probability(self, logit: float) -> float:
        """The calibrated probability, within 0..1; not a number for a logit that is none."""
        value = self.slope * logit + self.intercept
        if value >= 0:
            return 1.0 / (1.0 + math.exp(-value))
        return math.exp(value) / (1.0 + math.exp(value))

    def logit(self, probability: float) -> float:
        """The logit that gives ``probability`` (strictly within 0..1)."""
        return (math.log(probability / (1.0 - probability)) - self.intercept) / self.slope

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibration":
        """The calibration in a ``calibration.json``; what describes its fit is left aside.

        Raises:
            ValueError: a key is missing or a value is refused.
        """
        try:
            return cls(method=values["method"], slope=float(values["slope"]), intercept=float(values["intercept"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"a calibration has method, slope and intercept ({error})") from None
