"""The one path from a stored film to the network's input; serving, training and tests call this."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import grayscale
from triage.imaging.codecs import decode_frame, decode_low_band, describe
from triage.imaging.pyramid import levels
from triage.imaging.resample import resample
from triage.imaging.shutter import shutter
from triage.imaging.spec import NEWEST, PreprocessingSpec

DARKEST, BRIGHTEST = 1.0, 99.0
"""Percentiles of the resampled film that become 0 and 1: markers, collimator edges and burnt-out corners do not count."""

FLAT = 1 / 64
"""A window that leaves less than this share of its range between the percentiles shows nothing: it is set aside."""

Film = NDArray[np.float64]


def preprocess(dataset: Dataset, spec: PreprocessingSpec) -> NDArray[np.float32]:
    """The input tensor of a film: float32, (height, width, 1), rows downwards, 0..1, air dark and bone light.

    Every algorithm decodes, applies Modality LUT or rescale, then VOI LUT or window where there is a usable one, and
    polarity; averages over areas to the input size; and takes the 1st to the 99th percentile to 0..1. They differ in the
    order, see :data:`ALGORITHMS`. What is no picture (padding; from the second algorithm on, also what a display shutter
    hides) takes no part in averages and percentiles and becomes 0. Rows and columns are scaled each on its own, so a film
    that is not square is stretched: the NIH films were all made square that way, from sensors of 2500 × 2048 or 2992 × 2991,
    before they were published, and a network trained on them has never seen a border added to fill a square.

    Raises:
        PixelError: the reason says why there is no tensor.
    """
    with np.errstate(all="ignore"):  # what overflows is caught by the percentiles, which are then no numbers
        film = ALGORITHMS[spec.algorithm](dataset, spec)
    if film is None:
        raise PixelError(Reason.NUMERIC, "the film is all one value")
    return film.astype(np.float32)[:, :, np.newaxis]


def _windowed_first(dataset: Dataset, spec: PreprocessingSpec) -> Film | None:
    """``grey-area-percentile-1``: every step at full resolution, then the average."""
    return _tones_averaged(dataset, spec, None)


def _tones_averaged(dataset: Dataset, spec: PreprocessingSpec, shown: NDArray[np.bool_] | None) -> Film | None:
    index, stored = indexed(decode_frame(dataset))
    tones, picture = grayscale.modality(stored, dataset), ~grayscale.padding(stored, dataset)
    index, tones, picture = hidden(shown, index, tones, picture)

    def film(choice: Film) -> tuple[Film, NDArray[np.bool_]]:
        return averaged(index, choice, picture, spec.height, spec.width)

    return _first_usable(dataset, tones, film)


def _averaged_first(dataset: Dataset, spec: PreprocessingSpec) -> Film | None:
    """``grey-area-percentile-2``: stored values are averaged, and what follows is done with the average.

    Rescale, window and polarity are linear, so this is the same film at a fraction of the work, but for the window's ends,
    which cut off the average instead of each value. A large film is halved a few times by the JPEG 2000 transform first
    (:mod:`triage.imaging.pyramid`). Where a value's meaning is curved (LUT, sigmoid) or some values are no picture, nothing
    commutes, and the first algorithm's order stands.
    """
    description = describe(dataset)
    shown = shutter(dataset, description.rows, description.columns)
    if grayscale.is_curved(dataset):
        return _tones_averaged(dataset, spec, shown)
    if shown is not None or grayscale.has_padding(dataset):
        index, stored = indexed(decode_frame(dataset))
        index, stored, picture = hidden(shown, index, stored, ~grayscale.padding(stored, dataset))
        if not picture[index].all():
            field, seen = averaged(index, stored, picture, spec.height, spec.width)
            return _first_usable(dataset, grayscale.modality(field, dataset), lambda choice: (choice, seen))
    count = levels(description.rows, description.columns, spec.height, spec.width)
    # rounding adds half a value a level (F.4.8.2.1.1): without it an inverted film lies as much above its twin as below
    field = resample(decode_low_band(dataset, count), spec.height, spec.width) - count / 2
    seen = np.ones(field.shape, dtype=np.bool_)
    return _first_usable(dataset, grayscale.modality(field, dataset), lambda choice: (choice, seen))


ALGORITHMS: dict[str, Callable[[Dataset, PreprocessingSpec], Film | None]] = {
    "grey-area-percentile-1": _windowed_first,
    NEWEST: _averaged_first,
}


def _first_usable(dataset: Dataset, tones: Film, film: Callable[[Film], tuple[Film, NDArray[np.bool_]]]) -> Film | None:
    """The film under its window, or without one where that shows next to nothing; ``None``: it is all one value.

    ``film`` averages tones, if that is still to be done, and says where there is picture.
    """
    inverted = grayscale.is_inverted(dataset)
    for choice, flat in ((grayscale.voi(tones, dataset), FLAT), (tones, 0.0)):
        if choice is not None:
            field, seen = film(-choice if inverted else choice)
            # what is left between the percentiles of a constant film is rounding
            found = _stretched(field, seen, max(flat, 1e-9 * float(np.abs(choice).max())))
            if found is not None:
                return found
    return None


def indexed(pixels: NDArray[Any]) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """A frame as indices into the table of its possible stored values, and that table."""
    if np.issubdtype(pixels.dtype, np.signedinteger):
        stored = np.arange(0x10000).astype(np.uint16).view(np.int16).astype(np.float64)
        return pixels.astype(np.int16, copy=False).view(np.uint16), stored
    return pixels, np.arange(int(pixels.max()) + 1, dtype=np.float64)


def hidden(
    shown: NDArray[np.bool_] | None, index: NDArray[np.integer], tones: NDArray[np.float64], picture: NDArray[np.bool_]
) -> tuple[NDArray[np.integer], NDArray[np.float64], NDArray[np.bool_]]:
    """Indices, tones and which of them are picture, of a film without what a shutter hides.

    ``shown``: where the film shows; ``None``: everywhere. What is hidden gets an entry of its own, one that is no picture.
    """
    if shown is None:
        return index, tones, picture
    return np.where(shown, index.astype(np.int32), np.int32(tones.size)), np.append(tones, tones[-1]), np.append(picture, False)


def averaged(
    index: NDArray[np.integer], tones: NDArray[np.float64], picture: NDArray[np.bool_], height: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The film by area average (height, width), and where there is any picture; padding takes no part and is 0."""
    field = resample(index, height, width, np.where(picture, tones, 0.0))
    if picture.all():
        return field, np.ones(field.shape, dtype=np.bool_)
    share = resample(index, height, width, picture.astype(np.float64))
    seen = share > 1e-9
    return np.divide(field, share, out=np.zeros_like(field), where=seen), seen


def _stretched(field: Film, seen: NDArray[np.bool_], flat: float) -> Film | None:
    """The film (height, width) within 0..1; ``None`` when its percentiles lie no further apart than ``flat``."""
    if not seen.any():
        return None
    dark, bright = np.percentile(field[seen], (DARKEST, BRIGHTEST))
    if not flat < bright - dark < np.inf:
        return None
    return np.where(seen, np.clip((field - dark) / (bright - dark), 0.0, 1.0), 0.0)
