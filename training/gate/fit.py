"""Fit a gate: a small network on thumbnails of train films and of pictures made of them. The only user of Keras here."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from training import progress
from triage.inference.gate import KERNEL, LEARNED, Array, Gate

SIDE = 32
CHANNELS = (16, 32, 64)
HIDDEN = 32
EPOCHS, BATCH, LEARNING_RATE = 15, 64, 2e-3

Weights = dict[str, Array]
"""By the names of ``eligibility.npz``."""


def fit(thumbnails: Array, labels: NDArray[np.intp], seed: int) -> Weights:
    """The weights that tell ``labels`` (n,), places in :data:`LEARNED`, from ``thumbnails`` (n, SIDE, SIDE) in 0..1."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    network = _network()
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * -(-len(labels) // BATCH))
    network.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    counts = np.bincount(labels, minlength=len(LEARNED))
    weights = (len(labels) / len(LEARNED) / np.maximum(counts, 1))[labels]
    for _ in progress.track(range(EPOCHS), "fitting the gate"):
        order = rng.permutation(len(labels))
        shown = _changed(thumbnails[order], rng)[..., np.newaxis]
        network.fit(shown, labels[order], sample_weight=weights[order], batch_size=BATCH, epochs=1, verbose=0, shuffle=False)
    return _weights_of(network)


def gate_of(weights: Weights, chest_at_least: float, certain_at_least: float) -> Gate:
    """The gate with these weights and cut-offs."""
    pairs = [(weights[f"{name}/kernel"], weights[f"{name}/bias"]) for name in _names()]
    return Gate(
        side=SIDE,
        words=LEARNED,
        chest_at_least=chest_at_least,
        certain_at_least=certain_at_least,
        convolutions=tuple(pairs[:-2]),
        dense=tuple(pairs[-2:]),
    )


def _names() -> Sequence[str]:
    return (*(f"convolution{number}" for number in range(1, len(CHANNELS) + 1)), "dense1", "dense2")


def _network() -> Any:
    """As :data:`triage.inference.gate.METHODS` describes it."""
    thumbnail = keras.Input((SIDE, SIDE, 1))
    x = layers.Rescaling(4.0, -2.0)(thumbnail)
    for number, channels in enumerate(CHANNELS, start=1):
        x = layers.Conv2D(channels, KERNEL, strides=2, padding="same", activation="relu", name=f"convolution{number}")(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    x = layers.Dense(HIDDEN, activation="relu", name="dense1")(x)
    return keras.Model(thumbnail, layers.Dense(len(LEARNED), name="dense2")(layers.Dropout(0.2)(x)))


def _weights_of(network: Any) -> Weights:
    found: Weights = {}
    for name in _names():
        kernel, bias = network.get_layer(name).get_weights()
        found |= {f"{name}/kernel": kernel.astype(np.float32), f"{name}/bias": bias.astype(np.float32)}
    return found


def _changed(thumbnails: Array, rng: np.random.Generator) -> Array:
    """Other gamma, a little noise, moved by up to a pixel: anew in each epoch."""
    count = len(thumbnails)
    gamma = np.exp(rng.normal(0, 0.2, (count, 1, 1)))
    noise = rng.normal(0, 0.02, thumbnails.shape) * rng.random((count, 1, 1))
    moved = np.pad(np.clip(thumbnails**gamma + noise, 0, 1).astype(np.float32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = rng.integers(0, 3, (2, count))
    return np.stack([one[y : y + SIDE, x : x + SIDE] for one, y, x in zip(moved, rows, columns, strict=True)])
