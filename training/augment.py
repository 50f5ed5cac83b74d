"""Random, plausible changes of a film for training. Pure: tensor and random generator in, tensor out."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.recipe import Augment

Film = NDArray[np.float32]


def augmented(film: Film, strength: Augment, rng: np.random.Generator) -> Film:
    """A changed copy of ``film``, (H, W, 1) float32 in 0..1, in the same form."""
    image = _moved(film[..., 0], strength, rng)
    image = _regraded(image, strength, rng)
    if strength.blur and rng.random() < 0.5:
        image = ndimage.gaussian_filter(image, strength.blur * rng.random())
    if strength.erase and rng.random() < 0.5:
        image = _erased(image, strength.erase, rng)
    if strength.noise:
        image = image + rng.normal(0.0, strength.noise * rng.random(), image.shape)
    return np.clip(image, 0.0, 1.0).astype(np.float32)[..., np.newaxis]


def _moved(image: NDArray[np.floating], strength: Augment, rng: np.random.Generator) -> NDArray[np.floating]:
    """Rotation, zoom (each axis a little apart), shift and flip as one affine map; the edge is carried on outwards."""
    angle = np.deg2rad(rng.uniform(-strength.rotate, strength.rotate))
    zoom = np.exp(rng.uniform(-strength.zoom, strength.zoom) + rng.uniform(-0.3, 0.3, 2) * strength.zoom)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * zoom[:, np.newaxis]
    if strength.flip and rng.random() < 0.5:
        matrix[:, 1] *= -1
    centre = (np.array(image.shape) - 1) / 2
    shift = rng.uniform(-strength.shift, strength.shift, 2) * image.shape
    return np.asarray(ndimage.affine_transform(image, matrix, centre - matrix @ (centre + shift), order=1, mode="nearest"))


def _regraded(image: NDArray[np.floating], strength: Augment, rng: np.random.Generator) -> NDArray[np.floating]:
    """Gamma, contrast and brightness: how another detector or another window would show the same chest."""
    gamma = np.exp(rng.uniform(-strength.gamma, strength.gamma))
    contrast = np.exp(rng.uniform(-strength.contrast, strength.contrast))
    brightness = rng.uniform(-strength.brightness, strength.brightness)
    return np.asarray((np.clip(image, 0.0, 1.0) ** gamma - 0.5) * contrast + 0.5 + brightness)


def _erased(image: NDArray[np.floating], side: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """One rectangle of up to ``side`` of each side replaced by the film's mean: no single place may decide."""
    height, width = (int(rng.uniform(0.2, 1.0) * side * extent) for extent in image.shape)
    top, left = rng.integers(0, image.shape[0] - height + 1), rng.integers(0, image.shape[1] - width + 1)
    image = image.copy()
    image[top : top + height, left : left + width] = image.mean()
    return image
