"""Area-average resampling: each output pixel is the mean of exactly the source area that it covers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def resample(image: NDArray[Any], height: int, width: int, tones: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """``image`` (rows, columns) as (height, width), float64.

    Shares of source pixels at the edge of an area are exact, so the mean of the whole film is kept; enlarging repeats
    pixels, with exact shares too. Rows and columns are scaled each on its own (see :mod:`triage.imaging.preprocess`).

    ``tones``: the pixels are indices into this table, and its values are averaged.
    """
    squeezed = _average(image, height, tones)
    return np.ascontiguousarray(_average(np.ascontiguousarray(squeezed.T), width, None).T)


def _average(image: NDArray[Any], target: int, tones: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """``image`` (rows, columns) as (``target``, columns), float64."""
    result = np.empty((target, image.shape[1]), dtype=np.float64)
    # band by band: a film of 3000 × 2500 stays in the processor's cache and is never copied whole to float64
    for row, (start, shares) in enumerate(_areas(image.shape[0], target)):
        band = image[start : start + shares.size]
        # not a BLAS product: its threads would cost more than the sum, and its order of adding differs from build to build
        result[row] = np.einsum("r,rc->c", shares, band.astype(np.float64) if tones is None else tones.take(band))
    return result


def _areas(source: int, target: int) -> list[tuple[int, NDArray[np.float64]]]:
    """For each of ``target`` equal stretches of 0..``source``: the first cell it touches, and each cell's share; sum 1."""
    areas = []
    for index in range(target):
        # whole numbers in units of 1/target of a cell: the bounds are exact
        begin, end = index * source, (index + 1) * source
        cells = np.arange(begin // target, -(-end // target))
        overlap = np.minimum((cells + 1) * target, end) - np.maximum(cells * target, begin)
        areas.append((int(cells[0]), overlap / source))
    return areas
