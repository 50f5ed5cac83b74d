"""The one path from a stored film to the network's input; serving, training and tests call this."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import grayscale
from triage.imaging.codecs import decode_frame
from triage.imaging.resample import resample
from triage.imaging.spec import PreprocessingSpec

DARKEST, BRIGHTEST = 1.0, 99.0
"""Percentiles of the resampled film that become 0 and 1: markers, collimator edges and burnt-out corners do not count."""

FLAT = 1 / 64
"""A window that leaves less than this share of its range between the percentiles shows nothing: it is set aside."""


def preprocess(dataset: Dataset, spec: PreprocessingSpec) -> NDArray[np.float32]:
    """The input tensor of a film: float32, (height, width, 1), rows downwards, 0..1, air dark and bone light.

    Algorithm ``grey-area-percentile-1``, in this order: decode; Modality LUT or rescale; VOI LUT or window, where there is
    a usable one; polarity; area average to the input size; 1st to 99th percentile to 0..1. Pixel padding takes no part in
    averages and percentiles and becomes 0. Rows and columns are scaled each on its own, so a film that is not square is
    stretched: the NIH films were all made square that way, from sensors of 2500 × 2048 or 2992 × 2991, before they were
    published, and a network trained on them has never seen a border added to fill a square.

    Raises:
        PixelError: the reason says why there is no tensor.
    """
    index, stored = indexed(decode_frame(dataset))
    with np.errstate(all="ignore"):  # what overflows is caught by the percentiles, which are then no numbers
        tones = grayscale.modality(stored, dataset)
        windowed = grayscale.voi(tones, dataset)
        inverted = grayscale.is_inverted(dataset)
        picture = ~grayscale.padding(stored, dataset)
        for choice, flat in ((windowed, FLAT), (tones, 0.0)):
            if choice is not None:
                film = _stretched(index, -choice if inverted else choice, picture, spec, flat)
                if film is not None:
                    return film.astype(np.float32)[:, :, np.newaxis]
    raise PixelError(Reason.NUMERIC, "the film is all one value")


def indexed(pixels: NDArray[Any]) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """A frame as indices into the table of its possible stored values, and that table."""
    if np.issubdtype(pixels.dtype, np.signedinteger):
        stored = np.arange(0x10000).astype(np.uint16).view(np.int16).astype(np.float64)
        return pixels.astype(np.int16, copy=False).view(np.uint16), stored
    return pixels, np.arange(int(pixels.max()) + 1, dtype=np.float64)


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


def _stretched(
    index: NDArray[np.integer],
    tones: NDArray[np.float64],
    picture: NDArray[np.bool_],
    spec: PreprocessingSpec,
    flat: float,
) -> NDArray[np.float64] | None:
    """The film (height, width) within 0..1; ``None`` when its percentiles lie no further apart than ``flat``."""
    field, seen = averaged(index, tones, picture, spec.height, spec.width)
    if not seen.any():
        return None
    dark, bright = np.percentile(field[seen], (DARKEST, BRIGHTEST))
    # what is left between the percentiles of a constant film is rounding
    if not max(flat, 1e-9 * float(np.abs(tones).max())) < bright - dark < np.inf:
        return None
    return np.where(seen, np.clip((field - dark) / (bright - dark), 0.0, 1.0), 0.0)
