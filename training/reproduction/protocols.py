"""Two ways to share the films out: the paper's, at random by film, and the manifest's, by patient. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.errors import TrainingError
from training.manifest import LABELS, Film

CLASSES = {"normal": 942, "abnormal": 1000}
"""The paper's films for training and validation, by label."""
TRAIN, VAL, TEST = 1642, 300, {"normal": 100, "abnormal": 100}
"""The paper's splits; how its classes lie in train and val is not known."""
FURTHER = "more"
"""Pool of the films that came in a smaller size, for training only: no part of a reproduction."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which film is in which split."""

    name: str
    train: tuple[Film, ...]
    val: tuple[Film, ...]
    test: tuple[Film, ...]

    @property
    def splits(self) -> dict[str, tuple[Film, ...]]:
        """By name, in order."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def leaked(self) -> list[bool]:
        """For each test film: is its patient in train, too?"""
        known = {film.patient for film in self.train}
        return [film.patient in known for film in self.test]


def by_film(films: Sequence[Film], rng: np.random.Generator) -> Protocol:
    """The literal protocol: films drawn at random, whoever their patient is, up to the paper's numbers.

    Test takes 100 films a class (a quarter of the class where it is small); of the rest, up to 942 normal and 1,000
    abnormal ones, the paper's share is val.

    Raises:
        TrainingError: a label has fewer than four films.
    """
    drawn = {label: _shuffled([film for film in _usable(films) if film.text_label == label], rng) for label in LABELS}
    few = [label for label, own in drawn.items() if len(own) < 4]
    if few:
        raise TrainingError(f"manifest: fewer than 4 {few[0]} films of full size; a reproduction needs more: import them")
    test, rest = [], []
    for label, own in drawn.items():
        cut = min(TEST[label], len(own) // 4)
        test += own[:cut]
        rest += own[cut : cut + CLASSES[label]]
    rest = _shuffled(rest, rng)
    cut = round(len(rest) * VAL / (TRAIN + VAL))
    return Protocol("by film", tuple(rest[cut:]), tuple(rest[:cut]), tuple(test))


def by_patient(films: Sequence[Film], rng: np.random.Generator) -> Protocol:
    """The manifest's splits, no patient in two of them, up to the paper's numbers.

    Raises:
        TrainingError: a split has no film of full size.
    """
    whole = sum(CLASSES.values())
    limits = {
        "train": {label: round(TRAIN * n / whole) for label, n in CLASSES.items()},
        "val": {label: round(VAL * n / whole) for label, n in CLASSES.items()},
        "test": TEST,
    }
    chosen: dict[str, tuple[Film, ...]] = {}
    for split, limit in limits.items():
        own = _shuffled([film for film in _usable(films) if film.split == split], rng)
        chosen[split] = tuple(film for label in LABELS for film in [f for f in own if f.text_label == label][: limit[label]])
        if not chosen[split]:
            raise TrainingError(f"manifest: no film of full size in split {split}; a reproduction needs some: import them")
    return Protocol("by patient", **chosen)


PROTOCOLS: tuple[Callable[[Sequence[Film], np.random.Generator], Protocol], ...] = (by_film, by_patient)


def _usable(films: Sequence[Film]) -> list[Film]:
    return [film for film in films if film.split != "extra" and film.pool != FURTHER]


def _shuffled(films: Sequence[Film], rng: np.random.Generator) -> list[Film]:
    return [films[index] for index in rng.permutation(len(films))]
