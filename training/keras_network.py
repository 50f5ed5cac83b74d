"""Keras side of a network: weights in and out by name, logits of many films, a committee from its members."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow
from numpy.typing import NDArray

from training import networks
from training.errors import TrainingError
from training.run import Run, Weights, load_weights

BATCH = 64
HEADS = ("head", "dense2")
"""The last layer of each builder of :mod:`training.networks`."""


def build(architecture: dict[str, Any], members: int | None = None) -> Any:
    """The network of an architecture; ``members`` overrides the size of the committee.

    Raises:
        TrainingError: unknown builder or argument.
    """
    arguments = dict(architecture["arguments"])
    if members is not None and "members" in arguments:
        arguments["members"] = members
    try:
        return networks.build(architecture["builder"], **arguments)
    except (KeyError, TypeError) as error:
        known = ", ".join(networks.BUILDERS)
        raise TrainingError(f"recipe: network {architecture['builder']!r} cannot be built ({error}); known: {known}") from None


def values(variables: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """Copies of Keras variables by path (``layer/variable``)."""
    return {variable.path: variable.numpy() for variable in variables}


def assign(variables: Sequence[Any], saved: Weights) -> None:
    """Set every variable by its path.

    Raises:
        TrainingError: names or shapes are not those of the variables.
    """
    if {variable.path for variable in variables} != set(saved):
        raise TrainingError("the weights are of another network: names differ; train again")
    for variable in variables:
        if tuple(variable.shape) != saved[variable.path].shape:
            shape = saved[variable.path].shape
            raise TrainingError(f"the weights are of another network: {variable.path} has the shape {shape}; train again")
        variable.assign(saved[variable.path])


def weights_of(network: Any) -> dict[str, NDArray[Any]]:
    """Every weight by its path, statistics of batch normalisation included, states of random generators not."""
    return values(network.weights)


def put_weights(network: Any, weights: Weights) -> None:
    """Set every weight by its path.

    Raises:
        TrainingError: names or shapes are not the network's.
    """
    assign(network.weights, weights)


def random_states(network: Any) -> dict[str, NDArray[Any]]:
    """State of each random generator (dropout), by its place: Keras numbers their names anew in each process."""
    return {str(place): variable.numpy() for place, variable in enumerate(_generators(network))}


def put_random_states(network: Any, states: Weights) -> None:
    """Set what :func:`random_states` said of an equal network."""
    for place, variable in enumerate(_generators(network)):
        variable.assign(states[str(place)])


def _generators(network: Any) -> list[Any]:
    return [variable for variable in network.non_trainable_variables if "seed_generator" in variable.path]


def is_head(path: str) -> bool:
    """Whether a weight belongs to the last layer, which a pretraining does not hand on."""
    return path.split("/")[0] in HEADS


def load(run: Run) -> Any:
    """The trained network of a run."""
    network = build(run.architecture)
    put_weights(network, load_weights(run.path / "weights.npz"))
    return network


def logits(network: Any, films: NDArray[np.float32]) -> NDArray[np.float64]:
    """The network's logits, (n,), from tensors (n, H, W, 1); positive speaks for *abnormal*."""
    answers = [network.predict_on_batch(films[start : start + BATCH])["logit"][:, 0] for start in range(0, len(films), BATCH)]
    return np.concatenate(answers).astype(np.float64)


def committee(members: Sequence[Weights]) -> dict[str, NDArray[Any]]:
    """Weights of the committee of networks that were trained apart: mean logit = one linear layer over all features."""
    if len(members) == 1:
        return dict(members[0])
    own, other = networks.MEMBER.format(0), networks.MEMBER.format
    joined = {
        name.replace(own, other(number), 1): value
        for number, member in enumerate(members)
        for name, value in member.items()
        if name.startswith(own)
    }
    joined["head/kernel"] = np.concatenate([member["head/kernel"] for member in members]) / np.float32(len(members))
    joined["head/bias"] = np.stack([member["head/bias"] for member in members]).mean(axis=0)
    return joined


def seed(number: int) -> None:
    """Seed every random generator that Keras and numpy use."""
    keras.utils.set_random_seed(number)


def be_deterministic() -> None:
    """From now on TensorFlow takes only operations that give the same bits each time on the same machine; before the first."""
    tensorflow.config.experimental.enable_op_determinism()
