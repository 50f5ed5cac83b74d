"""What one training sees, and in which batches it sees it."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training import weights
from training.augment import augmented, mixed
from training.errors import TrainingError
from training.manifest import DataSet, Film
from training.recipe import Labels, Recipe
from training.tensors import tensors

T = TypeVar("T")
Floats = NDArray[np.float32]
Batch = tuple[Floats, Floats, Floats]
"""Films (n, H, W, 1), labels (n,) and weights (n,)."""

AHEAD = 2
"""Batches that are made while the network is busy with one."""

BY_CLASS = Labels(prefer_radiologist=False, text=1.0, balance=0.0)


@dataclass(frozen=True, slots=True)
class Material:
    """Tensors (n, H, W, 1) with labels and weights (n,)."""

    films: Floats
    labels: Floats
    weights: Floats

    def steps(self, batch: int) -> int:
        """Batches in an epoch."""
        return -(-len(self.films) // batch)

    def epoch(self, recipe: Recipe, rng: np.random.Generator) -> Iterator[Batch]:
        """Each film once, shuffled and augmented as the recipe says; drawn from ``rng`` in this order and no other."""
        order = rng.permutation(len(self.films))
        for chosen in np.array_split(order, self.steps(recipe.schedule.batch)):
            films = augmented(self.films[chosen], recipe.augment, rng)
            labels, weights_ = self.labels[chosen], self.weights[chosen]
            if recipe.schedule.mixup:
                films, labels, weights_ = mixed(films, labels, weights_, recipe.schedule.mixup, rng)
            yield films, labels, weights_


@dataclass(frozen=True, slots=True)
class Val:
    """Tensors of the val films with the best labels there are."""

    films: Floats
    abnormal: NDArray[np.bool_]


def of_train(data: DataSet, recipe: Recipe) -> Material:
    """The train films, labelled and weighed as the recipe says."""
    return of_films(data, data.split("train"), recipe)


def of_films(data: DataSet, films: Sequence[Film], recipe: Recipe) -> Material:
    """Some of the train films; nothing is known of the others."""
    return Material(
        tensors(data, films, recipe.input.spec()), weights.labels(films, recipe.labels), weights.weights(films, recipe.labels)
    )


def of_val(data: DataSet, recipe: Recipe) -> Val:
    """The val films.

    Raises:
        TrainingError: all of one class, so that no AUC can be had.
    """
    films = data.split("val")
    abnormal = np.array([film.label == "abnormal" for film in films])
    if len(set(abnormal)) < 2:
        raise TrainingError(f"{data.path}: val needs normal and abnormal films, else no epoch can be chosen; import more films")
    return Val(tensors(data, films, recipe.input.spec()), abnormal)


def of_pretraining(data: DataSet, recipe: Recipe) -> Material:
    """All films but those of test and extra, by their text labels, both classes of equal weight."""
    films = [*data.split("train"), *data.split("val")]
    labels = weights.labels(films, BY_CLASS)
    share = np.where(labels > 0.5, labels.mean(), 1 - labels.mean())
    return Material(tensors(data, films, recipe.input.spec()), labels, (0.5 / share).astype(np.float32))


def check_pretraining(recipe: Recipe, data: DataSet, pretraining: DataSet | None) -> None:
    """The recipe and the data agree on a pretraining, and its films are none on which the network will be judged.

    Raises:
        TrainingError: they do not, or a film or a patient of it is in val or test.
    """
    if recipe.pretrain and pretraining is None:
        raise TrainingError(f"recipe {recipe.name} has a [pretrain] table; name the data set for it with --pretrain-data")
    if pretraining is None:
        return
    if recipe.pretrain is None:
        raise TrainingError(f"recipe {recipe.name} has no [pretrain] table; add one, or leave out --pretrain-data")
    judged = [*data.split("val"), *data.split("test")]
    patients, digests = {film.patient for film in judged}, {film.digest for film in judged}
    for film in [*pretraining.split("train"), *pretraining.split("val")]:
        if film.patient in patients or film.digest in digests:
            raise TrainingError(
                f"{pretraining.path}: film {film.source_name} is of a patient in val or test of {data.path}; "
                "pretrain on other patients"
            )


def check_pictures(judged: NDArray[np.float32], shown: NDArray[np.float32], where: Path) -> None:
    """No film of a pretraining is one on which the network will be judged, whatever patient it is said to be of.

    ``judged`` (n, H, W, 1) and ``shown`` (m, H, W, 1): the tensors of both.

    Raises:
        TrainingError: the same picture is in both.
    """
    known = {sha256(film.tobytes()).digest() for film in judged}
    found = sum(sha256(film.tobytes()).digest() in known for film in shown)
    if found:
        raise TrainingError(f"{where}: {found} films are films of val or test under another name; pretrain on other films")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """``items`` in their order, the next ones made by a thread while the caller is busy with one."""
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(next, items, None) for _ in range(AHEAD))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(thread.submit(next, items, None))
            yield item
