"""The low band of a film as JPEG 2000 makes it: a smaller film, the same to the last bit whether decoded small or made small.

ISO/IEC 15444-1 Annex F: the reversible 5/3 transform, in whole numbers. Each level halves rows and columns; what a decoder
gives that stops ``levels`` before the last is what :func:`low_band` gives of the whole film. So a film may be decoded at
reduced resolution, where its syntax allows, and be made small by this module where it does not, and nobody can tell.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGE = 1 << 21
"""Rows × Columns up to which a film keeps its resolution: decoding it whole costs little, and rounding costs exactness."""
_BAND = 128
"""Rows made at a time: they stay in the processor's cache."""
_NARROW = 1 << 14
"""Values within ±16,384 of each other and of 0 need no more than 16 bits for any sum of a lifting."""


def levels(rows: int, columns: int, height: int, width: int) -> int:
    """How often a film is halved before it is averaged to (height, width): both sides stay at least twice that size."""
    count = 0
    if rows * columns > LARGE:
        while halved(rows, count + 1) >= 2 * height and halved(columns, count + 1) >= 2 * width:
            count += 1
    return count


def halved(side: int, levels: int) -> int:
    """Samples of a side after ``levels``: ⌈side / 2^levels⌉ (B.5)."""
    return -(-side >> levels)


def low_band(pixels: NDArray[Any], levels: int) -> NDArray[Any]:
    """The low band of ``pixels`` (rows, columns; whole numbers of at most 16 bits) after ``levels``: 16 or 32 bits, signed.

    It is (⌈rows / 2^levels⌉, ⌈columns / 2^levels⌉). At edges it overshoots the values of the film; decoders cut that off.
    """
    band = pixels
    for _ in range(levels):
        band = _one_level(band)
    return band


def _narrow(pixels: NDArray[Any]) -> NDArray[Any]:
    """In 16 bits where no sum can overflow: twice the speed of 32."""
    lowest, highest = int(pixels.min()), int(pixels.max())
    if lowest >= -_NARROW and highest < _NARROW and highest - lowest < _NARROW:
        return pixels.view(np.int16) if pixels.dtype == np.uint16 else pixels.astype(np.int16, copy=False)
    return pixels.astype(np.int32, copy=False)


def _one_level(pixels: NDArray[Any]) -> NDArray[Any]:
    """Along the columns, then along the rows (F.4.2), band by band."""
    rows = halved(len(pixels), 1)
    pixels = _narrow(pixels)
    bands = []
    for start in range(0, rows, _BAND):
        end = min(start + _BAND, rows)
        above = max(0, 2 * start - 2)  # a low sample sees two samples to either side
        seen = pixels[above : 2 * end + 1]
        low = _narrow(_lifted(seen[0::2], seen[1::2])[start - above // 2 :][: end - start])
        even, odd = np.ascontiguousarray(low[:, 0::2]), np.ascontiguousarray(low[:, 1::2])
        bands.append(_lifted(even.T, odd.T).T)
    return np.concatenate(bands)


def _lifted(even: NDArray[Any], odd: NDArray[Any]) -> NDArray[Any]:
    """The low samples along axis 0 (F.4.8.2.1.1, reversible 5/3) of a film's even and odd ones.

    high = odd - ⌊(even + next even) / 2⌋; low = even + ⌊(high before + high + 2) / 4⌋. Beyond its ends the film is mirrored
    (F.4.7), so the neighbour that is missing is the one on the other side.
    """
    if not len(odd):
        return even
    inner = min(len(odd), len(even) - 1)
    high = np.empty_like(odd)
    np.add(even[:inner], even[1 : inner + 1], out=high[:inner])
    np.multiply(even[inner : len(odd)], 2, out=high[inner:])
    high >>= 1
    np.subtract(odd, high, out=high)
    low = np.empty_like(even)
    np.multiply(high[0], 2, out=low[0])
    np.add(high[:-1], high[1:], out=low[1 : len(odd)])
    np.multiply(high[len(even) - 2 :][: len(even) - len(odd)], 2, out=low[len(odd) :])
    low >>= 1  # ⌊(x + 2) / 4⌋ in two steps, so that the sum stays within its bits
    low += 1
    low >>= 1
    low += even
    return low
