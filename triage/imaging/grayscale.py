"""From stored values to grey values in the MONOCHROME2 sense; PS3.3 C.7.6.3, C.11.1, C.11.2.

Every step acts on one value at a time, so it is worked out once for each possible stored value, not for each pixel:
the functions take and give a table of float64, one entry for each stored value.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import lookup
from triage.imaging.elements import code, integer, items, number, values

Tones = NDArray[np.float64]


def modality(stored: Tones, dataset: Dataset) -> Tones:
    """Modality values (PS3.3 C.11.1): by LUT, else by rescale, else the stored values.

    Raises:
        PixelError: a slope of 0, a result that is not finite, a LUT that cannot be read.
    """
    for item in items(dataset, "ModalityLUTSequence"):  # C.11.1: LUT and rescale exclude each other; one item at most
        return lookup.read(item, signed=_is_signed(dataset)).of(stored)
    slope, intercept = _rescale(dataset)
    with np.errstate(all="ignore"):  # judged just below
        result = stored * slope + intercept
    if slope == 0 or not np.isfinite(result).all():
        raise PixelError(Reason.NUMERIC, "the rescale gives no usable values")
    return result


def voi(tones: Tones, dataset: Dataset) -> Tones | None:
    """Values of interest within 0..1 (PS3.3 C.11.2), by the first LUT, else by the first window; ``None``: neither.

    Where there are both, either may be applied (C.11.2): the LUT was made for this film. What a LUT may give, 0 to
    2ⁿ - 1 (C.11.2.1.1), is 0..1, whether or not its entries reach that far (PS3.4 N.2.3, C.11.6.1). A window that is not a
    window (a width of 0 or less, a value that is no number) counts as absent.

    Raises:
        PixelError: a LUT that cannot be read.
    """
    for item in items(dataset, "VOILUTSequence"):
        table = lookup.read(item, signed=_may_be_negative(dataset))
        return table.of(tones) / table.white
    given = window_of(dataset)
    if given is None:
        return None
    with np.errstate(over="ignore"):  # far outside an absurd window: clipped like everything outside
        return _WINDOWS[given.function](tones, given.centre, given.width)


@dataclass(frozen=True, slots=True)
class Window:
    """A window (PS3.3 C.11.2.1.2) as the header states it; ``function`` is the VOI LUT Function (C.11.2.1.3)."""

    function: str
    centre: float
    width: float

    @property
    def ends(self) -> tuple[float, float]:
        """The modality values at which a linear window is black and white; equal for a threshold."""
        low = self.centre - self.width / 2
        return low, low + (self.width - 1 if self.function == "LINEAR" else self.width)


def window_of(dataset: Dataset) -> Window | None:
    """The first window; ``None``: there is none, or its function is unknown."""
    centre, width = number(dataset, "WindowCenter"), number(dataset, "WindowWidth")
    function = code(dataset, "VOILUTFunction") or "LINEAR"
    if centre is None or width is None or function not in _WINDOWS:
        return None
    return Window(function, centre, width)


def linear(tones: Tones, centre: float, width: float) -> Tones | None:
    """PS3.3 C.11.2.1.2.1, LINEAR: width at least 1; the values within 0..1, or ``None`` when the width is less."""
    if width < 1:
        return None
    if width == 1:  # a threshold: x <= c - 0.5 is the minimum, anything above the maximum
        return (tones > centre - 0.5).astype(np.float64)
    return np.clip((tones - (centre - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)


def linear_exact(tones: Tones, centre: float, width: float) -> Tones | None:
    """PS3.3 C.11.2.1.3.2, LINEAR_EXACT: width greater than 0."""
    if width <= 0:
        return None
    return np.clip((tones - centre) / width + 0.5, 0.0, 1.0)


def sigmoid(tones: Tones, centre: float, width: float) -> Tones | None:
    """PS3.3 C.11.2.1.3.1, SIGMOID: width greater than 0."""
    if width <= 0:
        return None
    exponent = np.clip(-4.0 * (tones - centre) / width, -700.0, 700.0)
    return 1.0 / (1.0 + np.exp(exponent))


_WINDOWS = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}


def is_inverted(dataset: Dataset) -> bool:
    """Whether the lowest value is meant to be white.

    MONOCHROME1 (PS3.3 C.7.6.3.1.2) and Presentation LUT Shape INVERSE (C.11.6.1.2) say the same thing, and DX demands
    that both say it (C.8.11.3.1.2): one or both turn the film over once, never twice.
    """
    return code(dataset, "PhotometricInterpretation") == "MONOCHROME1" or code(dataset, "PresentationLUTShape") == "INVERSE"


def is_curved(dataset: Dataset) -> bool:
    """Whether a value's meaning is not linear, apart from a window's ends: Modality LUT, VOI LUT, sigmoid."""
    window = window_of(dataset)
    sequences = ("ModalityLUTSequence", "VOILUTSequence")
    return any(items(dataset, keyword) for keyword in sequences) or (window is not None and window.function == "SIGMOID")


def has_padding(dataset: Dataset) -> bool:
    """Whether some stored value may be no picture; see :func:`padding`."""
    return _stored(dataset, "PixelPaddingValue") is not None


def padding(stored: Tones, dataset: Dataset) -> NDArray[np.bool_]:
    """Which stored values are no picture (PS3.3 C.7.5.1.1.2): Pixel Padding Value, to Pixel Padding Range Limit if given."""
    value, limit = _stored(dataset, "PixelPaddingValue"), _stored(dataset, "PixelPaddingRangeLimit")
    if value is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    limit = value if limit is None else limit
    return (stored >= min(value, limit)) & (stored <= max(value, limit))


def _stored(dataset: Dataset, keyword: str) -> int | None:
    """A US-or-SS value in the sense of Pixel Representation, however its VR was written."""
    value = integer(dataset, keyword)
    return None if value is None else lookup.sixteen_bits(value, signed=_is_signed(dataset))


def _given(dataset: Dataset, keyword: str, default: float) -> float:
    """A number that must be one when it is there."""
    if not values(dataset, keyword):
        return default
    value = number(dataset, keyword)
    if value is None:
        raise PixelError(Reason.NUMERIC, f"{keyword} is not a number")
    return value


def _rescale(dataset: Dataset) -> tuple[float, float]:
    """Rescale Slope and Rescale Intercept."""
    return _given(dataset, "RescaleSlope", 1.0), _given(dataset, "RescaleIntercept", 0.0)


def _is_signed(dataset: Dataset) -> bool:
    return integer(dataset, "PixelRepresentation") == 1


def _may_be_negative(dataset: Dataset) -> bool:
    """Whether the input of a VOI LUT is signed: whether the modality values can be, not whether they are (C.11.2.1.1)."""
    if items(dataset, "ModalityLUTSequence"):
        return False  # its entries are always unsigned (C.11.1.1.2)
    bits = integer(dataset, "BitsStored") or 16
    least, most = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if _is_signed(dataset) else (0.0, 2.0**bits - 1)
    slope, intercept = _rescale(dataset)
    return min(slope * least, slope * most) + intercept < 0
