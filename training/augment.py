"""Random, plausible changes of films for training. Pure: tensors and random generator in, tensors out."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.recipe import Augment

Films = NDArray[np.float32]


def augmented(films: Films, strength: Augment, rng: np.random.Generator) -> Films:
    """Changed copies of ``films``, (n, H, W, 1) float32 in 0..1, in the same form; each film is changed by itself."""
    images = _regraded(_moved(films[..., 0], strength, rng), strength, rng)
    if strength.blur:
        images = _blurred(images, strength.blur, rng)
    if strength.erase:
        images = _erased(images, strength.erase, rng)
    if strength.noise:
        deviations = _each(strength.noise * rng.random(len(images)))
        images = images + deviations * rng.standard_normal(images.shape, dtype=np.float32)
    changed: Films = np.clip(images, 0.0, 1.0)[..., np.newaxis]
    return changed


def mixed(
    films: Films, labels: NDArray[np.float32], weights: NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[Films, NDArray[np.float32], NDArray[np.float32]]:
    """Each film of the batch blended with another of it, label and weight alike (mixup; Zhang et al. 2018).

    ``films``: (n, H, W, 1); ``labels``, ``weights``: (n,); the share of the other film is drawn from Beta(alpha, alpha).
    """
    shares = rng.beta(alpha, alpha, len(films)).astype(np.float32)
    others = rng.permutation(len(films))

    def blend(values: NDArray[np.float32]) -> NDArray[np.float32]:
        share = shares.reshape(-1, *(1,) * (values.ndim - 1))
        return (1 - share) * values + share * values[others]

    return blend(films), blend(labels), blend(weights)


def _each(values: NDArray[np.float64]) -> Films:
    """One value a film, to be combined with (n, H, W); float32, or the whole batch would become float64."""
    return values.astype(np.float32)[:, np.newaxis, np.newaxis]


def _moved(images: Films, strength: Augment, rng: np.random.Generator) -> Films:
    """Rotation, zoom (each axis a little apart), shift and flip as one affine map; the edge is carried on outwards."""
    count, *sides = images.shape
    angles = np.deg2rad(rng.uniform(-strength.rotate, strength.rotate, count))
    common, apart = rng.uniform(-strength.zoom, strength.zoom, (count, 1)), rng.uniform(-0.3, 0.3, (count, 2)) * strength.zoom
    shifts = rng.uniform(-strength.shift, strength.shift, (count, 2)) * sides
    flips = rng.random(count) < 0.5 if strength.flip else np.zeros(count, dtype=bool)
    matrices = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    matrices = matrices * np.exp(common + apart)[:, :, np.newaxis]
    matrices[flips, :, 1] *= -1
    centre = (np.array(sides) - 1) / 2
    moved = np.empty_like(images)
    for image, matrix, shift, place in zip(images, matrices, shifts, moved, strict=True):
        ndimage.affine_transform(image, matrix, centre - matrix @ (centre + shift), output=place, order=1, mode="nearest")
    return moved


def _regraded(images: Films, strength: Augment, rng: np.random.Generator) -> Films:
    """Gamma, contrast and brightness: how another detector or another window would show the same chest."""
    count = len(images)
    gamma = _each(np.exp(rng.uniform(-strength.gamma, strength.gamma, count)))
    contrast = _each(np.exp(rng.uniform(-strength.contrast, strength.contrast, count)))
    brightness = _each(rng.uniform(-strength.brightness, strength.brightness, count))
    graded: Films = (np.clip(images, 0.0, 1.0) ** gamma - np.float32(0.5)) * contrast + (brightness + np.float32(0.5))
    return graded


def _blurred(images: Films, deviation: float, rng: np.random.Generator) -> Films:
    """Half of the films, by up to ``deviation`` pixels."""
    chosen, deviations = rng.random(len(images)) < 0.5, deviation * rng.random(len(images))
    blurred = images.copy()
    for number in np.flatnonzero(chosen):
        ndimage.gaussian_filter(images[number], deviations[number], output=blurred[number])
    return blurred


def _erased(images: Films, side: float, rng: np.random.Generator) -> Films:
    """In half of the films a rectangle of up to ``side`` of each side becomes the film's mean: no single place may decide."""
    count, rows, columns = images.shape
    erased = images.copy()
    for number in np.flatnonzero(rng.random(count) < 0.5):
        height, width = (int(rng.uniform(0.2, 1.0) * side * extent) for extent in (rows, columns))
        top, left = rng.integers(0, rows - height + 1), rng.integers(0, columns - width + 1)
        erased[number, top : top + height, left : left + width] = images[number].mean()
    return erased
