"""Train the paper's network epoch by epoch, at a constant learning rate, and keep its whole state after each one."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training import keras_network
from training.errors import TrainingError
from training.files import replacing
from training.interrupt import Stop
from training.recipe import Recipe

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Material:
    """Tensors (n, H, W, 1) float32 and labels (n,) float32, 1 for *abnormal*."""

    films: NDArray[np.float32]
    labels: NDArray[np.float32]
    val_films: NDArray[np.float32]
    val_labels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of the work: ``step`` after each batch, ``epoch`` of each row."""

    step: Callable[[], None]
    epoch: Callable[[Row], None]


def learn(
    recipe: Recipe,
    material: Material,
    epochs: int,
    snapshots: dict[int, Callable[[Any], Any]],
    state: Path,
    ears: Ears,
    stop: Stop,
) -> list[Row]:
    """One row an epoch: accuracy and loss of train (as Keras reports them: while learning, with dropout) and of val.

    ``snapshots``: what to ask of the network after which epoch; the answer stands in the row. The order of the films in
    an epoch depends on seed and epoch only, so that a short training is the beginning of a long one. ``state`` is
    replaced after each epoch; where it exists, the training goes on from there.

    Raises:
        Interrupted: someone asked ``stop``; the state of the last whole epoch is kept.
        TrainingError: the loss is no number.
    """
    seed = recipe.schedule.seeds[0]
    keras_network.seed(seed)
    network, trainee = _compiled(recipe)
    rows = _restore(trainee, state) if state.exists() else []
    listener = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: _stepped(ears, stop))
    with stop.stepping():
        for epoch in range(len(rows) + 1, epochs + 1):
            began = time.monotonic()
            order = np.random.default_rng((seed, epoch)).permutation(len(material.films))
            found = trainee.fit(
                material.films[order],
                material.labels[order, None],
                batch_size=recipe.schedule.batch,
                shuffle=False,
                verbose=0,
                callbacks=[listener],
                validation_data=(material.val_films, material.val_labels[:, None]),
                validation_batch_size=recipe.schedule.batch,
            ).history
            row: Row = {"epoch": epoch, **{name: float(values[-1]) for name, values in found.items()}}
            if not np.isfinite(row["loss"]):
                raise TrainingError(f"{state.parent.name}: the loss is no number in epoch {epoch}; lower the learning rate")
            if epoch in snapshots:
                row["test"] = snapshots[epoch](network)
            row["seconds"] = round(time.monotonic() - began, 2)
            rows.append(row)
            _keep(trainee, rows, state)
            ears.epoch(row)
    return rows


def kept(state: Path) -> list[Row]:
    """The rows of a state file; none where there is no such file."""
    if not state.exists():
        return []
    with np.load(state, allow_pickle=False) as archive:
        rows: list[Row] = json.loads(str(archive["rows"]))
    return rows


def seconds_a_film(recipe: Recipe, material: Material) -> float:
    """Measured on a few steps of a network that is thrown away."""
    _, trainee = _compiled(recipe)
    films, labels = material.films[: recipe.schedule.batch], material.labels[: recipe.schedule.batch, None]
    trainee.train_on_batch(films, labels)
    began = time.monotonic()
    for _ in range(3):
        trainee.train_on_batch(films, labels)
    return (time.monotonic() - began) / 3 / len(films)


def _compiled(recipe: Recipe) -> tuple[Any, Any]:
    size = {"height": recipe.input.height, "width": recipe.input.width}
    network = keras_network.build({"builder": recipe.network.builder, "arguments": {**recipe.network.arguments, **size}})
    trainee = keras.Model(network.input, network.output["logit"])
    trainee.compile(
        optimizer=keras.optimizers.Adam(recipe.schedule.learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[accuracy],
    )
    return network, trainee


def accuracy(labels: Any, logits: Any) -> Any:
    """Share of films on the right side: a positive logit says *abnormal*."""
    return keras.ops.equal(labels > 0.5, logits > 0)


def _stepped(ears: Ears, stop: Stop) -> None:
    ears.step()
    stop.check()


def _variables(trainee: Any) -> list[Any]:
    """All that a later step depends on: weights, the state of dropout's generator, and Adam's moments."""
    trainee.optimizer.build(trainee.trainable_variables)
    return [*trainee.variables, *trainee.optimizer.variables]


def _keep(trainee: Any, rows: list[Row], state: Path) -> None:
    values: dict[str, Any] = {f"{number:03d}": np.asarray(variable) for number, variable in enumerate(_variables(trainee))}
    with replacing(state) as file:
        np.savez(file, allow_pickle=False, rows=np.array(json.dumps(rows)), **values)


def _restore(trainee: Any, state: Path) -> list[Row]:
    with np.load(state, allow_pickle=False) as archive:
        for number, variable in enumerate(_variables(trainee)):
            variable.assign(archive[f"{number:03d}"])
    return kept(state)
