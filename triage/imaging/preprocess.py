"""The one path from a stored film to the network's input; serving, training and tests call this."""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import grayscale
from triage.imaging.codecs import decode_frame
from triage.imaging.resample import resample
from triage.imaging.spec import PreprocessingSpec

_DARKEST, _BRIGHTEST = 1.0, 99.0
"""Percentiles of the resampled film that become 0 and 1: markers, collimator edges and burnt-out corners do not count."""

_FLAT = 1 / 64
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
    pixels = decode_frame(dataset)
    if np.issubdtype(pixels.dtype, np.signedinteger):
        index = pixels.astype(np.int16, copy=False).view(np.uint16)
        stored = np.arange(0x10000).astype(np.uint16).view(np.int16).astype(np.float64)
    else:
        index = pixels
        stored = np.arange(int(pixels.max()) + 1, dtype=np.float64)

    with np.errstate(all="ignore"):  # what overflows is caught by the percentiles, which are then no numbers
        tones = grayscale.modality(stored, dataset)
        windowed = grayscale.voi(tones, dataset)
        inverted = grayscale.is_inverted(dataset)
        picture = ~grayscale.padding(stored, dataset)
        for choice, flat in ((windowed, _FLAT), (tones, 0.0)):
            if choice is not None:
                film = _stretched(index, -choice if inverted else choice, picture, spec, flat)
                if film is not None:
                    return film.astype(np.float32)[:, :, np.newaxis]
    raise PixelError(Reason.NUMERIC, "the film is all one value")


def _stretched(
    index: NDArray[np.integer],
    tones: NDArray[np.float64],
    picture: NDArray[np.bool_],
    spec: PreprocessingSpec,
    flat: float,
) -> NDArray[np.float64] | None:
    """The film (height, width) within 0..1; ``None`` when its percentiles lie no further apart than ``flat``."""
    field = resample(index, spec.height, spec.width, np.where(picture, tones, 0.0))
    share = np.ones_like(field)
    if not picture.all():
        share = resample(index, spec.height, spec.width, picture.astype(np.float64))
    seen = share > 1e-9
    if not seen.any():
        return None
    field = np.divide(field, share, out=np.zeros_like(field), where=seen)
    dark, bright = np.percentile(field[seen], (_DARKEST, _BRIGHTEST))
    # what is left between the percentiles of a constant film is rounding
    if not max(flat, 1e-9 * float(np.abs(tones).max())) < bright - dark < np.inf:
        return None
    return np.where(seen, np.clip((field - dark) / (bright - dark), 0.0, 1.0), 0.0)
