"""How much a network's score depends on each part of a film: cover it, and see what becomes of the score. Pure.

After Zeiler and Fergus 2014, Visualizing and understanding convolutional networks: it asks nothing of the network but its
probability, so it fits every bundle, and costs one run for each square.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SQUARES = 8
"""Squares a side. The network sees little more in a film of 96 × 96; more of them would look sharper than they are."""
_CERTAIN = 1e-6
"""A probability nearer to 0 or 1 counts as this far away: beyond it the odds say nothing any more."""


class Scorer(Protocol):
    """The part of :class:`triage.services.ports.Classifier` that is needed."""

    def probability(self, tensor: NDArray[np.float32]) -> float:
        """The calibrated probability of *abnormal* for one tensor of shape (H, W, 1)."""


def log_odds(probability: float) -> float:
    """log(p / (1 - p)), bounded."""
    held = min(max(probability, _CERTAIN), 1 - _CERTAIN)
    return math.log(held / (1 - held))


def occlusion(classifier: Scorer, tensor: NDArray[np.float32], squares: int = SQUARES) -> NDArray[np.float64]:
    """By how much the log odds fall when a square of the tensor (H, W, 1) is covered, (squares, squares), rows downwards.

    Positive: what lies there raised the score. A covered square has the film's mean grey, so that it is neither air nor
    bone. The squares tile the tensor: square (r, c) is its share r/squares … (r+1)/squares of the height, as of the width
    c/squares … (c+1)/squares. As :func:`triage.imaging.preprocess.preprocess` stretches the whole film and cuts nothing off,
    they are the same shares of the film and of its preview.

    Raises:
        InferenceError: the network gave no finite number.
    """
    height, width = tensor.shape[:2]
    rows, columns = (np.arange(squares + 1) * side // squares for side in (height, width))
    grey = tensor.mean(dtype=np.float64)
    seen = log_odds(classifier.probability(tensor))
    fall = np.empty((squares, squares))
    for row in range(squares):
        for column in range(squares):
            covered = tensor.copy()
            covered[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = grey
            fall[row, column] = seen - log_odds(classifier.probability(covered))
    return fall
