"""The second opinion: what a network says of train films it has not learned from, as evidence for their labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import material, weights
from training.course import Phase
from training.files import replacing
from training.manifest import DataSet, Film
from training.material import Material
from training.recipe import Opinion, Recipe
from training.run import Run
from training.tensors import tensors


def phases(data: DataSet, recipe: Recipe) -> list[Phase]:
    """One for each part of train: the other parts are learned, then that part is asked about; none if not wanted."""
    own = recipe.opinion
    if own is None:
        return []
    films = data.split("train")
    found = []
    for name, held_out in _parts(films, own.folds).items():
        learned = [film for film, out in zip(films, held_out, strict=True) if not out]
        asked = [film for film, out in zip(films, held_out, strict=True) if out]
        part = material.of_films(data, learned, recipe)
        steps = part.steps(recipe.schedule.batch)
        shown = tensors(data, asked, recipe.input.spec())
        found.append(Phase(name, part, own.epochs, own.learning_rate, steps, 0, own.augment, shown))
    return found


def keep(run: Run, phase: Phase, logits: NDArray[np.float64]) -> None:
    """Write down what was said at the end of a phase."""
    path = _file(run, phase.name)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as file:
        np.save(file, logits, allow_pickle=False)


def heed(run: Run, data: DataSet, own: Opinion, train: Material) -> float:
    """Label and weigh the train films anew, in place, by what was said of them; by how much labels moved on average."""
    films = data.split("train")
    said = np.zeros(len(films))
    for name, held_out in _parts(films, own.folds).items():
        said[held_out] = np.load(_file(run, name), allow_pickle=False)
    train.labels[:] = weights.labels(films, run.recipe.labels, said)
    train.weights[:] = weights.weights(films, run.recipe.labels, said)
    return float(np.abs(train.labels - weights.labels(films, run.recipe.labels)).mean())


def _parts(films: Sequence[Film], folds: int) -> dict[str, NDArray[np.bool_]]:
    """Which films are in each part, (n,), by the name of its phase. By patient: the order of their salted keys is chance."""
    place = {patient: number for number, patient in enumerate(sorted({film.patient for film in films}))}
    part = np.array([place[film.patient] % folds for film in films])
    return {f"opinion {number + 1}": part == number for number in range(folds)}


def _file(run: Run, phase: str) -> Path:
    return run.path / "opinions" / f"{phase.replace(' ', '-')}.npy"
