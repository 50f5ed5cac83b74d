"""Keras network → LiteRT network of the same numbers: built-in operators only, one signature, batch of one."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training import keras_network, progress
from training.errors import TrainingError
from triage.inference.classifier import LiteRtClassifier

TOLERANCE = 1e-5
"""Largest difference of a probability between the trained and the bundled network."""


def to_litert(network: Any) -> bytes:
    """The bytes of ``network.tflite``: input ``film`` (1, H, W, 1) float32; outputs ``logit``, ``features``, ``maps``.

    Keras's converter takes built-in operators only unless told otherwise; the service checks it again.
    """
    signature = [keras.InputSpec(shape=(1, *network.input.shape[1:]), dtype="float32", name="film")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        network.export(path, format="litert", input_signature=signature, verbose=False)
        return path.read_bytes()


def largest_difference(network: Any, classifier: LiteRtClassifier, films: NDArray[np.float32]) -> float:
    """Largest difference of the calibrated probability between Keras and LiteRT over films (n, H, W, 1).

    Raises:
        TrainingError: it is above :data:`TOLERANCE`.
    """
    calibration = classifier.calibration
    trained = [calibration.probability(float(logit)) for logit in keras_network.logits(network, films)]
    served = [classifier.probability(film) for film in progress.track(list(films), "comparing")]
    difference = float(np.abs(np.array(trained) - np.array(served)).max())
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"network.tflite and the trained network differ by {difference:.1e} (allowed: {TOLERANCE:.0e}); not bundled"
        )
    return difference
