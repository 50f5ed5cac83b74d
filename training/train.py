"""Train: a data set and a recipe → a run directory with the network's weights."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training import keras_network, progress, weights
from training.augment import augmented
from training.errors import TrainingError
from training.manifest import DataSet, patients_digest
from training.recipe import Schedule
from training.run import Run, load_weights, save_weights
from training.tensors import tensors

LIBRARIES = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scipy", "scikit-learn", "ai-edge-litert")


@dataclass(frozen=True, slots=True)
class Material:
    """What one training sees: tensors with labels and weights, and val tensors with the best labels there are."""

    films: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    val_films: NDArray[np.float32]
    val_labels: NDArray[np.bool_]


def train(run: Run, data: DataSet, report: Callable[[dict[str, Any]], None], commit: str) -> None:
    """Train one network a seed on ``split=train``, keep each one's best epoch on ``val``, join them into one.

    ``report`` hears of every epoch. Only train and val films are read.

    Raises:
        TrainingError: the recipe cannot be built, a film is unusable, or the loss is no number.
    """
    began = time.monotonic()
    material = _material(run, data)
    for seed in run.recipe.schedule.seeds:
        _train_member(run, seed, material, report)
    members = [load_weights(run.path / "members" / f"{seed}.npz") for seed in run.recipe.schedule.seeds]
    save_weights(run.path / "weights.npz", keras_network.committee(members))
    run.write_json("run.json", _pedigree(run, data, commit, time.monotonic() - began))


def _material(run: Run, data: DataSet) -> Material:
    spec, recipe = run.recipe.input.spec(), run.recipe.labels
    films, val = data.split("train"), data.split("val")
    return Material(
        films=tensors(data, films, spec),
        labels=weights.labels(films, recipe),
        weights=weights.weights(films, recipe),
        val_films=tensors(data, val, spec),
        val_labels=np.array([film.label == "abnormal" for film in val]),
    )


def _train_member(run: Run, seed: int, material: Material, report: Callable[[dict[str, Any]], None]) -> None:
    keras_network.seed(seed)
    rng = np.random.default_rng(seed)
    schedule = run.recipe.schedule
    network = keras_network.build(run.architecture, members=1)
    trainee = keras.Model(network.input, network.output["logit"])
    steps = -(-len(material.films) // schedule.batch)
    trainee.compile(
        optimizer=_optimizer(schedule, steps),
        loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=schedule.label_smoothing),
    )
    best, best_epoch = -np.inf, 0
    average: list[NDArray[Any]] | None = None
    with progress.bar() as bar:
        task = bar.add_task(f"seed {seed}", total=schedule.epochs * steps)
        for epoch in range(1, schedule.epochs + 1):
            began, losses = time.monotonic(), []
            order = rng.permutation(len(material.films))
            for batch in np.array_split(order, steps):
                films = np.stack([augmented(material.films[index], run.recipe.augment, rng) for index in batch])
                loss = trainee.train_on_batch(films, material.labels[batch, None], material.weights[batch])
                if not np.isfinite(loss):
                    raise TrainingError(f"{run.path.name}: the loss is no number in epoch {epoch}; lower the learning rate")
                losses.append(float(loss))
                average = _averaged(average, network.get_weights(), schedule.ema)
                bar.advance(task)
            auc = _val_auc(network, average, material)
            if auc > best:
                best, best_epoch = auc, epoch
                save_weights(run.path / "members" / f"{seed}.npz", _with(network, average, keras_network.weights_of))
            line = {"seed": seed, "epoch": epoch, "loss": losses[-1], "val_auc": auc, "seconds": time.monotonic() - began}
            with (run.path / "history.jsonl").open("a", encoding="utf-8") as history:
                history.write(json.dumps(line) + "\n")
            report(line)
            if schedule.patience and epoch - best_epoch >= schedule.patience:
                break


def _optimizer(schedule: Schedule, steps: int) -> Any:
    rate: Any = schedule.learning_rate
    if schedule.cosine:
        total, warmup = schedule.epochs * steps, min(steps, schedule.epochs * steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            schedule.learning_rate / 20, total - warmup, alpha=0.01, warmup_target=schedule.learning_rate, warmup_steps=warmup
        )
    if schedule.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    return keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay)


def _averaged(average: list[NDArray[Any]] | None, now: list[NDArray[Any]], decay: float) -> list[NDArray[Any]]:
    """Exponential moving average of all weights, batch statistics included."""
    if average is None or decay == 0:
        return now
    return [decay * old + (1 - decay) * new if new.dtype.kind == "f" else new for old, new in zip(average, now, strict=True)]


def _with(network: Any, average: list[NDArray[Any]] | None, act: Callable[[Any], Any]) -> Any:
    """What ``act`` says of the network while it carries the averaged weights."""
    if average is None:
        return act(network)
    live = network.get_weights()
    network.set_weights(average)
    try:
        return act(network)
    finally:
        network.set_weights(live)


def _val_auc(network: Any, average: list[NDArray[Any]] | None, material: Material) -> float:
    scores = _with(network, average, lambda carried: keras_network.logits(carried, material.val_films))
    return float(roc_auc_score(material.val_labels, scores))


def _pedigree(run: Run, data: DataSet, commit: str, seconds: float) -> dict[str, Any]:
    return {
        "recipe": run.recipe.model_dump(mode="json"),
        "commit": commit,
        "libraries": libraries(),
        "data": str(data.source["name"]),
        "manifest_digest": data.digest(),
        "patients": {split: patients_digest(data.split(split)) for split in ("train", "val", "test")},
        "seconds": round(seconds, 1),
    }


def libraries() -> dict[str, str]:
    """Versions of what decides the numbers, as far as installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except ImportError:
            continue
    return found
