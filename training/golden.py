"""Golden films of a bundle: val films whose probability the service must find again at every load."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.manifest import Film

COUNT = 4


def choose(films: Sequence[Film], scores: NDArray[np.float64]) -> list[Film]:
    """Four films spread evenly over the ranks of their scores, so that all kinds of answers are proved."""
    order = np.argsort(scores, kind="stable")
    places = np.linspace(0, len(order) - 1, 2 * COUNT + 1)[1::2].round().astype(int)
    return [films[order[place]] for place in dict.fromkeys(places)]
