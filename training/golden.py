"""Golden films of a bundle: val films whose probability the service must find again at every load.

Some carry their truth too: once the bundle is packaged, every other bundle must tell those apart before it may serve.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.manifest import Film

COUNT = 8
"""A film of 512 × 512 pixels takes 262 kB of the bundle, and 20 ms of every load."""


def choose(films: Sequence[Film], scores: NDArray[np.float64]) -> list[tuple[Film, str]]:
    """Eight films, lowest score first, so that all kinds of answers are proved; each with its label, or ``""``.

    Half are normal and from the lower half of the scores, half abnormal and from the upper half, each spread evenly over
    its ranks: radiologist, report and network agree on them. What is missing is filled up with other films, spread evenly
    too and without a label: where the three disagree, the label cannot be held against another network.
    """
    order = [int(place) for place in np.argsort(scores, kind="stable")]
    lower, upper = order[: len(order) // 2], order[len(order) // 2 :]
    labelled = {
        place: label
        for label, half in (("normal", lower), ("abnormal", upper))
        for place in _spread([place for place in half if _is_clear(films[place], label)], COUNT // 2)
    }
    others = _spread([place for place in order if place not in labelled], COUNT - len(labelled))
    return [(films[place], labelled.get(place, "")) for place in order if place in labelled or place in others]


def _is_clear(film: Film, label: str) -> bool:
    return film.radiologist_label == film.text_label == label


def _spread(places: list[int], count: int) -> list[int]:
    """At most ``count`` of them, from the middles of equal parts."""
    if len(places) <= count:
        return places
    return [places[(2 * part + 1) * len(places) // (2 * count)] for part in range(count)]
