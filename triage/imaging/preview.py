"""A film for the study page, small or whole: its values for a window the reader moves, and a grey picture of it."""

from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import grayscale
from triage.imaging.codecs import decode_frame, describe
from triage.imaging.elements import items
from triage.imaging.preprocess import BRIGHTEST, DARKEST, FLAT, averaged, hidden, indexed
from triage.imaging.shutter import shutter

LONGEST_SIDE = 1024
"""Pixels of a preview's longer side at most: it shows which film this is, it is not made for diagnosis."""
MAX_PIXELS = 40_000_000
"""Rows × Columns beyond which no preview is made; the largest radiographs have about 20 million."""
STEPS = 0xFFFF - 1
"""Values of a preview are whole numbers from 1 to ``STEPS + 1``; 0 is where the film has no picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A film at most ``LONGEST_SIDE`` long, or whole (:func:`frame`).

    ``values`` (height, width): 0 is where padding or a shutter hides the film, every other one stands for
    ``intercept + slope * value``: the modality value (PS3.3 C.11.1), or, where the header has a VOI LUT or a sigmoid, the
    value after it, so that every window is linear. ``low`` and ``high`` are where the default window is black and white,
    in the same unit; ``inverted``: the other way round. ``rows`` and ``columns``: of the film itself.
    """

    values: NDArray[np.uint16]
    slope: float
    intercept: float
    low: float
    high: float
    inverted: bool
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class _Film:
    """A decoded film: indices into the table of its tones, which of them occur and are picture, the header's window, the area
    average and where it has picture.
    """

    index: NDArray[np.integer]
    tones: grayscale.Tones
    used: NDArray[np.bool_]
    ends: tuple[float, float] | None
    field: NDArray[np.float64]
    seen: NDArray[np.bool_]


def preview(dataset: Dataset) -> Preview:
    """The preview of a film, in this order: decode, Modality LUT or rescale, VOI where it is not linear, area average.

    The default window is the header's first one; where there is none, or it leaves the film flat, the one between the
    film's 1st and 99th percentile. What padding or a shutter hides is 0. Overlays are not
    drawn; pixels are taken as square.

    Raises:
        PixelError: the reason says why there is none.
    """
    film = _decoded(dataset)
    slope, least = _steps(film.field[film.seen])
    values = np.where(film.seen, np.rint((film.field - least) / slope) + 1, 0).astype(np.uint16)
    return _finished(film, dataset, values, slope, least)


def frame(dataset: Dataset) -> Preview:
    """The same film whole: every pixel of it, under the window that its preview opens with.

    Raises:
        PixelError: as :func:`preview`: what has no preview has no frame.
    """
    film = _decoded(dataset)
    slope, least = _steps(film.tones[film.used])
    table = np.zeros(film.tones.shape, dtype=np.uint16)
    table[film.used] = np.rint((film.tones[film.used] - least) / slope) + 1
    return _finished(film, dataset, table.take(film.index), slope, least)


def shades(film: Preview) -> NDArray[np.uint8]:
    """The film as it is seen under its default window: 0 black, 255 white; black where it is hidden."""
    value = film.intercept + film.slope * np.arange(0x10000)
    if film.high > film.low:
        grey = np.clip((value - film.low) / (film.high - film.low), 0.0, 1.0)
    else:
        grey = (value > film.low).astype(np.float64)
    table = np.rint(255 * (1 - grey if film.inverted else grey)).astype(np.uint8)
    table[0] = 0
    grey_film: NDArray[np.uint8] = table[film.values]
    return grey_film


def png(film: Preview) -> bytes:
    """The film under its default window as an 8-bit PNG."""
    return bytes(imagecodecs.png_encode(shades(film), level=3))


def _decoded(dataset: Dataset) -> _Film:
    """Decode once; what a preview and a frame are both made from."""
    description = describe(dataset)
    if description.rows * description.columns > MAX_PIXELS:
        raise PixelError(Reason.CANNOT_DECODE, "more pixels than a preview is made of")
    index, stored = indexed(decode_frame(dataset))
    shown = shutter(dataset, description.rows, description.columns)
    index, stored, picture = hidden(shown, index, stored, ~grayscale.padding(stored, dataset))
    used = np.zeros(stored.shape, dtype=np.bool_)
    used[index] = True
    used &= picture
    if not used.any():
        raise PixelError(Reason.NUMERIC, "nothing of the film is to be seen")
    with np.errstate(all="ignore"):  # what overflows is caught by the steps
        tones, ends = _tones(stored, dataset, used)
        field, seen = averaged(index, tones, picture, *_size(description.rows, description.columns))
    _steps(field[seen])
    return _Film(index, tones, used, ends, field, seen)


def _steps(seen: NDArray[np.float64]) -> tuple[float, float]:
    """The step between two values, and the tone of the least."""
    least, most = float(seen.min()), float(seen.max())
    with np.errstate(all="ignore"):
        slope = (most - least) / STEPS
    if not 0 < slope < np.inf or most - least <= 1e-9 * max(abs(least), abs(most)):
        raise PixelError(Reason.NUMERIC, "the film is all one value")
    return slope, least


def _finished(film: _Film, dataset: Dataset, values: NDArray[np.uint16], slope: float, least: float) -> Preview:
    low, high = _useful(film.ends, film.field[film.seen])
    return Preview(
        values=values,
        slope=slope,
        intercept=least - slope,
        low=low,
        high=high,
        inverted=grayscale.is_inverted(dataset),
        rows=film.index.shape[0],
        columns=film.index.shape[1],
    )


def _tones(
    stored: grayscale.Tones, dataset: Dataset, used: NDArray[np.bool_]
) -> tuple[grayscale.Tones, tuple[float, float] | None]:
    """The value shown for each stored value, and the ends of the header's window, if any."""
    modality = grayscale.modality(stored, dataset)
    interest, window = grayscale.voi(modality, dataset), grayscale.window_of(dataset)
    if interest is None:
        return modality, None
    if window is None or window.function == "SIGMOID" or items(dataset, "VOILUTSequence"):
        # a curve cannot be undone by another window: where the film is flat under it, it is set aside here
        return (interest, (0.0, 1.0)) if np.ptp(interest[used]) > FLAT else (modality, None)
    return modality, window.ends


def _useful(ends: tuple[float, float] | None, seen: NDArray[np.float64]) -> tuple[float, float]:
    """The header's window, if the film is not flat under it; else the one of its percentiles."""
    dark, bright = (float(value) for value in np.percentile(seen, (DARKEST, BRIGHTEST)))
    if ends is not None:
        low, high = ends
        shown = np.clip([dark, bright], low, high)
        if high == low and dark < low < bright:
            return ends
        if high > low and (shown[1] - shown[0]) / (high - low) > FLAT:
            return ends
    return (dark, bright) if bright > dark else (float(seen.min()), float(seen.max()))


def _size(rows: int, columns: int) -> tuple[int, int]:
    """Height and width: in proportion, never enlarged, at least 1."""
    longest = max(rows, columns)
    if longest <= LONGEST_SIDE:
        return rows, columns
    return max(1, round(rows * LONGEST_SIDE / longest)), max(1, round(columns * LONGEST_SIDE / longest))
