"""Which films are shown: the most confident errors, and right and wrong answers side by side. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training.manifest import Film

WORST = 6
"""Most confident errors shown of each kind."""
EACH = 3
"""Films of each kind of answer in the map gallery."""
ERRORS = (("radiologist", "abnormal"), ("radiologist", "normal"), ("text", "abnormal"), ("text", "normal"))
"""Kinds of error by label source and label: abnormal films that scored low, normal films that scored high."""
ANSWERS = (("abnormal", True), ("normal", False), ("normal", True), ("abnormal", False))
"""Kinds of answer by label and flag: two right, two wrong."""


def worst(films: Sequence[Film], scores: NDArray[np.float64], threshold: float, who: str, label: str) -> list[int]:
    """Places of the films on the wrong side of the threshold, most confident first; each under its best label's source."""
    side = scores < threshold if label == "abnormal" else scores >= threshold
    wrong = [place for place, film in enumerate(films) if side[place] and film.label == label and film.label_source == who]
    return sorted(wrong, key=lambda place: float(scores[place]), reverse=label == "normal")[:WORST]


def answers(films: Sequence[Film], scores: NDArray[np.float64], threshold: float, label: str, flagged: bool) -> list[int]:
    """Places of films of a best label that were flagged or not, spread over their scores; radiologists' labels if there are."""
    for known in (True, False):
        found = [
            place
            for place, film in enumerate(films)
            if film.label == label and (scores[place] >= threshold) == flagged and (bool(film.radiologist_label) or not known)
        ]
        if len(found) >= EACH or not known:
            break
    found.sort(key=lambda place: float(scores[place]), reverse=flagged)
    return [found[place] for place in sorted(set(np.linspace(0, len(found) - 1, min(EACH, len(found))).astype(int)))]


def all_shown(films: Sequence[Film], scores: NDArray[np.float64], threshold: float) -> Iterator[Film]:
    """Every film of a split that the report shows."""
    for who, label in ERRORS:
        yield from (films[place] for place in worst(films, scores, threshold, who, label))
    for label, flagged in ANSWERS:
        yield from (films[place] for place in answers(films, scores, threshold, label, flagged))


def example(films: Sequence[Film], scores: NDArray[np.float64]) -> Film:
    """The film whose activation maps are shown: the abnormal one, by a radiologist if there is one, that scores highest."""
    ranks = [
        (film.label == "abnormal", bool(film.radiologist_label), float(score))
        for film, score in zip(films, scores, strict=True)
    ]
    return films[ranks.index(max(ranks))]
